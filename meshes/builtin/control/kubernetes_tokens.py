"""Whether a token is that of the pod it is shown for: asks the API server (TokenReview). Knows no TLS and no certificate."""

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from meshes.builtin.control.kubernetes_client import ApiError
from meshes.builtin.control.kubernetes_inputs import identity
from meshes.builtin.injection.labels import AUDIENCE

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
ACCOUNT = "system:serviceaccount:"
POD = "authentication.kubernetes.io/pod-name"

Json = dict[str, Any]


class Api(Protocol):
    """One question."""

    async def ask(self, method: str, path: str, document: object) -> Json: ...


def prove(api: Api, identity_of: Callable[[str], str | None]) -> Callable[[str, str], Coroutine[Any, Any, bool]]:
    """The check: `identity_of` gives the SPIFFE id that a proxy's name has."""

    async def proven(name: str, token: str) -> bool:
        review = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [AUDIENCE]},
        }
        try:
            status = (await api.ask("POST", PATH, review)).get("status") or {}
        except ApiError:
            return False
        return (proof := proved(status)) is not None and list(proof) == [name, identity_of(name)]

    return proven


def proved(status: Json) -> tuple[str, str] | None:
    """Name (`POD.NAMESPACE`) and SPIFFE id that a review's status proves; None if it proves none."""
    if not status.get("authenticated") or AUDIENCE not in (status.get("audiences") or ()):
        return None
    user = status.get("user") or {}
    username = str(user.get("username", ""))
    namespace, _, account = username.removeprefix(ACCOUNT).partition(":")
    pods = list((user.get("extra") or {}).get(POD) or [])
    if not username.startswith(ACCOUNT) or not account or len(pods) != 1:
        return None
    return f"{pods[0]}.{namespace}", identity(namespace, account)
