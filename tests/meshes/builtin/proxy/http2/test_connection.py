"""Our side of a connection against hyper-h2's, and against what no honest peer sends."""

from collections.abc import Callable
from typing import Any

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, ResponseReceived, StreamEnded, TrailersReceived
from hpack import Encoder

from meshes.builtin.proxy.http2 import frames
from meshes.builtin.proxy.http2.connection import Away, Connection, Data, Drained, Event, Head, Reset, Trailers
from meshes.builtin.proxy.http2.fields import encode
from meshes.builtin.proxy.http2.frames import Code, ConnectionFault, frame

WINDOW = 1 << 16
HEAD = [(":method", "POST"), (":scheme", "http"), (":authority", "b"), (":path", "/x"), ("x-q", "1" * 40)]
OURS = tuple((name.encode(), value.encode()) for name, value in HEAD)
SIZES = (1, 7, 1 << 20)


def server(**more: Any) -> Connection:
    return Connection(client=False, max_header_bytes=8192, window_bytes=WINDOW, **more)


def client() -> Connection:
    return Connection(client=True, max_header_bytes=8192, window_bytes=WINDOW)


def theirs(*, is_client: bool) -> H2Connection:
    made = H2Connection(H2Configuration(client_side=is_client, header_encoding="utf-8"))
    made.initiate_connection()
    return made


def said(ours: Connection, data: bytes, size: int = 1 << 20) -> list[Event]:
    """What happens when the bytes come in pieces."""
    return [event for at in range(0, len(data), size) for event in ours.receive(data[at : at + size])]


def settle(ours: Connection, other: H2Connection) -> list[Any]:
    """Until nobody has anything to say; what the other side saw."""
    seen: list[Any] = []
    while (mine := ours.take()) or (its := other.data_to_send()):
        if mine:
            seen += other.receive_data(mine)
        if its := other.data_to_send():
            said(ours, its)
    return seen


@pytest.mark.parametrize("size", SIZES)
def test_a_request_of_hyper_h2_and_our_answer(size: int) -> None:
    ours, other = server(), theirs(is_client=True)
    other.send_headers(1, HEAD)
    other.send_data(1, b"hello")
    other.send_headers(1, [("grpc-status", "0")], end_stream=True)
    assert said(ours, other.data_to_send(), size) == [
        Head(1, OURS, end=False),
        Data(1, b"hello", end=False),
        Trailers(1, ((b"grpc-status", b"0"),)),
    ]
    ours.send_head(1, encode([(b":status", b"200"), (b"content-type", b"text/plain")]), end=False)
    ours.send_data(1, b"world", end=True, trailers=encode([(b"t", b"1")]))
    seen = settle(ours, other)
    assert [type(each) for each in seen if type(each) in (ResponseReceived, DataReceived, TrailersReceived, StreamEnded)] == [
        ResponseReceived, DataReceived, TrailersReceived, StreamEnded,
    ]  # fmt: skip
    assert not ours.streams


@pytest.mark.parametrize("size", SIZES)
def test_our_request_and_an_answer_of_hyper_h2(size: int) -> None:
    ours, other = client(), theirs(is_client=False)
    number = ours.open()
    ours.send_head(number, encode(OURS), end=False)
    ours.send_data(number, b"hello", end=True)
    seen = settle(ours, other)
    assert [type(each) for each in seen if isinstance(each, RequestReceived | DataReceived | StreamEnded)] == [
        RequestReceived, DataReceived, StreamEnded,
    ]  # fmt: skip
    other.send_headers(1, [(":status", "103"), ("link", "x")])
    other.send_headers(1, [(":status", "200")])
    other.send_data(1, b"world", end_stream=True)
    events = said(ours, other.data_to_send(), size)
    assert [event for event in events if isinstance(event, Head)][1] == Head(1, ((b":status", b"200"),), end=False)
    assert events[-1] == Data(1, b"world", end=True)
    assert not ours.streams


def test_a_body_larger_than_all_windows_goes_as_it_is_used() -> None:
    ours, other = server(), theirs(is_client=True)
    other.send_headers(1, HEAD, end_stream=True)
    said(ours, other.data_to_send())
    body = bytes(range(256)) * 1200
    ours.send_head(1, encode([(b":status", b"200")]), end=False)
    ours.send_data(1, body, end=False)
    ours.streams[1].blocked = True
    got, drained = b"", False
    while out := ours.take():
        for event in other.receive_data(out):
            if isinstance(event, DataReceived):
                got += event.data
                other.acknowledge_received_data(event.flow_controlled_length, 1)
        if Drained(1) in said(ours, other.data_to_send()):
            drained = True
            ours.send_data(1, b"", end=True)
    assert got == body
    assert drained
    assert not ours.streams


