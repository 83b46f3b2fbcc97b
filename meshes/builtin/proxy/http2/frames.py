"""Frames of HTTP/2 (RFC 9113 §4, §6) as bytes: written, and cut out of what arrives. Pure; knows no stream and no header field."""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

END_STREAM: Final = 0x1
ACK: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
PRIORITISED: Final = 0x20

HEADER_TABLE_SIZE: Final = 1
ENABLE_PUSH: Final = 2
MAX_CONCURRENT_STREAMS: Final = 3
INITIAL_WINDOW_SIZE: Final = 4
MAX_FRAME_SIZE: Final = 5
MAX_HEADER_LIST_SIZE: Final = 6

HEAD_BYTES: Final = 9
FRAME_BYTES: Final = 16384
"""What every peer takes in one frame, and all that we take."""
MOST_FRAME_BYTES: Final = (1 << 24) - 1
DEFAULT_WINDOW: Final = 65535
MOST_WINDOW: Final = (1 << 31) - 1
MOST_STREAM: Final = (1 << 31) - 1

_HEAD = Struct(">BHBBL")
_SETTING = Struct(">HL")
_NUMBER = Struct(">L")
_TWO_NUMBERS = Struct(">LL")


class Code(IntEnum):
    """Why a stream or a connection ends (RFC 9113 §7)."""

    NO_ERROR = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    FLOW_CONTROL_ERROR = 3
    SETTINGS_TIMEOUT = 4
    STREAM_CLOSED = 5
    FRAME_SIZE_ERROR = 6
    REFUSED_STREAM = 7
    CANCEL = 8
    COMPRESSION_ERROR = 9
    CONNECT_ERROR = 10
    ENHANCE_YOUR_CALM = 11
    INADEQUATE_SECURITY = 12
    HTTP_1_1_REQUIRED = 13


class ConnectionFault(Exception):
    """The peer broke the protocol: the connection ends with this code."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class Frame(NamedTuple):
    """`payload` is without padding and priority; `length` is what counts against flow control, padding included."""

    kind: int
    flags: int
    stream: int
    payload: bytes
    length: int


class FrameReader:
    """Cuts frames out of bytes in any pieces; ConnectionFault for what is too long or padded beyond its end."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that are complete now."""
        if self._rest:
            data = self._rest + data
        found, at, size = [], 0, len(data)
        while size - at >= HEAD_BYTES:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            length = high << 16 | low
            if length > FRAME_BYTES:
                raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"a frame of {length} bytes: allowed are {FRAME_BYTES}")
            end = at + HEAD_BYTES + length
            if end > size:
                break
            payload = data[at + HEAD_BYTES : end]
            if flags & (PADDED | PRIORITISED) and kind in (DATA, HEADERS, PUSH_PROMISE):
                payload = _bare(kind, flags, payload)
            found.append(Frame(kind, flags, stream & MOST_STREAM, payload, length))
            at = end
        self._rest = data[at:]
        return found


def _bare(kind: int, flags: int, payload: bytes) -> bytes:
    """Without padding, and without the priority that nobody uses any more (§5.3)."""
    start, end = 0, len(payload)
    if flags & PADDED:
        if not payload or payload[0] >= end:
            raise ConnectionFault(Code.PROTOCOL_ERROR, "padding is longer than its frame")
        start, end = 1, end - payload[0]
    if flags & PRIORITISED and kind == HEADERS:
        start += 5
    if start > end:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "a HEADERS frame too short for its priority")
    return payload[start:end]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame."""
    size = len(payload)
    return _HEAD.pack(size >> 16, size & 0xFFFF, kind, flags, stream) + payload


def headers(stream: int, block: bytes, *, end: bool, most_bytes: int) -> bytes:
    """A header block as HEADERS and, if it is longer than the peer takes at once, CONTINUATION."""
    flags = END_STREAM if end else 0
    if len(block) <= most_bytes:
        return frame(HEADERS, flags | END_HEADERS, stream, block)
    parts = [block[at : at + most_bytes] for at in range(0, len(block), most_bytes)]
    last = len(parts) - 1
    first = frame(HEADERS, flags, stream, parts[0])
    return first + b"".join(
        frame(CONTINUATION, END_HEADERS if n == last else 0, stream, part) for n, part in enumerate(parts[1:], 1)
    )


def settings(pairs: dict[int, int]) -> bytes:
    """Ours, to be acknowledged."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*pair) for pair in pairs.items()))


def read_settings(payload: bytes) -> list[tuple[int, int]]:
    """The peer's, in order; ConnectionFault for a value that is not allowed (§6.5.2)."""
    if len(payload) % _SETTING.size:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"SETTINGS of {len(payload)} bytes")
    pairs = list(_SETTING.iter_unpack(payload))
    for key, value in pairs:
        if key == INITIAL_WINDOW_SIZE and value > MOST_WINDOW:
            raise ConnectionFault(Code.FLOW_CONTROL_ERROR, f"an initial window of {value}")
        if (key == ENABLE_PUSH and value > 1) or (
            key == MAX_FRAME_SIZE and not FRAME_BYTES <= value <= MOST_FRAME_BYTES
        ):
            raise ConnectionFault(Code.PROTOCOL_ERROR, f"setting {key} is {value}")
    return pairs


def reset(stream: int, code: int) -> bytes:
    """RST_STREAM."""
    return frame(RST_STREAM, 0, stream, _NUMBER.pack(code))


def goaway(last_stream: int, code: int, detail: bytes = b"") -> bytes:
    """GOAWAY: streams beyond the last one were not and will not be looked at."""
    return frame(GOAWAY, 0, 0, _TWO_NUMBERS.pack(last_stream, code) + detail)


def read_goaway(payload: bytes) -> tuple[int, int]:
    """The last stream that the peer has looked at or may still look at, and its code."""
    if len(payload) < _TWO_NUMBERS.size:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, "GOAWAY is too short")
    last, code = _TWO_NUMBERS.unpack_from(payload)
    return last & MOST_STREAM, code


def window_update(stream: int, more: int) -> bytes:
    """So many bytes more may be sent to us."""
    return frame(WINDOW_UPDATE, 0, stream, _NUMBER.pack(more))


def number(what: str, payload: bytes) -> int:
    """The one number of RST_STREAM (all 32 bits) and WINDOW_UPDATE."""
    if len(payload) != _NUMBER.size:
        raise ConnectionFault(Code.FRAME_SIZE_ERROR, f"{what} of {len(payload)} bytes")
    (found,) = _NUMBER.unpack(payload)
    return int(found)
