"""A response's head, from bytes to what is forwarded and how its body is framed (RFC 9112 §4, §6.3). Pure."""

import re
from typing import NamedTuple

from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.fields import CHUNKED, UNTIL_CLOSE, body_length, persistent, read_fields, split_lines

CODED = b"transfer-encoding: chunked\r\n"


class ResponseHead(NamedTuple):
    """`lead` is what goes downstream up to and with the last field line, without framing by coding; `ready` is the whole head
    for a client of HTTP/1.1 whose connection stays open. `length` is the body's bytes, CHUNKED or UNTIL_CLOSE."""

    lead: bytes
    ready: bytes
    status: int
    length: int
    keep_alive: bool
    fields: int


_STATUS_LINE = re.compile(rb"HTTP/1\.([0-9]) ([1-9][0-9]{2}(?: .*)?)")


def parse_response(data: bytes, bodiless: bool) -> ResponseHead:
    """The head without its final empty line; `bodiless` says that it answers HEAD. Refused (BAD_RESPONSE) if malformed."""
    try:
        lines = split_lines(data)
        reason, old = _status_line(lines.pop(0))
        fields = read_fields(lines)
        stated = body_length(fields, old)
    except Refused as refused:
        raise Refused(Failure.BAD_RESPONSE, refused.detail) from refused
    status = int(reason[:3])
    empty = bodiless or status < 200 or status in (204, 304)
    length = 0 if empty else UNTIL_CLOSE if stated is None else stated
    kept = fields.kept
    if status < 200 or status == 204:
        kept = [line for line in kept if line[:15].lower() != b"content-length:"]
    lead = b"\r\n".join((b"HTTP/1.1 " + reason, *kept, b""))
    coded = CODED if length in (CHUNKED, UNTIL_CLOSE) else b""
    keep_alive = persistent(fields, old) and length != UNTIL_CLOSE
    return ResponseHead(lead, b"%b%b\r\n" % (lead, coded), status, length, keep_alive, len(lines))


def _status_line(line: bytes) -> tuple[bytes, bool]:
    """Status with reason, and whether the server speaks HTTP/1.0."""
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise Refused(Failure.BAD_RESPONSE, "the first line is not 'HTTP/1.1 <status>'")
    return match[2], match[1] == b"0"
