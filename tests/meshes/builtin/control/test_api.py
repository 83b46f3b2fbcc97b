"""Who may have which certificate, and what becomes of signing that fails; without sockets or helpers."""

import asyncio
import json
from typing import Any, cast

import pytest

from meshes.builtin.control.api import MAX_ERROR_CHARACTERS, Api
from meshes.builtin.control.http import Peer, RefusedError, Request, Writer
from meshes.builtin.control.signing import Signed, Signer, SigningError
from meshes.builtin.control.state import State
from meshes.identity.names import spiffe_id
from tests.meshes.builtin.control.inputs import inputs

NOW_S = 1_800_000_000.0
A = Peer(spiffe_id("a"), NOW_S + 60)


class _Writer:
    """Keeps what is written."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, data: bytes) -> None:
        self.written += data

    def document(self) -> Any:  # Any: JSON values
        return json.loads(self.written.partition(b"\r\n\r\n")[2])


class _Signer:
    """Signs anything, when it may; keeps for whom."""

    def __init__(self, error: Exception | None = None) -> None:
        self.identities: list[str] = []
        self.may = asyncio.Event()
        self._error = error

    async def sign(self, _request: bytes, identity: str, lifetime_s: float) -> Signed:
        self.identities.append(identity)
        await self.may.wait()
        if self._error:
            raise self._error
        return Signed("chain", "bundle", NOW_S + lifetime_s)


class _Plane:
    """An Api with its surroundings."""

    def __init__(self, error: Exception | None = None) -> None:
        self.state, self.signer = State(inputs()), _Signer(error)
        self.api = Api(self.state, cast("Signer", self.signer), lambda: NOW_S)

    async def certificate(self, name: str, token: str = "", peer: Peer = Peer()) -> Any:  # noqa: B008 - immutable
        headers = {"authorization": f"Bearer {token}"} if token else {}
        return await self.ask("POST", "/v1/certificates", name, headers, b"csr", peer)

    async def ask(self, method: str, path: str, name: str, headers: dict[str, str], body: bytes, peer: Peer) -> Any:
        writer = _Writer()
        await self.api.handle(Request(method, path, {"name": name}, headers, body, peer), cast("Writer", writer))
        return writer.document() if b"\r\n\r\n{" in writer.written else writer.written


def status_of(question: Any) -> int:
    with pytest.raises(RefusedError) as refusal:
        asyncio.run(question)
    return refusal.value.status


def test_a_certificate_says_how_long_it_lives() -> None:
    async def run() -> Any:
        plane = _Plane()
        plane.signer.may.set()
        return await plane.certificate("b-1", "token-of-b-1"), plane.signer.identities

    assert asyncio.run(run()) == (
        {"chain": "chain", "bundle": "bundle", "lifetime_s": 3600.0, "not_after": NOW_S + 3600},
        [spiffe_id("b")],
    )


@pytest.mark.parametrize(
    ("name", "token", "peer"),
    [
        ("a-0", "token-of-b-0", A),
        ("a-0", "", Peer()),
        ("b-0", "", A),
        ("b-0", "token-of-a-0", A),
        ("x-0", "token-of-a-0", A),
        ("", "", Peer()),
    ],
)
def test_neither_a_wrong_token_nor_another_certificate_opens(name: str, token: str, peer: Peer) -> None:
    async def run() -> None:
        plane = _Plane()
        plane.signer.may.set()
        await plane.certificate(name, token, peer)

    assert status_of(run()) == 401


def test_a_proxy_has_one_certificate_signed_at_a_time() -> None:
    async def run() -> None:
        plane = _Plane()
        first = asyncio.ensure_future(plane.certificate("a-0", peer=A))
        await asyncio.sleep(0)
        try:
            await plane.certificate("a-0", peer=A)
        finally:
            plane.signer.may.set()
            await first
            await plane.certificate("a-0", peer=A)

    assert status_of(run()) == 429


def test_our_own_failure_is_not_the_proxys_fault() -> None:
    async def run() -> None:
        plane = _Plane(SigningError("the disk is gone"))
        plane.signer.may.set()
        await plane.certificate("a-0", peer=A)

    assert status_of(run()) == 503


def test_an_acknowledgement_is_kept_within_bounds() -> None:
    async def run() -> State:
        plane = _Plane()
        for version, error in ((7, ""), (8, "x" * 5000)):
            body = json.dumps({"version": version, "ok": not error, "error": error}).encode()
            assert (await plane.ask("POST", "/v1/ack", "a-0", {}, body, A)).startswith(b"HTTP/1.1 204 ")
        return plane.state

    status = asyncio.run(run()).status["a-0"]
    assert (status.acked, status.error) == (7, "x" * MAX_ERROR_CHARACTERS)
