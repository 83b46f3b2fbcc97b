"""What a connection speaks, by the first bytes of whoever opened it. Pure; knows no socket and no clock.

HTTP/2 begins with its preface (RFC 9113 §3.4), HTTP/1 with a request line (RFC 9112 §3). All else is nobody's business: bytes.
"""

import re
from typing import Final

HTTP1: Final = "http/1.1"
HTTP2: Final = "http/2"
BYTES: Final = "tcp"

MOST_LINE_BYTES: Final = 8192
"""A longer request line is taken for bytes; whoever means it has declared the port."""
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\n"
_LINE: Final = re.compile(rb"[A-Za-z!#$%&'*+.^_`|~-]{1,32} [\x21-\x7e]+ HTTP/1\.[0-9]\r?")
_BEGUN: Final = re.compile(rb"[A-Za-z!#$%&'*+.^_`|~-]{1,32}(?: [\x21-\x7e]*(?: [HTP/1.0-9]{0,8}\r?)?)?")
_HANDSHAKE: Final = 0x16
"""The first byte of TLS: a record of its handshake (RFC 8446 §5.1). No request line begins so."""


def is_tls(first: bytes) -> bool:
    """Whether the connection begins as TLS does; at least one byte."""
    return first[0] == _HANDSHAKE


def spoken(data: bytes) -> str | None:
    """What the connection speaks; None if more bytes could still tell."""
    if data.startswith(_PREFACE):
        return HTTP2
    if _PREFACE.startswith(data):
        return None
    line, end, _ = data.lstrip(b"\r\n").partition(b"\n")
    if end:
        return HTTP1 if _LINE.fullmatch(line) else BYTES
    if len(data) > MOST_LINE_BYTES:
        return BYTES
    return None if not line or _BEGUN.fullmatch(line) else BYTES
