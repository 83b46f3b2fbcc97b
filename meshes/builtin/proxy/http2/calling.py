"""A connection of HTTP/2 to an endpoint: each stream carries one request as a connection of HTTP/1.1 would. Knows neither routes nor clients.

A stream takes requests as the proxy writes them, HTTP/1.1, and gives answers to its owner as `upstream` does; so whoever sends a request
need not know which of the two it has.
"""

import asyncio
import ssl
from collections.abc import Container
from typing import Protocol

from meshes.builtin.proxy.body import BodyReader, LengthReader, reader
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.http2.connection import Connection, Data, Drained, Event, Head, Reset, Trailers
from meshes.builtin.proxy.http2.frames import Code, ConnectionFault
from meshes.builtin.proxy.http2.messages import AnswerMemo, Asked, AskedMemo, trailer_block, trailers
from meshes.builtin.proxy.http2.streams import StreamFault
from meshes.builtin.proxy.tls import PeerRefused, TlsSession
from meshes.builtin.proxy.upstream import MAX_INTERIM, Owner
from meshes.builtin.proxy.wire import Wire

STREAM_BYTES = 1 << 18
"""The window of a stream: what may come before its owner has passed it on."""

_asked = {scheme: AskedMemo(scheme) for scheme in (b"http", b"https")}
_answers = {bodiless: AnswerMemo(bodiless) for bodiless in (False, True)}


class Home(Protocol):
    """Where the connection came from. `has_room` is said when a stream ended, so that another may begin."""

    @property
    def max_header_bytes(self) -> int: ...
    @property
    def max_headers(self) -> int: ...
    def has_room(self, connection: "CallingConnection") -> None: ...
    def lost(self, connection: "CallingConnection") -> None: ...


class CallingStream:
    """One request and its answer. `choked` is true while the endpoint takes less than we have for it."""

    __slots__ = ("_answers", "_body", "_carrier", "_held", "_interim", "_number", "choked", "owner", "paused")

    def __init__(self, carrier: "CallingConnection", number: int) -> None:
        self._carrier = carrier
        self._number = number
        self._body: BodyReader = LengthReader(0)
        self._answers = _answers[False]
        self._interim = 0
        self._held = 0
        self.choked = False
        self.paused = False
        self.owner: Owner | None = None

    # what the owner says

    def start(self, owner: Owner, request: bytes, bodiless: bool) -> None:
        """As `Upstream.start`."""
        self.owner = owner
        self._answers = _answers[bodiless]
        lead, _, rest = request.partition(b"\r\n\r\n")
        try:
            asked: Asked = self._carrier.asked[lead]
        except StreamFault as fault:
            self._carrier.leave(self._number, Code.CANCEL)
            self._fail(Failure.BAD_REQUEST, fault.detail)
            return
        self._body = reader(asked.length)
        whole = asked.length == 0
        self._carrier.begin(self._number, asked.block, end=whole)
        if rest and not whole:
            self.send(rest)

    def send(self, data: bytes) -> None:
        """More of the request's body, framed as HTTP/1.1 frames it."""
        body = self._body
        payload = body.feed(data)
        block = trailer_block(body.trailers) if body.trailers else b""
        if self._carrier.more(self._number, payload, end=body.done, trailers=block):
            return
        self.choked = True
        if self.owner is not None:
            self.owner.pause_reading()

    def abort(self) -> None:
        """Nobody wants the answer any more."""
        self.owner = None
        self._carrier.leave(self._number, Code.CANCEL)

    def pause_reading(self) -> None:
        """The endpoint may send what its window allows, and no more."""
        self.paused = True

    def resume_reading(self) -> None:
        """What was held back counts as used."""
        self.paused = False
        if self._held:
            held, self._held = self._held, 0
            self._carrier.consumed(self._number, held)

    # what the endpoint says

    def answered(self, event: Head) -> None:
        """A head: the answer's, or an interim one."""
        owner = self.owner
        if owner is None:
            return
        head = self._answers.read(event)
        if head.status >= 200:
            if event.end:
                self.owner = None
            owner.respond(head, b"", event.end)
            return
        self._interim += 1
        if event.end or self._interim > MAX_INTERIM:
            raise StreamFault(Code.PROTOCOL_ERROR, "an interim answer that is the last one, or too many of them")
        owner.interim(head)

    def more(self, payload: bytes, *, end: bool) -> None:
        """Of the answer's body."""
        owner = self.owner
        if end:
            self.owner = None
        if owner is not None:
            owner.more(payload, end)
        if self.paused and not end:
            self._held += len(payload)
        else:
            self._carrier.consumed(self._number, len(payload))

    def trailed(self, event: Trailers) -> None:
        """The answer's end, with fields."""
        lines = trailers(event.fields)
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.more(b"", True, lines)

    def drained(self) -> None:
        """The endpoint has taken what there was."""
        self.choked = False
        if self.owner is not None:
            self.owner.resume_reading()

    def cut(self, failure: Failure, detail: str) -> None:
        """There will be no answer, or no more of it."""
        self._fail(failure, detail)

    def _fail(self, failure: Failure, detail: str) -> None:
        owner, self.owner = self.owner, None
        if owner is not None:
            owner.upstream_failed(failure, detail)


