"""A client's connection of HTTP/2: each of its streams is served as a connection of HTTP/1.1 with one request would be.

So everything that is decided about requests is decided in one place, for both versions. Knows neither routes nor callees.
"""

import asyncio
import ssl
from collections.abc import Container, Sequence
from typing import cast

from meshes.builtin.proxy.body import BodyReader, chunk, last_chunk, reader
from meshes.builtin.proxy.downstream import Downstream
from meshes.builtin.proxy.downstream import Listener as Gate
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.http2.connection import Connection, Data, Drained, Event, Head, Reset, Trailers
from meshes.builtin.proxy.http2.fields import Field
from meshes.builtin.proxy.http2.frames import Code, ConnectionFault
from meshes.builtin.proxy.http2.messages import request, response_block, trailer_block, trailers
from meshes.builtin.proxy.http2.streams import StreamFault
from meshes.builtin.proxy.response import parse_response
from meshes.builtin.proxy.rules import Rules
from meshes.builtin.proxy.tls import PeerRefused, TlsSession
from meshes.builtin.proxy.wire import Wire

STREAM_BYTES = 1 << 18
"""The window of a stream: what may come before somebody has used it."""


class StreamGate:
    """What a stream asks of its listener; the connection was let in already."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    @property
    def rules(self) -> Rules:
        return self._gate.rules

    @property
    def draining(self) -> bool:
        return self._gate.draining

    def opened(self, connection: Downstream) -> bool:  # noqa: ARG002 - see the class
        return True

    def shaken(self) -> None: ...

    def tls_failed(self) -> None: ...

    def replaced(self, connection: Wire, by: Wire) -> None: ...

    def closed(self, connection: Downstream) -> None: ...

    def failed(self, failure: Failure) -> None:
        self._gate.failed(failure)


class StreamDownstream(Downstream):
    """One stream. What it is given and what it sends are messages of HTTP/1.1; `done` once its answer is whole."""

    __slots__ = ("_answer", "_carrier", "_coded_request", "_held", "_unsent", "done", "number")

    def __init__(self, carrier: "ServingConnection", gate: Gate, loop: asyncio.AbstractEventLoop, number: int) -> None:
        super().__init__(gate, loop, None, ())
        self._carrier = carrier
        self.number = number
        self._unsent = b""
        self._answer: BodyReader | None = None
        self._coded_request = False
        self._held: list[tuple[bytes, int]] = []
        self.done = False

    @property
    def peer(self) -> str:
        """The connection's."""
        return self._carrier.peer

    @property
    def source(self) -> bytes:
        """The connection's."""
        return self._carrier.source

    @property
    def is_secure(self) -> bool:
        return True

    def begin(self, head: bytes, *, coded: bool) -> None:
        """The request's head; `coded` if its body has no stated length."""
        self._coded_request = coded
        self.secured()
        self.received(head)

    def take(self, payload: bytes, *, end: bool, trailers: bytes = b"") -> None:
        """A piece of the request's body; kept while the callee takes no more, and with it the client's window. `trailers` are lines."""
        data = payload
        if self._coded_request:
            data = chunk(payload) + (last_chunk(trailers) if end else b"")
        self._held.append((data, len(payload)))
        if not self.paused:
            self._use_held()

    def limit_buffer(self, high_bytes: int) -> None: ...

    def send(self, data: bytes) -> None:
        """Of the answer: its head once it is whole, then what of its body is here."""
        if self.done:
            return
        if self._answer is None:
            data = self._begin_answer(self._unsent + data)
        if self._answer is not None and not self.done:
            self._continue_answer(self._answer, data)

    def _begin_answer(self, data: bytes) -> bytes:
        """Heads that are whole go out, interim ones too; the rest of the data."""
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head, data = data[:end], data[end + 4 :]
            bodiless = self._request is not None and self._request.bodiless
            found = parse_response(head, bodiless)
            whole = found.length == 0 and found.status >= 200
            self._carrier.answer(self.number, response_block(head), end=whole)
            if found.status >= 200:
                self._unsent = b""
                self.done = whole
                self._answer = reader(found.length)
                return data
        self._unsent = data
        return b""

    def _continue_answer(self, answer: BodyReader, data: bytes) -> None:
        payload = answer.feed(data)
        self.done = answer.done
        block = trailer_block(answer.trailers) if answer.trailers else b""
        if (payload or self.done) and not self._carrier.more(self.number, payload, end=self.done, trailers=block):
            self.pause_writing()

    def close(self) -> None:
        """Our last word on this stream; an answer that isn't whole is cut."""
        self._leave(Code.INTERNAL_ERROR)

    def half_close(self) -> None:
        """The answer is out and the request isn't all here: nobody needs the rest of it (RFC 9113 §8.1)."""
        self._leave(Code.NO_ERROR if self.done else Code.INTERNAL_ERROR)

    def abort(self) -> None:
        self._leave(Code.INTERNAL_ERROR)

    def _leave(self, code: Code) -> None:
        self._carrier.leave(self.number, code)
        self._end(clean=False)

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        if not self.paused:
            return
        self.paused = False
        self._use_held()

    def _use_held(self) -> None:
        while self._held and not self.paused:
            data, size = self._held.pop(0)
            if data:
                self.received(data)
            if size:
                self._carrier.consumed(self.number, size)

    def gone(self) -> None:
        """The client doesn't want the answer any more."""
        self._end(clean=False)


