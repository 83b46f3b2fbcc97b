"""An HTTP/1.1 response, from bytes: where it ends and whether the connection may be used again (RFC 9112). Opens no socket.

Bodies are counted off, not kept. Framing that two readers could understand differently is refused, never guessed.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

MAX_HEAD_BYTES = 64 * 1024
MAX_LINE_BYTES = 4096
"""Limit of a chunk's size line with its extensions."""

CHUNKED = -1
UNTIL_CLOSE = -2

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5]\d\d)(?: [^\r\n\0]*)?")
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n\0]*)?")
_DIGITS = re.compile(rb"\d{1,18}")


class ResponseError(ValueError):
    """The bytes are no HTTP/1.1 response, or one whose end can't be told."""


class Head(NamedTuple):
    """What a response's head says: `length` is the body's bytes, CHUNKED or UNTIL_CLOSE."""

    status: int
    length: int
    keep_alive: bool


@lru_cache(maxsize=512)
def parse_head(data: bytes, bodiless: bool = False) -> Head:
    """The head without its final empty line; `bodiless` says that the request was a HEAD. ResponseError if malformed.

    A server repeats its heads but for a date that changes once a second: so the strict parse is remembered.
    """
    first, *lines = data.split(b"\r\n")
    match = _STATUS_LINE.fullmatch(first)
    if match is None:
        raise ResponseError(f"status line {first[:60]!r} is not 'HTTP/1.1 <status>'")
    status, fields = int(match[2]), _framing_fields(lines)
    length = _body_length(fields, bodiless or status < 200 or status in (204, 304), old=match[1] == b"0")
    options = {option.strip() for option in b",".join(fields[b"connection"]).lower().split(b",")}
    persistent = b"close" not in options and (match[1] == b"1" or b"keep-alive" in options)
    return Head(status, length, persistent and length != UNTIL_CLOSE)


def _framing_fields(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    fields: dict[bytes, list[bytes]] = {b"content-length": [], b"transfer-encoding": [], b"connection": []}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise ResponseError(f"header line {line[:60]!r} is not 'name: value'")
        if (name := match[1].lower()) in fields:
            fields[name].append(match[2])
    return fields


def _body_length(fields: dict[bytes, list[bytes]], bodiless: bool, old: bool) -> int:
    codings, lengths = fields[b"transfer-encoding"], fields[b"content-length"]
    if bodiless:
        return 0
    if codings:
        if lengths or old or [coding.lower() for coding in codings] != [b"chunked"]:
            raise ResponseError(
                f"transfer-encoding {b', '.join(codings)[:60]!r}: allowed is chunked, alone, without length"
            )
        return CHUNKED
    if not lengths:
        return UNTIL_CLOSE
    if len(set(lengths)) != 1 or not _DIGITS.fullmatch(lengths[0]):
        raise ResponseError(f"content-length {b', '.join(lengths)[:60]!r}: allowed is one whole number")
    return int(lengths[0])


class ResponseParser:
    """Reads one response after the other from a connection with one request in flight.

    After ResponseError the connection is of no more use.
    """

    __slots__ = ("_bodiless", "_buffer", "_fresh", "_head", "_left", "_read")

    def __init__(self, bodiless: bool = False) -> None:
        self._bodiless = bodiless
        self._reset()

    def _reset(self) -> None:
        self._fresh = True
        self._buffer = bytearray()
        self._head: Head | None = None
        self._left = 0
        self._read: Callable[[], bool] | None = self._read_head

    def feed(self, data: bytes) -> Head | None:
        """The head of the final response as soon as its last byte is here, else None. Interim responses (1xx) are passed over.

        Bytes after the end are nobody's answer: they take `keep_alive` away.
        """
        if self._fresh:
            end = data.find(b"\r\n\r\n")
            if end > 0:
                head = parse_head(data[:end], self._bodiless)
                if len(data) - end - 4 == head.length and head.status >= 200:
                    return head
        return self._feed_part(data)

    def eof(self) -> Head | None:
        """The server closed: the head if that ends the response properly, else None."""
        return self._head if self._read == self._read_rest else None

    def _feed_part(self, data: bytes) -> Head | None:
        self._fresh = False
        self._buffer += data
        while self._read is not None:
            if not self._read():
                return None
        head, excess = self._head, bool(self._buffer)
        self._reset()
        assert head is not None
        return head._replace(keep_alive=False) if excess else head

    # Each reader takes what it can from the buffer and says whether it got what it wanted; `_read` is then the next one,
    # None at the end of the response.

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_HEAD_BYTES:
                raise ResponseError(f"the head is longer than {MAX_HEAD_BYTES} bytes")
            return False
        head = parse_head(bytes(self._buffer[:end]), self._bodiless)
        del self._buffer[: end + 4]
        if head.status == 101:
            raise ResponseError("status 101 without an upgrade asked for")
        if head.status >= 200:
            self._head, self._left, self._read = head, head.length, self._body_reader(head.length)
        return True

    def _body_reader(self, length: int) -> Callable[[], bool] | None:
        if length == CHUNKED:
            return self._read_chunk_size
        if length == UNTIL_CLOSE:
            return self._read_rest
        return self._read_body if length else None

    def _read_body(self) -> bool:
        return self._count_off(None)

    def _read_rest(self) -> bool:
        self._buffer.clear()
        return False

    def _read_chunk_size(self) -> bool:
        line = self._line(MAX_LINE_BYTES)
        if line is None:
            return False
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise ResponseError(f"chunk size {line[:60]!r} is not a hexadecimal number")
        self._left = int(match[1], 16)
        self._read = self._read_chunk if self._left else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        return self._count_off(self._read_chunk_end)

    def _read_chunk_end(self) -> bool:
        line = self._line(MAX_LINE_BYTES)
        if line:
            raise ResponseError(f"{line[:60]!r} after a chunk instead of its line end")
        if line is None:
            return False
        self._read = self._read_chunk_size
        return True

    def _read_trailer(self) -> bool:
        line = self._line(MAX_HEAD_BYTES)
        if line and not _HEADER.fullmatch(line):
            raise ResponseError(f"trailer line {line[:60]!r} is not 'name: value'")
        if line == b"":
            self._read = None
        return line is not None

    def _count_off(self, then: Callable[[], bool] | None) -> bool:
        taken = min(self._left, len(self._buffer))
        del self._buffer[:taken]
        self._left -= taken
        if self._left:
            return False
        self._read = then
        return True

    def _line(self, limit: int) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > limit or (end < 0 and len(self._buffer) > limit):
            raise ResponseError(f"a line is longer than {limit} bytes")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line
