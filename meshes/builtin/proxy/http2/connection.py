"""One side of an HTTP/2 connection (RFC 9113): bytes in, events out; commands in, bytes out. Opens nothing, knows no HTTP message.

`receive` gives what the peer did; what has to be answered by protocol alone (acknowledgements, resets, windows) waits with what commands
made in `take`. A ConnectionFault ends the connection: `take` then has the GOAWAY. Server push is refused, priorities are passed over.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from meshes.builtin.proxy.http2 import frames
from meshes.builtin.proxy.http2.fields import Field, FieldReader
from meshes.builtin.proxy.http2.frames import Code, ConnectionFault, Frame
from meshes.builtin.proxy.http2.streams import Patience, Stream, StreamFault

MOST_CONTINUATIONS: Final = 16
CONNECTION_WINDOWS: Final = 4
"""A connection takes so many streams' windows before somebody has used what came."""


class Head(NamedTuple):
    """A head came: a request's, a response's (interim ones too); `end` if no body follows."""

    stream: int
    fields: tuple[Field, ...]
    end: bool


class Data(NamedTuple):
    """A piece of a body; say `consumed(stream, len(payload))` when there is room for more."""

    stream: int
    payload: bytes
    end: bool


class Trailers(NamedTuple):
    """The stream's end, with fields."""

    stream: int
    fields: tuple[Field, ...]


class Reset(NamedTuple):
    """The stream is over before its end, by the peer or by us for the peer's fault."""

    stream: int
    code: int


class Drained(NamedTuple):
    """Everything that waited for a window in a `blocked` stream was sent, and its end is still to come."""

    stream: int


class Away(NamedTuple):
    """The peer wants no new streams."""

    code: int


Event = Head | Data | Trailers | Reset | Drained | Away