def test_what_came_may_be_followed_only_as_it_is_used() -> None:
    ours, other = server(), theirs(is_client=True)
    said(ours, other.data_to_send())
    settle(ours, other)
    other.send_headers(1, HEAD)
    assert other.local_flow_control_window(1) == WINDOW
    for _ in range(4):
        other.send_data(1, b"x" * (WINDOW // 4))
    said(ours, other.data_to_send())
    settle(ours, other)
    assert other.local_flow_control_window(1) == 0
    ours.consumed(1, WINDOW)
    settle(ours, other)
    assert other.local_flow_control_window(1) == WINDOW


def test_a_drain_takes_what_is_on_its_way_and_then_nothing() -> None:
    ours, other = server(), theirs(is_client=True)
    said(ours, other.data_to_send())
    ours.drain()
    ours.drain()
    goaway = ours.take()
    other.send_headers(1, HEAD)
    assert [type(event) for event in said(ours, other.data_to_send())] == [Head]
    ours.receive(frame(frames.PING, frames.ACK, 0, b"draining"))
    assert frames.goaway(1, 0) in ours.take()
    ours.receive(frames.headers(3, encode(OURS), end=True, most_bytes=16384))
    assert frames.reset(3, Code.REFUSED_STREAM) in ours.take()
    assert frames.goaway(frames.MOST_STREAM, 0) in goaway


def test_a_client_hears_which_of_its_streams_nobody_looked_at() -> None:
    ours = client()
    first, second = ours.open(), ours.open()
    events = ours.receive(frames.settings({}) + frames.goaway(first, 0))
    assert events == [Away(0), Reset(second, Code.REFUSED_STREAM)]
    assert ours.away


def test_streams_beyond_the_limit_are_refused_and_the_rest_goes_on() -> None:
    ours = server(max_streams=1)
    ours.receive(frames.PREFACE + frames.settings({}) + frames.headers(1, encode(OURS), end=False, most_bytes=16384))
    assert ours.receive(frames.headers(3, encode(OURS), end=True, most_bytes=16384)) == []
    assert ours.take().endswith(frames.reset(3, Code.REFUSED_STREAM))
    assert list(ours.streams) == [1]


def opened() -> Connection:
    ours = server()
    ours.receive(frames.PREFACE + frames.settings({}) + frames.headers(1, encode(OURS), end=False, most_bytes=16384))
    return ours


def bomb() -> bytes:
    """A block that says a long field once and then, a byte each, thirty times more."""
    encoder = Encoder()
    return bytes(encoder.encode([("x", "y" * 3000)] + [("x", "y" * 3000)] * 30, huffman=False))


BLOCK = encode(OURS)
WRONG: dict[str, tuple[Callable[[], bytes], Code]] = {
    "DATA in stream 0": (lambda: frame(frames.DATA, 0, 0, b"x"), Code.PROTOCOL_ERROR),
    "DATA in an idle stream": (lambda: frame(frames.DATA, 0, 5, b"x"), Code.PROTOCOL_ERROR),
    "HEADERS in stream 0": (lambda: frame(frames.HEADERS, 4, 0, BLOCK), Code.PROTOCOL_ERROR),
    "HEADERS in an even stream": (lambda: frame(frames.HEADERS, 4, 2, BLOCK), Code.PROTOCOL_ERROR),
    "a block that isn't continued": (lambda: frame(frames.HEADERS, 0, 3, BLOCK) + frame(frames.PING, 0, 0, b"8" * 8), Code.PROTOCOL_ERROR),
    "a block continued in another stream": (lambda: frame(frames.HEADERS, 0, 3, BLOCK) + frame(frames.CONTINUATION, 4, 5), Code.PROTOCOL_ERROR),
    "CONTINUATION of nothing": (lambda: frame(frames.CONTINUATION, 4, 1, BLOCK), Code.PROTOCOL_ERROR),
    "CONTINUATION without end": (lambda: frame(frames.HEADERS, 0, 3, b"") + frame(frames.CONTINUATION, 0, 3) * 20, Code.ENHANCE_YOUR_CALM),
    "a huge block": (lambda: frame(frames.HEADERS, 0, 3, b"x" * 9000) + frame(frames.CONTINUATION, 4, 3), Code.ENHANCE_YOUR_CALM),
    "a block of nonsense": (lambda: frame(frames.HEADERS, 4, 3, b"\xff\xff\xff\xff\xff"), Code.COMPRESSION_ERROR),
    "a bomb of fields": (lambda: frame(frames.HEADERS, 4, 3, bomb()), Code.ENHANCE_YOUR_CALM),
    "a long frame": (lambda: frame(frames.DATA, 0, 1, b"x" * 16385), Code.FRAME_SIZE_ERROR),
    "padding beyond the frame": (lambda: frame(frames.DATA, frames.PADDED, 1, b"\x05abc"), Code.PROTOCOL_ERROR),
    "a short PING": (lambda: frame(frames.PING, 0, 0, b"1"), Code.FRAME_SIZE_ERROR),
    "PING in a stream": (lambda: frame(frames.PING, 0, 1, b"1" * 8), Code.PROTOCOL_ERROR),
    "SETTINGS in a stream": (lambda: frame(frames.SETTINGS, 0, 1), Code.PROTOCOL_ERROR),
    "SETTINGS of five bytes": (lambda: frame(frames.SETTINGS, 0, 0, b"12345"), Code.FRAME_SIZE_ERROR),
    "a window beyond 31 bits by SETTINGS": (lambda: frames.settings({frames.INITIAL_WINDOW_SIZE: 1 << 31}), Code.FLOW_CONTROL_ERROR),
    "push switched to 2": (lambda: frames.settings({frames.ENABLE_PUSH: 2}), Code.PROTOCOL_ERROR),
    "a frame size of 1": (lambda: frames.settings({frames.MAX_FRAME_SIZE: 1}), Code.PROTOCOL_ERROR),
    "WINDOW_UPDATE of 0": (lambda: frames.window_update(0, 0), Code.PROTOCOL_ERROR),
    "a window beyond 31 bits": (lambda: frames.window_update(0, frames.MOST_WINDOW), Code.FLOW_CONTROL_ERROR),
    "WINDOW_UPDATE of an idle stream": (lambda: frames.window_update(9, 1), Code.PROTOCOL_ERROR),
    "RST_STREAM of an idle stream": (lambda: frames.reset(9, 8), Code.PROTOCOL_ERROR),
    "PUSH_PROMISE": (lambda: frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), Code.PROTOCOL_ERROR),
    "GOAWAY in a stream": (lambda: frame(frames.GOAWAY, 0, 1, b"\0" * 8), Code.PROTOCOL_ERROR),
    "a flood of PING": (lambda: frame(frames.PING, 0, 0, b"8" * 8) * 1100, Code.ENHANCE_YOUR_CALM),
    "a flood of SETTINGS": (lambda: frames.settings({}) * 1100, Code.ENHANCE_YOUR_CALM),
    "a flood of empty DATA": (lambda: frame(frames.DATA, 0, 1) * 1100, Code.ENHANCE_YOUR_CALM),
    "a flood of PRIORITY": (lambda: frame(frames.PRIORITY, 0, 1, b"12345") * 1100, Code.ENHANCE_YOUR_CALM),
    "a flood of unknown frames": (lambda: frame(77, 0, 0) * 1100, Code.ENHANCE_YOUR_CALM),
    "rapid reset": (
        lambda: b"".join(
            frames.headers(n, BLOCK, end=True, most_bytes=16384) + frames.reset(n, 8) for n in range(3, 803, 2)
        ),
        Code.ENHANCE_YOUR_CALM,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("made", "code"), WRONG.values(), ids=WRONG)
@pytest.mark.parametrize("size", [13, 1 << 20])
def test_what_ends_a_connection(made: Callable[[], bytes], code: Code, size: int) -> None:
    ours = opened()
    with pytest.raises(ConnectionFault) as ended:
        said(ours, made(), size)
    assert ended.value.code == code
    assert frame(frames.GOAWAY, 0, 0)[3:4] in ours.take()


RESETS: dict[str, tuple[bytes, Code]] = {
    "trailers that don't end": (frame(frames.HEADERS, 4, 1, BLOCK), Code.PROTOCOL_ERROR),
    "a window beyond 31 bits": (frames.window_update(1, frames.MOST_WINDOW), Code.FLOW_CONTROL_ERROR),
    "a window of nothing more": (frames.window_update(1, 0), Code.PROTOCOL_ERROR),
    "more than was stated": (frame(frames.DATA, 0, 1, b"123456"), Code.PROTOCOL_ERROR),
    "less than was stated": (frame(frames.DATA, 1, 1, b"123"), Code.PROTOCOL_ERROR),
    "DATA beyond the window": (frame(frames.DATA, 0, 1, b"x" * 16384) * 5, Code.FLOW_CONTROL_ERROR),
}


@pytest.mark.parametrize(("data", "code"), RESETS.values(), ids=RESETS)
def test_what_ends_one_stream(data: bytes, code: Code) -> None:
    ours = opened()
    if "window" not in str(code) and code == Code.PROTOCOL_ERROR and data[3] == frames.DATA:
        ours.expect(1, 5)
    events = ours.receive(data)
    assert events[-1] == Reset(1, code)
    assert frames.reset(1, code) in ours.take()
    assert not ours.streams
    later = frames.headers(3, BLOCK, end=True, most_bytes=16384)
    assert ours.receive(later) == [Head(3, OURS, end=True)]


@pytest.mark.parametrize("data", [b"GET / HTTP/1.1\r\n\r\n", frames.PREFACE[:10] + b"x"])
def test_a_connection_begins_with_the_preface(data: bytes) -> None:
    with pytest.raises(ConnectionFault):
        server().receive(data)


def test_settings_come_first() -> None:
    with pytest.raises(ConnectionFault):
        server().receive(frames.PREFACE + frame(frames.PING, 0, 0, b"8" * 8))
