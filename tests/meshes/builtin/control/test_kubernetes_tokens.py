"""What a TokenReview proves, and what it doesn't."""

import asyncio
from typing import Any

import pytest

from meshes.builtin.control.kubernetes_client import ApiError
from meshes.builtin.control.kubernetes_inputs import identity
from meshes.builtin.control.kubernetes_tokens import prove, proved

Json = dict[str, Any]
POD = "authentication.kubernetes.io/pod-name"


def status(**changes: Any) -> Json:
    user = {"username": "system:serviceaccount:shop:a", "extra": {POD: ["a-1"]}}
    return {"authenticated": True, "audiences": ["hoptax"], "user": user} | changes


def test_a_bound_token_proves_pod_and_service_account() -> None:
    assert proved(status()) == ("a-1.shop", identity("shop", "a"))


@pytest.mark.parametrize(
    "changes",
    [
        {"authenticated": False},
        {"audiences": ["https://kubernetes.default.svc"]},
        {"audiences": None},
        {"user": {"username": "system:serviceaccount:shop:a"}},
        {"user": {"username": "jane", "extra": {POD: ["a-1"]}}},
        {"user": {"username": "system:serviceaccount:shop", "extra": {POD: ["a-1"]}}},
    ],
)
def test_others_prove_nothing(changes: Json) -> None:
    assert proved(status(**changes)) is None


class Reviews:
    def __init__(self, answer: Json | ApiError) -> None:
        self.answer = answer

    async def ask(self, method: str, path: str, document: object) -> Json:
        if isinstance(self.answer, ApiError):
            raise self.answer
        return {"status": self.answer}


@pytest.mark.parametrize(
    ("name", "known", "answer", "believed"),
    [
        ("a-1.shop", identity("shop", "a"), status(), True),
        ("a-2.shop", identity("shop", "a"), status(), False),
        ("a-1.shop", identity("shop", "b"), status(), False),
        ("a-1.shop", None, status(), False),
        ("a-1.shop", identity("shop", "a"), ApiError(503, "away"), False),
    ],
)
def test_a_token_is_believed_for_its_own_pod_only(
    name: str, known: str | None, answer: Json | ApiError, believed: bool
) -> None:
    assert asyncio.run(prove(Reviews(answer), lambda _: known)(name, "token")) is believed