class Connection:
    """`streams` are those that aren't over, by number; `settled` once the peer's first SETTINGS are here. `away` is true once either side
    wants no new streams."""

    def __init__(self, *, client: bool, max_header_bytes: int, window_bytes: int, max_streams: int = 100) -> None:
        self.streams: dict[int, Stream] = {}
        self.away = False
        self.peer_streams = max_streams
        self._client = client
        self._max_header_bytes = max_header_bytes
        self._window_bytes = min(window_bytes, frames.MOST_WINDOW)
        self._max_streams = max_streams
        self._preface = b"" if client else frames.PREFACE
        self._reader = frames.FrameReader()
        self._fields = FieldReader(2 * max_header_bytes)
        self._patience = Patience()
        self.settled = False
        self._last = 0
        self._next = 1
        self._draining = False
        self._window = frames.DEFAULT_WINDOW
        self._room = self._window_bytes * CONNECTION_WINDOWS
        self._used = 0
        self._peer_window = frames.DEFAULT_WINDOW
        self._peer_frame = frames.FRAME_BYTES
        self._block: list[bytes] = []
        self._block_frame: Frame | None = None
        self._events: list[Event] = []
        self._out: list[bytes] = [self._greeting()]
        self._on: dict[int, Callable[[Frame], None]] = {
            frames.DATA: self._data,
            frames.HEADERS: self._headers,
            frames.PRIORITY: lambda _: self._patience.spend("PRIORITY"),
            frames.RST_STREAM: self._reset,
            frames.SETTINGS: self._settings,
            frames.PUSH_PROMISE: self._pushed,
            frames.PING: self._ping,
            frames.GOAWAY: self._goaway,
            frames.WINDOW_UPDATE: self._window_update,
            frames.CONTINUATION: self._stray,
        }

    def _greeting(self) -> bytes:
        """No table, so that header blocks can be remembered; large windows, so that bodies don't wait for round trips."""
        ours = {
            frames.HEADER_TABLE_SIZE: 0,
            frames.INITIAL_WINDOW_SIZE: self._window_bytes,
            frames.MAX_HEADER_LIST_SIZE: self._max_header_bytes,
        }
        ours |= {frames.ENABLE_PUSH: 0} if self._client else {frames.MAX_CONCURRENT_STREAMS: self._max_streams}
        more = self._room - frames.DEFAULT_WINDOW
        preface = frames.PREFACE if self._client else b""
        return preface + frames.settings(ours) + (frames.window_update(0, more) if more > 0 else b"")

    def take(self) -> bytes:
        """What has to be sent now."""
        out, self._out = self._out, []
        return b"".join(out)

    # what the peer does

    def receive(self, data: bytes) -> list[Event]:
        """What happened, in order. ConnectionFault ends the connection, after what happened before it is lost with it."""
        self._events = []
        try:
            for each in self._reader.feed(self._without_preface(data)):
                self._receive(each)
        except ConnectionFault as fault:
            self._out.append(frames.goaway(self._last, fault.code, fault.detail.encode()[:200]))
            raise
        return self._events

    def _without_preface(self, data: bytes) -> bytes:
        wanted = self._preface
        if not wanted:
            return data
        seen = data[: len(wanted)]
        if not wanted.startswith(seen):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "the connection doesn't begin as HTTP/2 does")
        self._preface = wanted[len(seen) :]
        return data[len(seen) :]

    def _receive(self, each: Frame) -> None:
        first = self._block_frame
        if first is None and not self.settled and each.kind != frames.SETTINGS:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "the first frame is not SETTINGS")
        try:
            if first is not None:
                self._continue_block(first, each)
            elif (handle := self._on.get(each.kind)) is not None:
                handle(each)
            else:
                self._patience.spend("of unknown kind")
        except StreamFault as fault:
            self._events = [event for event in self._events if getattr(event, "stream", 0) != each.stream]
            self._patience.reset()
            self.reset(each.stream, fault.code)
            self._events.append(Reset(each.stream, fault.code))

    def _headers(self, each: Frame) -> None:
        if not each.stream or (not self._client and not each.stream & 1):
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"HEADERS in stream {each.stream}")
        if each.flags & frames.END_HEADERS:
            self._whole_block(each, each.payload)
        else:
            self._block_frame, self._block = each, [each.payload]

    def _continue_block(self, first: Frame, each: Frame) -> None:
        if each.kind != frames.CONTINUATION or each.stream != first.stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "a header block was begun and isn't continued")
        self._block.append(each.payload)
        if len(self._block) > MOST_CONTINUATIONS or sum(map(len, self._block)) > self._max_header_bytes:
            raise ConnectionFault(
                Code.ENHANCE_YOUR_CALM, f"a header block of more than {self._max_header_bytes} bytes or many pieces"
            )
        if each.flags & frames.END_HEADERS:
            self._block_frame = None
            self._whole_block(first, b"".join(self._block))

    def _whole_block(self, first: Frame, block: bytes) -> None:
        """Read in any case, since the peer's table goes on."""
        fields = self._fields.read(block)
        end, number = bool(first.flags & frames.END_STREAM), first.stream
        stream = self.streams.get(number)
        if stream is not None:
            self._more_fields(stream, fields, end)
        elif self._client or number <= self._last:
            if self._client and number >= self._next:
                raise ConnectionFault(Code.PROTOCOL_ERROR, f"HEADERS in stream {number}, which nobody opened")
            self._patience.spend("HEADERS of a stream that is over")
        else:
            self._open(number, fields, end)

    def _open(self, number: int, fields: tuple[Field, ...], end: bool) -> None:
        self._last = number
        self._patience.opened()
        if self._draining or len(self.streams) >= self._max_streams:
            self._patience.spend("HEADERS of a stream that is refused")
            self._out.append(frames.reset(number, Code.REFUSED_STREAM))
            return
        self._patience.earn()
        stream = self.streams[number] = Stream(number, self._peer_window, self._window_bytes)
        stream.head = True
        self._begin(stream, fields, end)

    def _more_fields(self, stream: Stream, fields: tuple[Field, ...], end: bool) -> None:
        if stream.remote_done:
            raise StreamFault(Code.STREAM_CLOSED, "HEADERS after the end")
        if not stream.head:
            interim = fields[:1] and fields[0][0] == b":status" and fields[0][1][:1] == b"1"
            if interim:
                self._patience.spend("an interim response")
            stream.head = not interim
            self._begin(stream, fields, end)
            return
        if not end:
            raise StreamFault(Code.PROTOCOL_ERROR, "trailers that don't end the stream")
        stream.took(0, end=True)
        self._events.append(Trailers(stream.id, fields))
        self._remote_done(stream)

    def _begin(self, stream: Stream, fields: tuple[Field, ...], end: bool) -> None:
        self._events.append(Head(stream.id, fields, end))
        if end:
            self._remote_done(stream)

    def _data(self, each: Frame) -> None:
        stream = self.streams.get(each.stream)
        self._room -= each.length
        if self._room < 0:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "DATA beyond the connection's window")
        end = bool(each.flags & frames.END_STREAM)
        if each.payload or end:
            self._patience.earn()
        else:
            self._patience.spend("empty DATA")
        if stream is None:
            if not self._was_open(each.stream):
                raise ConnectionFault(Code.PROTOCOL_ERROR, f"DATA in stream {each.stream}, which nobody opened")
            self._use(each.length)
            return
        if stream.remote_done or not stream.head:
            self._use(each.length)
            raise StreamFault(Code.STREAM_CLOSED if stream.remote_done else Code.PROTOCOL_ERROR, "DATA out of place")
        stream.room -= each.length
        if stream.room < 0:
            raise StreamFault(Code.FLOW_CONTROL_ERROR, "DATA beyond the stream's window")
        if padding := each.length - len(each.payload):
            self.consumed(stream.id, padding)
        stream.took(len(each.payload), end=end)
        self._events.append(Data(stream.id, each.payload, end))
        if end:
            self._remote_done(stream)

    def _was_open(self, number: int) -> bool:
        return 0 < number < self._next and number & 1 == 1 if self._client else 0 < number <= self._last

    def _reset(self, each: Frame) -> None:
        code = frames.number("RST_STREAM", each.payload)
        if not self._was_open(each.stream):
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"RST_STREAM in stream {each.stream}, which nobody opened")
        self._patience.spend("RST_STREAM")
        stream = self.streams.pop(each.stream, None)
        if stream is None:
            return
        if not self._client:
            self._patience.reset()
        self._events.append(Reset(each.stream, code))

    def _settings(self, each: Frame) -> None:
        if each.stream or (each.flags & frames.ACK and each.payload):
            raise ConnectionFault(Code.PROTOCOL_ERROR, "SETTINGS in a stream, or with an acknowledgement")
        self._patience.spend("SETTINGS")
        self.settled = True
        if each.flags & frames.ACK:
            return
        for key, value in frames.read_settings(each.payload):
            self._set(key, value)
        self._out.append(frames.frame(frames.SETTINGS, frames.ACK, 0))
        self._flush_all()

    def _set(self, key: int, value: int) -> None:
        if key == frames.INITIAL_WINDOW_SIZE:
            more, self._peer_window = value - self._peer_window, value
            for stream in self.streams.values():
                stream.window += more
                if stream.window > frames.MOST_WINDOW:
                    raise ConnectionFault(Code.FLOW_CONTROL_ERROR, "SETTINGS make a window too large")
        elif key == frames.MAX_FRAME_SIZE:
            self._peer_frame = value
        elif key == frames.MAX_CONCURRENT_STREAMS:
            self.peer_streams = value

    def _pushed(self, each: Frame) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, f"PUSH_PROMISE in stream {each.stream}: nothing is to be pushed")

    def _stray(self, each: Frame) -> None:
        raise ConnectionFault(Code.PROTOCOL_ERROR, f"CONTINUATION in stream {each.stream} of no header block")

    def _ping(self, each: Frame) -> None:
        if each.stream or len(each.payload) != 8:
            raise ConnectionFault(Code.FRAME_SIZE_ERROR if not each.stream else Code.PROTOCOL_ERROR, "a malformed PING")
        self._patience.spend("PING")
        if not each.flags & frames.ACK:
            self._out.append(frames.frame(frames.PING, frames.ACK, 0, each.payload))
        elif self.away and not self._draining and not self._client:
            self._draining = True
            self._out.append(frames.goaway(self._last, Code.NO_ERROR))

    def _goaway(self, each: Frame) -> None:
        if each.stream:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "GOAWAY in a stream")
        self._patience.spend("GOAWAY")
        last, code = frames.read_goaway(each.payload)
        self.away = True
        self._events.append(Away(code))
        if self._client:
            for number in [number for number in self.streams if number > last]:
                del self.streams[number]
                self._events.append(Reset(number, Code.REFUSED_STREAM))

    def _window_update(self, each: Frame) -> None:
        more = frames.number("WINDOW_UPDATE", each.payload) & frames.MOST_WINDOW
        self._patience.spend("WINDOW_UPDATE")
        if not each.stream:
            self._window += more
            if not more or self._window > frames.MOST_WINDOW:
                code = Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR
                raise ConnectionFault(code, f"WINDOW_UPDATE of {more}")
            self._flush_all()
            return
        stream = self.streams.get(each.stream)
        if stream is None:
            if not self._was_open(each.stream):
                raise ConnectionFault(
                    Code.PROTOCOL_ERROR, f"WINDOW_UPDATE in stream {each.stream}, which nobody opened"
                )
            return
        stream.window += more
        if not more or stream.window > frames.MOST_WINDOW:
            raise StreamFault(Code.FLOW_CONTROL_ERROR if more else Code.PROTOCOL_ERROR, f"WINDOW_UPDATE of {more}")
        self._flush(stream)

    def _remote_done(self, stream: Stream) -> None:
        stream.remote_done = True
        if stream.local_done:
            self.streams.pop(stream.id, None)

    # what we want

    def open(self) -> int:
        """The number of a new stream of ours (a client's); there are no more once `is_spent`."""
        number, self._next = self._next, self._next + 2
        self._patience.opened()
        self.streams[number] = Stream(number, self._peer_window, self._window_bytes)
        return number

    @property
    def is_spent(self) -> bool:
        """Whether the numbers of a client have run out (§5.1.1)."""
        return self._next > frames.MOST_STREAM - 2

    def send_head(self, number: int, block: bytes, *, end: bool) -> None:
        """A head, or an interim one; nothing for a stream that is over."""
        stream = self.streams.get(number)
        if stream is None:
            return
        self._out.append(frames.headers(number, block, end=end, most_bytes=self._peer_frame))
        if end:
            self._local_done(stream)

    def send_data(self, number: int, data: bytes, *, end: bool, trailers: bytes = b"") -> None:
        """A piece of the body, as soon as windows allow; `trailers` are the block that ends the stream."""
        stream = self.streams.get(number)
        if stream is None:
            return
        if data:
            stream.put(data)
        stream.end, stream.trailers = end, trailers
        self._flush(stream)

    def expect(self, number: int, length: int) -> None:
        """The peer stated how long its body will be."""
        if number in self.streams:
            self.streams[number].left = length

    def reset(self, number: int, code: int) -> None:
        """Ends a stream now; nothing if it is over."""
        if self.streams.pop(number, None) is not None:
            self._out.append(frames.reset(number, code))

    def reset_unless_done(self, number: int) -> None:
        """The peer has said all: what of ours isn't sent is not needed (§8.1)."""
        stream = self.streams.get(number)
        if stream is not None and not stream.local_done:
            self.reset(number, Code.NO_ERROR)

    def consumed(self, number: int, size: int) -> None:
        """So much of what came in a stream was used: the peer may send as much again."""
        self._use(size)
        stream = self.streams.get(number)
        if stream is None or stream.remote_done:
            return
        stream.consumed += size
        if 2 * stream.consumed >= self._window_bytes:
            stream.room += stream.consumed
            self._out.append(frames.window_update(number, stream.consumed))
            stream.consumed = 0

    def _use(self, size: int) -> None:
        self._used += size
        if 2 * self._used >= self._window_bytes:
            self._room += self._used
            self._out.append(frames.window_update(0, self._used))
            self._used = 0

    def drain(self) -> None:
        """Wants no new streams: those that are on their way are still taken, until the peer has heard of it (§6.8)."""
        if not self.away:
            self.away = True
            self._out += [
                frames.goaway(frames.MOST_STREAM, Code.NO_ERROR),
                frames.frame(frames.PING, 0, 0, b"draining"),
            ]

    def _flush_all(self) -> None:
        for stream in list(self.streams.values()):
            if stream.pending:
                self._flush(stream)

    def _flush(self, stream: Stream) -> None:
        while stream.pending and stream.window > 0 and self._window > 0:
            piece = stream.next_piece(min(stream.window, self._window, self._peer_frame))
            self._window -= len(piece)
            self._patience.earn()
            last = stream.end and not stream.pending and not stream.trailers
            self._out.append(frames.frame(frames.DATA, frames.END_STREAM if last else 0, stream.id, piece))
            if last:
                self._local_done(stream)
                return
        if stream.pending:
            return
        if stream.blocked:
            stream.blocked = False
            self._events.append(Drained(stream.id))
        if stream.end and not stream.local_done:
            if stream.trailers:
                self._out.append(frames.headers(stream.id, stream.trailers, end=True, most_bytes=self._peer_frame))
            else:
                self._out.append(frames.frame(frames.DATA, frames.END_STREAM, stream.id))
            self._local_done(stream)

    def _local_done(self, stream: Stream) -> None:
        stream.local_done = True
        if stream.remote_done:
            self.streams.pop(stream.id, None)