class ServingConnection(Wire):
    """The connection: frames in, frames out, and the streams that are being served."""

    __slots__ = ("_connection", "_gate", "_inside", "_stream_gate", "_streams")

    def __init__(
        self, gate: Gate, loop: asyncio.AbstractEventLoop, tls: TlsSession | None, accepted: Container[str]
    ) -> None:
        super().__init__(loop, tls, accepted)
        self._gate = gate
        self._stream_gate = cast("Gate", StreamGate(gate))
        self._connection = Connection(
            client=False, max_header_bytes=gate.rules.max_header_bytes, window_bytes=STREAM_BYTES
        )
        self._streams: dict[int, StreamDownstream] = {}
        self._inside = False

    def secured(self) -> None:
        self.limit_buffer(self._gate.rules.buffer_bytes)
        self._flush()

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:  # noqa: ARG002 - counted, the peer got its alert
        self._gate.tls_failed()

    def received(self, data: bytes) -> None:
        self.touched_s = self._loop.time()
        self._inside = True
        try:
            for event in self._connection.receive(data):
                self._handle(event)
        except ConnectionFault:
            self._inside = False
            self._flush()
            self.close()
            return
        self._inside = False
        self._flush()

    def _handle(self, event: Event) -> None:
        match event:
            case Head():
                self._begin(event)
            case Data(number, payload, end):
                if (stream := self._streams.get(number)) is not None:
                    stream.take(payload, end=end)
                else:
                    self._connection.consumed(number, len(payload))
            case Trailers(number, fields):
                if (stream := self._streams.get(number)) is not None:
                    self._trailed(stream, fields)
            case Reset(number):
                if (stream := self._streams.pop(number, None)) is not None:
                    stream.gone()
            case Drained(number):
                if (stream := self._streams.get(number)) is not None and not self.choked:
                    stream.resume_writing()

    def _trailed(self, stream: StreamDownstream, fields: Sequence[Field]) -> None:
        try:
            stream.take(b"", end=True, trailers=trailers(fields))
        except StreamFault as fault:
            self.leave(stream.number, fault.code)
            stream.gone()

    def _begin(self, head: Head) -> None:
        number = head.stream
        try:
            asked = request(head.fields, end=head.end)
        except StreamFault as fault:
            self._connection.reset(number, fault.code)
            return
        if asked.length:
            self._connection.expect(number, asked.length)
        stream = self._streams[number] = StreamDownstream(self, self._stream_gate, self._loop, number)
        stream.begin(asked.head, coded=asked.length is None)

    # what streams ask for

    def answer(self, number: int, block: bytes, *, end: bool) -> None:
        """A head of the answer."""
        self._connection.send_head(number, block, end=end)
        self._after(number, end=end)

    def more(self, number: int, payload: bytes, *, end: bool, trailers: bytes = b"") -> bool:
        """A piece of the answer's body, `trailers` a block; False if the client takes no more for now, and `resume_writing` will be told."""
        self._connection.send_data(number, payload, end=end, trailers=trailers)
        stream = self._connection.streams.get(number)
        waits = stream is not None and bool(stream.pending) and not end
        if stream is not None and waits:
            stream.blocked = True
        self._after(number, end=end)
        return not waits

    def consumed(self, number: int, size: int) -> None:
        """Room for so much more of a request."""
        self._connection.consumed(number, size)
        self._flush()

    def leave(self, number: int, code: Code) -> None:
        """The stream is over for its owner; what of it isn't over for the client is reset."""
        if self._streams.pop(number, None) is not None:
            stream = self._connection.streams.get(number)
            if stream is not None and not (stream.end and stream.remote_done):
                self._connection.reset(number, code)
            self._flush()

    def _after(self, number: int, *, end: bool) -> None:
        if end:
            self._streams.pop(number, None)
        self._flush()
        if self._connection.away and not self._streams:
            self.close()

    def _flush(self) -> None:
        if not self._inside and (out := self._connection.take()):
            self.send(out)

    # the connection's end

    def ended(self, clean: bool) -> None:  # noqa: ARG002 - streams are cut either way
        streams, self._streams = self._streams, {}
        for stream in streams.values():
            stream.gone()
        self._gate.closed(cast("Downstream", self))

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client's turn: to ask, or to take what we send."""
        return not self._streams or self.choked

    def stalled(self) -> None:
        """Nothing was asked for too long."""
        self.shut() if not self._streams else self.abort()

    def expire(self, now_s: float) -> None:  # noqa: ARG002 - GOAWAY says by itself what was not looked at
        """The connection is older than one may be."""
        self.shut()

    def shut(self) -> None:
        """No new streams; closes when those that are here are done."""
        self._connection.drain()
        self._flush()
        if not self._streams:
            self.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        for stream in self._streams.values():
            stream.pause_writing()

    def resume_writing(self) -> None:
        super().resume_writing()
        for stream in list(self._streams.values()):
            stream.resume_writing()