class CallingConnection(Wire):
    """`ready` is done when the peer has said how many requests it takes at once, or holds why there will be none. `generation` is that of our certificate in it; `retired` once it gets no
    new requests."""

    __slots__ = (
        "_connection",
        "_flushing",
        "_home",
        "_inside",
        "_streams",
        "asked",
        "born_s",
        "generation",
        "ready",
        "retired",
    )

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
        self._connection = Connection(client=True, max_header_bytes=home.max_header_bytes, window_bytes=STREAM_BYTES)
        self._streams: dict[int, CallingStream] = {}
        self._inside = False
        self._flushing = False
        self.asked = _asked[b"http" if tls is None else b"https"]
        self.generation = generation
        self.born_s = self.touched_s
        self.retired = False
        self.ready: asyncio.Future[None] = loop.create_future()

    # the connection

    def secured(self) -> None:
        if self._tls is not None and self._tls.protocol != "h2":
            self.insecure(PeerRefused("it doesn't speak HTTP/2 (ALPN h2)"))
            self.close()
            return
        self.flush()

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)

    def received(self, data: bytes) -> None:
        self.touched_s = self._loop.time()
        self._inside = True
        try:
            for event in self._connection.receive(data):
                self._handle(event)
        except ConnectionFault as fault:
            self._inside = False
            self.flush()
            self._cut_all(Failure.BAD_RESPONSE, fault.detail)
            self.close()
            return
        self._inside = False
        self.flush()
        if self._connection.settled and not self.ready.done():
            self.ready.set_result(None)
        if self.retired and not self._streams:
            self.close()

    def _handle(self, event: Event) -> None:
        number = getattr(event, "stream", 0)
        stream = self._streams.get(number)
        if stream is None:
            if isinstance(event, Data):
                self._connection.consumed(number, len(event.payload))
            elif number == 0:
                self.retired = True  # the peer goes away: Away is the only event without a stream
            return
        try:
            self._tell(stream, event)
        except (StreamFault, Refused) as fault:
            self.leave(number, Code.PROTOCOL_ERROR)
            stream.cut(Failure.BAD_RESPONSE, fault.detail)

    def _tell(self, stream: CallingStream, event: Event) -> None:
        match event:
            case Head(number, fields, end):
                if len(fields) > self._home.max_headers:
                    raise Refused(Failure.BAD_RESPONSE, "the header fields are more than the limit")
                if end:
                    self._answered(number)
                stream.answered(event)
            case Data(number, payload, end):
                if end:
                    self._answered(number)
                stream.more(payload, end=end)
            case Trailers(number):
                self._answered(number)
                stream.trailed(event)
            case Reset(number, code):
                self._answered(number)
                refused = code == Code.REFUSED_STREAM
                stream.cut(Failure.STREAM_REFUSED if refused else Failure.UPSTREAM_RESET, _name(code))
            case Drained():
                stream.drained()

    def _answered(self, number: int) -> None:
        """The answer is complete: the request, if it isn't, is of no use to anybody."""
        self._streams.pop(number, None)
        self._connection.reset_unless_done(number)
        self._home.has_room(self)

    def ended(self, clean: bool) -> None:  # noqa: ARG002 - streams are cut either way
        self.retired = True
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("closed during the handshake"))
        self._home.lost(self)
        self._cut_all(Failure.UPSTREAM_RESET, "")

    def _cut_all(self, failure: Failure, detail: str) -> None:
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.cut(failure, detail)

    def retire(self) -> None:
        """Gets no new requests; closes when those that are here are done."""
        self.retired = True
        if not self._streams:
            self.close()

    @property
    def streams(self) -> int:
        """Requests on it."""
        return len(self._streams)

    @property
    def room(self) -> int:
        """Requests that it could take beside those that are on it."""
        if self.retired or self._connection.away or self._connection.is_spent:
            return 0
        return max(0, self._connection.peer_streams - len(self._streams))

    # what streams ask for

    def stream(self) -> CallingStream:
        """A new one; only where there is `room`."""
        number = self._connection.open()
        stream = self._streams[number] = CallingStream(self, number)
        return stream

    def begin(self, number: int, block: bytes, *, end: bool) -> None:
        """A request's head."""
        self._connection.send_head(number, block, end=end)
        self._flush_soon()

    def more(self, number: int, payload: bytes, *, end: bool, trailers: bytes) -> bool:
        """Of a request's body; False if the endpoint takes no more for now, and `drained` will be told."""
        self._connection.send_data(number, payload, end=end, trailers=trailers)
        stream = self._connection.streams.get(number)
        waits = stream is not None and bool(stream.pending) and not end
        if stream is not None and waits:
            stream.blocked = True
        self._flush_soon()
        return not waits

    def consumed(self, number: int, size: int) -> None:
        """Room for so much more of an answer."""
        self._connection.consumed(number, size)
        self._flush_soon()

    def leave(self, number: int, code: Code) -> None:
        """Nobody wants the stream any more."""
        if self._streams.pop(number, None) is not None:
            self._connection.reset(number, code)
            self._flush_soon()
            self._home.has_room(self)
            if self.retired and not self._streams:
                self.close()

    def _flush_soon(self) -> None:
        """What several streams have to say goes out at once."""
        if not self._inside and not self._flushing:
            self._flushing = True
            self._loop.call_soon(self.flush)

    def flush(self) -> None:
        """Sends what there is."""
        self._flushing = False
        if out := self._connection.take():
            self.send(out)

    def pause_writing(self) -> None:
        super().pause_writing()
        for stream in self._streams.values():
            if stream.owner is not None:
                stream.owner.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        for stream in list(self._streams.values()):
            if not stream.choked and stream.owner is not None:
                stream.owner.resume_reading()


def _name(code: int) -> str:
    return Code(code).name if code in Code._value2member_map_ else f"code {code}"
