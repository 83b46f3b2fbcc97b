"""What proxies ask for: certificates, the watch, acknowledgements (the protocol is in meshes.builtin.proxy.watch). Decides who may."""

import hmac
import json
from collections.abc import Awaitable, Callable

from meshes.builtin.control.http import RefusedError, Request, Writer, answer, begin_lines, end_lines, send_line
from meshes.builtin.control.signing import ForeignIdentityError, RefusedRequestError, Signed, Signer, SigningError
from meshes.builtin.control.state import State

HEARTBEAT_S = 4.0
"""The protocol promises 5 s."""

MAX_WATCHERS = 1000
MAX_ERROR_CHARACTERS = 500


Prove = Callable[[str, str], Awaitable[bool]]
"""Whether a token is that of the proxy with this name."""


class Api:
    """Handler of the control plane's TLS port. `wall_s` is Unix time, by which certificates are dated.

    Without `prove`, tokens are those of the inputs.
    """

    def __init__(self, state: State, signer: Signer, wall_s: Callable[[], float], prove: Prove | None = None) -> None:
        self._state = state
        self._prove = prove or self._has_token
        self._signer = signer
        self._wall_s = wall_s
        self._watchers = 0
        self._signing: set[str] = set()

    async def handle(self, request: Request, writer: Writer) -> None:
        """Route by method and path."""
        match request.method, request.path:
            case "POST", "/v1/certificates":
                await self._certificate(request, writer)
            case "GET", "/v1/watch":
                await self._watch(request, writer)
            case "POST", "/v1/ack":
                self._ack(request, writer)
            case _:
                raise RefusedError(404, "have POST /v1/certificates, GET /v1/watch, POST /v1/ack")

    async def _certificate(self, request: Request, writer: Writer) -> None:
        name, identity = await self._allowed(request)
        if name in self._signing:
            raise RefusedError(429, f"a certificate for {name!r} is being signed: wait for it")
        self._signing.add(name)
        try:
            signed = await self._signed(request.body, identity, self._state.lifetime_s(name))
        finally:
            self._signing.discard(name)
        document = {
            "chain": signed.chain,
            "bundle": signed.bundle,
            "lifetime_s": signed.not_after_s - self._wall_s(),
            "not_after": int(signed.not_after_s),
        }
        answer(writer, 200, document)

    async def _signed(self, body: bytes, identity: str, lifetime_s: float) -> Signed:
        try:
            return await self._signer.sign(body, identity, lifetime_s)
        except RefusedRequestError as error:
            raise RefusedError(400, str(error)) from error
        except ForeignIdentityError as error:
            raise RefusedError(403, str(error)) from error
        except SigningError as error:
            raise RefusedError(503, str(error)) from error

    async def _allowed(self, request: Request) -> tuple[str, str]:
        """Name and identity that the caller may have: by its token, or by the certificate it has now."""
        name = request.query.get("name", "")
        identity = self._state.identity(name)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if identity and scheme.lower() == "bearer":
            if await self._prove(name, token):
                return name, identity
        elif identity and request.peer.identity == identity:
            return name, identity
        raise RefusedError(401, f"no token or certificate for a proxy named {name!r:.60}")

    async def _has_token(self, name: str, token: str) -> bool:
        expected = self._state.inputs.proxies[name].token
        return bool(expected) and hmac.compare_digest(token.encode(), expected.encode())

    def _proven(self, request: Request) -> str:
        """The name of the proxy that asks, proven by its certificate."""
        name = request.query.get("name", "")
        if not request.peer.identity:
            raise RefusedError(401, "this needs a client certificate")
        if self._state.identity(name) != request.peer.identity:
            raise RefusedError(404, f"no proxy named {name!r:.60} has the identity {request.peer.identity}")
        return name

    async def _watch(self, request: Request, writer: Writer) -> None:
        name = self._proven(request)
        if self._watchers >= MAX_WATCHERS:
            raise RefusedError(503, f"{MAX_WATCHERS} watches are open: no more are taken")
        version = request.query.get("version", "0")
        if not (version.isascii() and version.isdigit() and len(version) < 20):
            raise RefusedError(400, f"version is {version!r:.40}: it has to be a whole number")
        status = self._state.status[name]
        self._watchers += 1
        status.connected += 1
        try:
            begin_lines(writer)
            await self._stream(name, int(version), request.peer.not_after_s, writer)
            end_lines(writer)
        finally:
            self._watchers -= 1
            status.connected -= 1

    async def _stream(self, name: str, in_force: int, until_s: float, writer: Writer) -> None:
        """Lines until the proxy is no longer ours, or its certificate ends: it comes back with a new one."""
        self._state.resumed(name, in_force)
        while name in self._state.snapshots and (left_s := until_s - self._wall_s()) > 0 and not writer.is_closing():
            snapshot = self._state.snapshots[name]
            if snapshot.version != in_force:
                await send_line(writer, {"kind": "snapshot", "snapshot": snapshot.document()})
                in_force = self._state.status[name].sent = snapshot.version
            else:
                await send_line(writer, {"kind": "heartbeat"})
            await self._state.changed(name, in_force, min(HEARTBEAT_S, left_s))

    def _ack(self, request: Request, writer: Writer) -> None:
        name = self._proven(request)
        try:
            document = json.loads(request.body)
            version, ok, error = int(document["version"]), bool(document["ok"]), str(document["error"])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as problem:
            raise RefusedError(400, "an ack has version, ok and error") from problem
        self._state.acknowledged(name, version, "" if ok else error[:MAX_ERROR_CHARACTERS] or "refused")
        answer(writer, 204)
