"""Bodies: payload out of framed bytes and back (RFC 9112 §7). Pure; nothing is kept but an unfinished line and trailers.

A reader is fed what arrived and gives the payload in it; when it is `done`, `rest` holds the bytes that came after the body, and
`trailers` the lines of its trailer section, each with its end.
"""

import re
from typing import Final, Protocol

from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.fields import CHUNKED, UNTIL_CLOSE, read_trailer

LAST_CHUNK = b"0\r\n\r\n"
MAX_CHUNK_LINE_BYTES = 256
"""A size line with its extensions; they mean nothing to anybody (and are dropped), so there is no need for more."""
MAX_TRAILER_BYTES = 8192

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")


class BodyReader(Protocol):
    """Payload out of the bytes of one body."""

    done: bool
    rest: bytes
    trailers: bytes

    def feed(self, data: bytes) -> bytes: ...


class LengthReader:
    """Counts off a body whose length was stated."""

    __slots__ = ("_left", "done", "rest", "trailers")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.rest = self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`."""
        size = len(data)
        if size < self._left:
            self._left -= size
            return data
        self.done = True
        if size == self._left:
            return data
        self.rest = data[self._left :]
        return data[: self._left]


class RestReader:
    """A body that ends with its connection: everything is payload."""

    __slots__ = ("done", "rest", "trailers")

    def __init__(self) -> None:
        self.done = False
        self.rest = self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`: all of it."""
        return data


_SIZE: Final = 0
_DATA: Final = 1
_DATA_END: Final = 2
_TRAILER: Final = 3


class ChunkedReader:
    """Decodes the chunked coding strictly: lines end in CRLF, sizes are hexadecimal, trailers are checked."""

    __slots__ = ("_left", "_line", "_state", "_trailer_bytes", "done", "rest", "trailers")

    def __init__(self) -> None:
        self._line = b""
        self._left = 0
        self._state = _SIZE
        self._trailer_bytes = 0
        self.done = False
        self.rest = self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        """The payload in `data`; Refused if the coding is broken."""
        data = self._line + data if self._line else data
        self._line = b""
        at, size, payload = 0, len(data), []
        while not self.done:
            if self._state == _DATA:
                taken = min(self._left, size - at)
                payload.append(data[at : at + taken])
                at += taken
                self._left -= taken
                if self._left:
                    break
                self._state = _DATA_END
            end = data.find(b"\r\n", at)
            if end < 0:
                self._keep(data[at:])
                break
            self._take_line(data[at:end])
            at = end + 2
        if self.done:
            self.rest = data[at:]
        return payload[0] if len(payload) == 1 else b"".join(payload)

    def _keep(self, line: bytes) -> None:
        """An unfinished line; refused as soon as it can't become a right one, so that nobody is made to wait for nothing."""
        limit = {_SIZE: MAX_CHUNK_LINE_BYTES, _DATA_END: 1, _TRAILER: MAX_TRAILER_BYTES}[self._state]
        if (
            len(line) > limit
            or b"\n" in line
            or b"\r" in line[:-1]
            or (self._state == _DATA_END and line not in (b"", b"\r"))
        ):
            raise Refused(Failure.BAD_REQUEST, "chunk: a line is too long or has a CR or LF on its own")
        self._line = line

    def _take_line(self, line: bytes) -> None:
        if self._state == _SIZE:
            match = _SIZE_LINE.fullmatch(line) if len(line) <= MAX_CHUNK_LINE_BYTES else None
            if match is None:
                raise Refused(Failure.BAD_REQUEST, f"chunk size {line[:60]!r} is not a hexadecimal number")
            self._left = int(match[1], 16)
            self._state = _DATA if self._left else _TRAILER
        elif self._state == _DATA_END:
            if line:
                raise Refused(Failure.BAD_REQUEST, f"{line[:60]!r} after a chunk instead of its line end")
            self._state = _SIZE
        elif line:
            self._trailer_bytes += len(line) + 2
            if self._trailer_bytes > MAX_TRAILER_BYTES:
                raise Refused(Failure.HEAD_TOO_LARGE, "trailer section")
            self.trailers += read_trailer(line)
        else:
            self.done = True


def reader(length: int) -> BodyReader:
    """The reader for a length as heads state it: bytes, CHUNKED or UNTIL_CLOSE."""
    if length == CHUNKED:
        return ChunkedReader()
    return RestReader() if length == UNTIL_CLOSE else LengthReader(length)


def chunk(payload: bytes) -> bytes:
    """Payload as one chunk; nothing for nothing, since an empty chunk would be the last one."""
    return b"%x\r\n%b\r\n" % (len(payload), payload) if payload else b""


def last_chunk(trailers: bytes) -> bytes:
    """The end of a chunked body, with the lines of its trailer section."""
    return b"0\r\n%b\r\n" % trailers
