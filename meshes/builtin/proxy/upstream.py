"""One connection to an endpoint: sends a request, reads its response, one at a time. Knows neither routes nor clients.

Nothing is sent twice from here: retries are policy, and the owner's. A connection that dies before its answer costs that one
try; connections that closed while idle are out of the pool by then.
"""

import asyncio
import ssl
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Protocol

from meshes.builtin.proxy.body import BodyReader, reader
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.fields import UNTIL_CLOSE
from meshes.builtin.proxy.memo import ResponseMemo
from meshes.builtin.proxy.response import ResponseHead
from meshes.builtin.proxy.tls import PeerRefused, TlsSession
from meshes.builtin.proxy.wire import Wire

if TYPE_CHECKING:
    from meshes.builtin.proxy.tunnel import End

MAX_INTERIM = 16
"""Interim responses (1xx) to one request; more is a callee gone mad."""


class Owner(Protocol):
    """Whoever has sent a request on the connection: a downstream connection, or a call to the control plane."""

    sent_all: bool

    def interim(self, head: ResponseHead) -> None: ...
    def switched(self, head: ResponseHead) -> "Callable[[End], None] | None": ...
    def respond(self, head: ResponseHead, payload: bytes, done: bool, trailers: bytes = b"") -> None: ...
    def more(self, payload: bytes, done: bool, trailers: bytes = b"") -> None: ...
    def upstream_failed(self, failure: Failure, detail: str) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Home(Protocol):
    """Where the connection came from and goes back to."""

    max_header_bytes: int
    max_headers: int

    def released(self, connection: "Upstream") -> None: ...
    def lost(self, connection: "Upstream") -> None: ...


_heads = ResponseMemo(bodiless=False)
_bodiless_heads = ResponseMemo(bodiless=True)


class Upstream(Wire):
    """`ready` is done when the connection may be used, or holds why not. `generation` is that of our certificate in it, `born_s` when it was made."""

    __slots__ = ("_buffer", "_head", "_heads", "_home", "_interim", "_reader", "born_s", "generation", "owner", "ready")

    def __init__(
        self,
        home: Home,
        loop: asyncio.AbstractEventLoop,
        tls: TlsSession | None,
        accepted: Container[str],
        generation: int,
    ) -> None:
        super().__init__(loop, tls, accepted)
        self._home = home
        self._buffer = b""
        self._reader: BodyReader | None = None
        self._head: ResponseHead | None = None
        self._heads = _heads
        self._interim = 0
        self.generation = generation
        self.born_s = self.touched_s
        self.owner: Owner | None = None
        self.ready: asyncio.Future[None] = loop.create_future()

    def start(self, owner: Owner, request: bytes, bodiless: bool) -> None:
        """Sends a request's head and what there is of its body; `bodiless` says that it is HEAD."""
        self.owner = owner
        self._heads = _bodiless_heads if bodiless else _heads
        self.send(request)

    def secured(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)

    def received(self, data: bytes) -> None:
        owner = self.owner
        if owner is None:
            # An answer to nobody: whatever comes next on this connection could be taken for another's.
            self.abort()
            return
        try:
            if self._reader is None:
                self._read_head(owner, self._buffer + data if self._buffer else data)
            else:
                self._read_body(owner, self._reader, data)
        except Refused as refused:
            self._fail(owner, Failure.BAD_RESPONSE, refused.detail)

    def _read_head(self, owner: Owner, data: bytes) -> None:
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head = self._heads[data[:end]]
            if end > self._home.max_header_bytes or head.fields > self._home.max_headers:
                raise Refused(Failure.BAD_RESPONSE, "the header fields are larger or more than the limit")
            data = data[end + 4 :]
            if head.status >= 200:
                self._buffer = b""
                self._begin_body(owner, head, data)
                return
            self._interim += 1
            if head.status == 101:
                self._switch(owner, head, data)
                return
            if self._interim > MAX_INTERIM:
                raise Refused(Failure.BAD_RESPONSE, f"more than {MAX_INTERIM} interim responses")
            owner.interim(head)
        if len(data) > self._home.max_header_bytes:
            raise Refused(Failure.BAD_RESPONSE, "the header fields are larger than the limit")
        self._buffer = data

    def _switch(self, owner: Owner, head: ResponseHead, data: bytes) -> None:
        """The connection goes on in another protocol, if somebody asked for that."""
        self._buffer = b""
        other = owner.switched(head)
        if other is None:
            raise Refused(Failure.BAD_RESPONSE, "an upgrade that nobody asked for")
        from meshes.builtin.proxy.tunnel import End  # noqa: PLC0415 - loaded only where there are tunnels

        home, self.owner = self._home, None
        end = End(self._loop, self._tls, self._accepted, lambda _: home.lost(self))
        self.hand_over(end, data)
        other(end)

    def _begin_body(self, owner: Owner, head: ResponseHead, data: bytes) -> None:
        if len(data) == head.length:
            self._finish(head.keep_alive and owner.sent_all)
            owner.respond(head, data, True)
            return
        body = reader(head.length)
        payload = body.feed(data)
        if body.done:
            self._finish(head.keep_alive and owner.sent_all and not body.rest)
        else:
            self._reader, self._head = body, head
        owner.respond(head, payload, body.done, body.trailers)

    def _read_body(self, owner: Owner, body: BodyReader, data: bytes) -> None:
        payload = body.feed(data)
        if body.done:
            assert self._head is not None
            self._finish(self._head.keep_alive and owner.sent_all and not body.rest)
        owner.more(payload, body.done, body.trailers)

    def _finish(self, reusable: bool) -> None:
        """The response is complete: the connection goes back before the answer goes on, so that a client which asks again at
        once finds it."""
        self.owner = self._reader = self._head = None
        self._interim = 0
        if reusable:
            self.resume_reading()
            self._home.released(self)
        else:
            self.close()

    def ended(self, clean: bool) -> None:
        self._home.lost(self)
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("closed during the handshake"))
        owner = self.owner
        if owner is None:
            return
        if clean and self._head is not None and self._head.length == UNTIL_CLOSE:
            self.owner = None
            owner.more(b"", True)
        else:
            self._fail(owner, Failure.UPSTREAM_RESET, "")

    def _fail(self, owner: Owner, failure: Failure, detail: str) -> None:
        self.owner = None
        self.abort()
        owner.upstream_failed(failure, detail)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.owner is not None:
            self.owner.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.owner is not None:
            self.owner.resume_reading()
