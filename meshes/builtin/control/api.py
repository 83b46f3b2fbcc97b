"""What proxies ask for: certificates, the watch, acknowledgements (the protocol is in meshes.builtin.proxy.watch). Decides who may."""

import asyncio
import hmac
import json
import time
from collections.abc import Callable

from meshes.builtin.control.http import RefusedError, Request, Stream, answer, begin_lines, send_line
from meshes.builtin.control.signing import RefusedRequestError, Signer
from meshes.builtin.control.state import State

HEARTBEAT_S = 5.0
MAX_WATCHERS = 1000
MAX_WATCH_S = 12 * 3600.0
"""A watch ends by then at the latest, and with the certificate it was opened with: the proxy comes back with a new one."""


class Api:
    """Handler of the control plane's TLS port. `wall_s` is Unix time."""

    def __init__(self, state: State, signer: Signer, wall_s: Callable[[], float] = time.time) -> None:  # noqa: TID251 - certificates are dated by it
        self._state = state
        self._signer = signer
        self._wall_s = wall_s
        self._watchers = 0

    async def handle(self, request: Request, writer: Stream) -> None:
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

    async def _certificate(self, request: Request, writer: Stream) -> None:
        identity = self._allowed(request)
        lifetime_s = self._state.inputs.leaf_lifetime_s
        try:
            signed = await self._signer.sign(request.body, identity, lifetime_s)
        except RefusedRequestError as error:
            raise RefusedError(403 if "allowed is" in str(error) else 400, str(error)) from error
        left_s = signed.not_after_s - self._wall_s()
        answer(
            writer,
            200,
            {
                "chain": signed.chain,
                "bundle": signed.bundle,
                "lifetime_s": left_s,
                "not_after": int(signed.not_after_s),
            },
        )

    def _allowed(self, request: Request) -> str:
        """The identity that the caller may have: by its token, or by the certificate it has now."""
        name = request.query.get("name", "")
        identity = self._state.identity(name)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if identity and scheme.lower() == "bearer":
            if hmac.compare_digest(token.encode(), self._state.inputs.proxies[name].token.encode()):
                return identity
        elif identity and request.peer == identity:
            return identity
        raise RefusedError(401, f"no token or certificate for a proxy named {name!r}")

    def _peer(self, request: Request) -> str:
        """The name of the proxy that asks, proven by its certificate."""
        name = request.query.get("name", "")
        if not request.peer:
            raise RefusedError(401, "this needs a client certificate")
        if self._state.identity(name) != request.peer:
            raise RefusedError(404, f"no proxy named {name!r} has the identity {request.peer}")
        return name

    async def _watch(self, request: Request, writer: Stream) -> None:
        name = self._peer(request)
        if self._watchers >= MAX_WATCHERS:
            raise RefusedError(403, f"{MAX_WATCHERS} watches are open: no more are taken")
        self._watchers += 1
        self._state.status[name].connected += 1
        begin_lines(writer)
        try:
            await asyncio.wait_for(self._stream(name, writer), MAX_WATCH_S)
        finally:
            self._watchers -= 1
            if name in self._state.status:
                self._state.status[name].connected -= 1

    async def _stream(self, name: str, writer: Stream) -> None:
        sent = 0
        while name in self._state.snapshots and not writer.is_closing():
            snapshot = self._state.snapshots[name]
            if snapshot.version != sent:
                await send_line(writer, json.dumps({"kind": "snapshot", "snapshot": snapshot.document()}))
                sent = self._state.status[name].sent = snapshot.version
            try:
                await asyncio.wait_for(self._state.changed(), HEARTBEAT_S)
            except TimeoutError:
                await send_line(writer, '{"kind": "heartbeat"}')

    def _ack(self, request: Request, writer: Stream) -> None:
        status = self._state.status[self._peer(request)]
        try:
            document = json.loads(request.body)
            version, ok, error = int(document["version"]), bool(document["ok"]), str(document["error"])
        except (ValueError, KeyError, TypeError) as problem:
            raise RefusedError(400, "an ack has version, ok and error") from problem
        status.error = "" if ok else error
        if ok:
            status.acked = version
        answer(writer, 204)
