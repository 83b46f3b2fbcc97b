"""Field lines of a message's head (RFC 9112 §5): validated, and sorted into those that are forwarded and those that concern
this connection alone. Knows neither requests nor responses.

Dropped on the way (RFC 9110 §7.6.1): Connection and what it names, Keep-Alive, Proxy-Connection, TE, Trailer (an announcement that
nobody needs: trailers themselves go on), Transfer-Encoding (written anew), Upgrade (ignored, as §7.8 allows: protocols are not switched), and
X-Forwarded-Client-Cert, which only a sidecar may write.
"""

import re
from typing import Final, NamedTuple

from meshes.builtin.proxy.failures import Failure, Refused

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
TEXT = bytes(octet for octet in range(256) if octet == 0x09 or (octet >= 0x20 and octet != 0x7F))
"""What may stand in a line: HTAB, SP, visible ASCII and obs-text. Everything else is a line end or an attack."""

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

PLAIN: Final = 0
DROPPED: Final = 1
CONNECTION: Final = 2
LENGTH: Final = 3
CODING: Final = 4
HOST: Final = 5
EXPECT: Final = 6

_KINDS = {
    b"connection": CONNECTION,
    b"content-length": LENGTH,
    b"transfer-encoding": CODING,
    b"host": HOST,
    b"expect": EXPECT,
    b"keep-alive": DROPPED,
    b"proxy-connection": DROPPED,
    b"te": DROPPED,
    b"trailer": DROPPED,
    b"upgrade": DROPPED,
    b"x-forwarded-client-cert": DROPPED,
}
_MAX_SPELLINGS = 1024
_MAX_SPELLING_BYTES = 64


class _Spellings(dict[bytes, int]):
    """Kind by name as it is spelled: a name is checked when it is first seen. Bounded, since peers choose the names."""

    def __missing__(self, name: bytes) -> int:
        if not TOKEN.fullmatch(name):
            raise Refused(Failure.BAD_REQUEST, f"header name {name[:60]!r} has characters that are not allowed")
        kind = _KINDS.get(name.lower(), PLAIN)
        if len(self) < _MAX_SPELLINGS and len(name) <= _MAX_SPELLING_BYTES:
            self[name] = kind
        return kind


_spellings = _Spellings()


class Fields(NamedTuple):
    """What the lines say: `kept` are forwarded as they are; values have no white space around them."""

    kept: list[bytes]
    lengths: list[bytes]
    codings: list[bytes]
    options: frozenset[bytes]
    hosts: list[bytes]
    expectations: list[bytes]


_NO_OPTIONS: frozenset[bytes] = frozenset()
_PERSISTENCE = frozenset((b"close", b"keep-alive"))


def split_lines(data: bytes) -> list[bytes]:
    """The lines of a head (given without the empty line at its end); Refused for control characters and bare CR or LF."""
    lines = data.split(b"\r\n")
    if len(data.translate(None, TEXT)) != 2 * len(lines) - 2:
        raise Refused(Failure.BAD_REQUEST, "a control character, or a CR or LF on its own")
    return lines


def read_fields(lines: list[bytes]) -> Fields:
    """Sorts field lines that `split_lines` gave. Refused for names that aren't tokens: white space before the colon,
    folded lines and lines without colon are among them."""
    kept: list[bytes] = []
    values: tuple[list[bytes], ...] = ([], [], [], [], [], [], [])
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise Refused(Failure.BAD_REQUEST, f"header line {line[:60]!r} has no colon")
        kind = _spellings[name]
        if kind == PLAIN:
            kept.append(line)
            continue
        values[kind].append(value.strip(b" \t"))
        if kind in _FORWARDED:
            kept.append(line)
    options = _options(values[CONNECTION]) if values[CONNECTION] else _NO_OPTIONS
    if options - _PERSISTENCE:
        kept = [line for line in kept if line.partition(b":")[0].lower() not in options - _ESSENTIAL]
    return Fields(kept, values[LENGTH], values[CODING], options, values[HOST], values[EXPECT])


_FORWARDED = frozenset((LENGTH, HOST, EXPECT))
_ESSENTIAL = frozenset((b"content-length", b"host"))
"""Nobody can have these taken away by naming them in Connection: framing and routing stand on them."""


def _options(values: list[bytes]) -> frozenset[bytes]:
    return frozenset(option.strip(b" \t").lower() for option in b",".join(values).split(b",")) - {b""}


_DIGITS = re.compile(rb"[0-9]{1,18}")


def body_length(fields: Fields, old: bool) -> int | None:
    """Bytes of the body, CHUNKED, or None if the fields don't say; Refused for all that two readers could see differently.

    Content-Length and Transfer-Encoding together, either of them twice (be it equal), any coding but `chunked`, and codings in
    HTTP/1.0 are refused: RFC 9112 §6 lets a proxy repair some of them, but none comes from an honest peer.
    """
    if fields.codings:
        if fields.lengths or old or len(fields.codings) != 1 or fields.codings[0].lower() != b"chunked":
            raise Refused(
                Failure.BAD_REQUEST, "transfer-encoding: allowed is chunked alone, once, without content-length"
            )
        return CHUNKED
    if not fields.lengths:
        return None
    if len(fields.lengths) != 1 or not _DIGITS.fullmatch(fields.lengths[0]):
        raise Refused(Failure.BAD_REQUEST, "content-length: allowed is one number of at most 18 digits, once")
    return int(fields.lengths[0])


def persistent(fields: Fields, old: bool) -> bool:
    """Whether the connection outlives the message (RFC 9112 §9.3)."""
    if not fields.options:
        return not old
    return b"close" not in fields.options and (not old or b"keep-alive" in fields.options)


_NO_TRAILERS = frozenset(
    (
        b"authorization",
        b"cookie",
        b"set-cookie",
        b"content-encoding",
        b"content-type",
        b"content-range",
        b"cache-control",
    )
)
"""Beside those that concern framing, routing or the connection (RFC 9110 §6.5.1): what a reader could have acted on before it came."""


def read_trailer(line: bytes) -> bytes:
    """A line of a trailer section as it is forwarded, with its end; nothing if it has no place there. Refused if it is malformed."""
    fields = read_fields(split_lines(line))
    if fields.hosts or fields.lengths or fields.expectations or not fields.kept:
        return b""
    return b"" if line.partition(b":")[0].lower() in _NO_TRAILERS else line + b"\r\n"
