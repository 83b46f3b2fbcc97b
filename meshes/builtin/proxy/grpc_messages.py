"""What gRPC says in heads and trailers: that a message is its own, how long a caller waits, how a call ended. Pure.

https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, and http-grpc-status-mapping.md beside it.
"""

import re
from collections.abc import Iterable
from typing import Final

UNKNOWN: Final = 2
DEADLINE_EXCEEDED: Final = 4
NOT_GIVEN: Final = -1

_CONTENT = re.compile(rb"content-type:[ \t]*application/grpc(?:[+;][^\r\n]*)?[ \t]*", re.IGNORECASE)
_TIMEOUT = re.compile(rb"grpc-timeout:[ \t]*([0-9]{1,8})([HMSmun])[ \t]*", re.IGNORECASE)
_STATUS = re.compile(rb"(?:\A|\r\n)grpc-status:[ \t]*([0-9]{1,3})[ \t]*(?=\r\n)", re.IGNORECASE)
_UNITS_S: Final = {b"H": 3600.0, b"M": 60.0, b"S": 1.0, b"m": 1e-3, b"u": 1e-6, b"n": 1e-9}
_BY_STATUS: Final = {400: 13, 401: 16, 403: 7, 404: 12, 429: 14, 502: 14, 503: 14, 504: 14}
_SENT_AS_IT_IS = bytes(octet for octet in range(0x20, 0x7F) if octet != 0x25)


def is_grpc(lines: Iterable[bytes]) -> bool:
    """Whether field lines say that the body is gRPC's; its relatives for browsers are HTTP like any other."""
    return any(_CONTENT.fullmatch(line) for line in lines)


def timeout_s(lines: Iterable[bytes]) -> float | None:
    """How long the caller waits for the whole call; None if it doesn't say so, or not in a way that can be read."""
    for line in lines:
        if (found := _TIMEOUT.fullmatch(line)) is not None:
            return int(found[1]) * _UNITS_S[found[2]]
    return None


def status(lines: bytes) -> int:
    """The status in the lines of a trailer section, or of the head of an answer without body; NOT_GIVEN if there is none."""
    found = _STATUS.search(lines)
    return NOT_GIVEN if found is None else int(found[1])


def status_of(http_status: int) -> int:
    """The status that stands for one of HTTP, in an answer that isn't the callee's."""
    return _BY_STATUS.get(http_status, UNKNOWN)


def answer(code: int, sentence: str, more_lines: Iterable[str]) -> bytes:
    """An answer without body: the status is in the head."""
    message = b"".join(b"%c" % octet if octet in _SENT_AS_IT_IS else b"%%%02X" % octet for octet in sentence.encode())
    lines = (
        b"HTTP/1.1 200 OK",
        b"content-type: application/grpc",
        b"grpc-status: %d" % code,
        b"grpc-message: " + message,
    )
    return b"\r\n".join((*lines, *(line.encode() for line in more_lines), b"content-length: 0", b"", b""))
