"""Fields of HTTP/2 ↔ heads of HTTP/1.1, the form that a message has inside the proxy (RFC 9113 §8). Pure; opens nothing, keeps no stream.

Malformed messages are StreamFaults: they are reset, never repaired (§8.1.1). What concerns a connection of HTTP/1.1 is left out on the way.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from meshes.builtin.proxy.fields import CHUNKED, TEXT
from meshes.builtin.proxy.http2.connection import Head
from meshes.builtin.proxy.http2.fields import MAX_BLOCK_BYTES, MAX_BLOCKS, Field, encode
from meshes.builtin.proxy.http2.frames import Code
from meshes.builtin.proxy.http2.streams import StreamFault
from meshes.builtin.proxy.response import ResponseHead, parse_response

_NAME: Final = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_REQUEST_PSEUDO: Final = frozenset((b":method", b":scheme", b":authority", b":path"))
_CONNECTION: Final = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade", b"http2-settings")
)
_LEFT_OUT: Final = _CONNECTION | {b"te", b"trailer"}
_CHUNKED: Final = b"\r\ntransfer-encoding: chunked"
"""As the proxy itself writes it, and nobody else: a peer's own is left out when a head is read."""
_STATED: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]+)[ \t]*\r\n", re.IGNORECASE)
_DIGITS: Final = re.compile(rb"[0-9]{1,18}")
_STATUS: Final = re.compile(rb"[1-9][0-9]{2}")


class Request(NamedTuple):
    """`head` is of HTTP/1.1, with its final empty line; `length` is the stated one of the body, None if there is a body of no stated length."""

    head: bytes
    length: int | None


def _malformed(detail: str) -> StreamFault:
    return StreamFault(Code.PROTOCOL_ERROR, detail)


def _parted(fields: Sequence[Field]) -> tuple[dict[bytes, bytes], list[Field]]:
    """Pseudo-header fields, which come first and once each, and the others, checked (§8.2, §8.3)."""
    pseudo: dict[bytes, bytes] = {}
    others: list[Field] = []
    for name, value in fields:
        if value.translate(None, TEXT) or value[:1] in (b" ", b"\t") or value[-1:] in (b" ", b"\t"):
            raise _malformed(f"field {name[:60]!r} has white space or control characters around or in its value")
        if name[:1] == b":":
            if others or name in pseudo:
                raise _malformed(f"pseudo-header field {name[:60]!r} is there twice, or after others")
            pseudo[name] = value
            continue
        if not _NAME.fullmatch(name):
            raise _malformed(f"field name {name[:60]!r} is not lower case, or has characters that are not allowed")
        if name in _CONNECTION or (name == b"te" and value.lower() != b"trailers"):
            raise _malformed(f"field {name!r} concerns a connection, which HTTP/2 has none of")
        others.append((name, value))
    return pseudo, others


def request(fields: Sequence[Field], *, end: bool) -> Request:
    """A request's head; `end` says that it has no body."""
    pseudo, others = _parted(fields)
    if not pseudo.keys() <= _REQUEST_PSEUDO:
        raise _malformed(f"pseudo-header fields {sorted(pseudo)}: a request has :method, :scheme, :authority and :path")
    method, path = pseudo.get(b":method", b""), pseudo.get(b":path", b"")
    if not method or (method != b"CONNECT" and (not path or b":scheme" not in pseudo)):
        raise _malformed("a request needs :method, :scheme and :path")
    if any(octet in b" \t" for octet in method + path):
        raise _malformed("white space in :method or :path")
    host, length = _host(pseudo, others), _length(others, end=end)
    lines = [b"%b %b HTTP/1.1" % (method, path or host), b"host: " + host]
    lines += [b"%b: %b" % each for each in _joined(others)]
    if length is None:
        lines.append(b"transfer-encoding: chunked")
    return Request(b"\r\n".join((*lines, b"", b"")), length)


def _host(pseudo: dict[bytes, bytes], others: Sequence[Field]) -> bytes:
    """Of :authority, or of Host where there is none; both have to be the same."""
    named = {value for name, value in others if name == b"host"} | (
        {pseudo[b":authority"]} if b":authority" in pseudo else set()
    )
    if len(named) != 1:
        raise _malformed("a request needs one host, in :authority or host, and the same in both")
    return named.pop()


def _length(others: Sequence[Field], *, end: bool) -> int | None:
    stated = [value for name, value in others if name == b"content-length"]
    if len(stated) > 1 or (stated and not _DIGITS.fullmatch(stated[0])):
        raise _malformed("content-length: allowed is one number of at most 18 digits, once")
    if stated and end and int(stated[0]):
        raise _malformed("a content-length, and no body")
    return int(stated[0]) if stated else 0 if end else None


def _joined(others: Sequence[Field]) -> list[Field]:
    """Cookies in one line again (§8.2.3); without what is written anew."""
    kept = [each for each in others if each[0] not in _LEFT_OUT and each[0] not in (b"host", b"cookie")]
    crumbs = [value for name, value in others if name == b"cookie"]
    return [*kept, (b"cookie", b"; ".join(crumbs))] if crumbs else kept


def response_block(head: bytes) -> bytes:
    """The header block of a response's head of HTTP/1.1 as the proxy writes it (without its final empty line)."""
    first, *lines = head.split(b"\r\n")
    return encode([(b":status", first[9:12]), *_plain(lines)])


def request_block(lead: bytes, scheme: bytes) -> bytes:
    """The header block of a request as the proxy writes it upstream. A gRPC callee wants to hear that trailers are understood."""
    first, *lines = lead.removesuffix(b"\r\n").split(b"\r\n")
    method, path, _ = first.split(b" ")
    fields = _plain(lines)
    host = next((value for name, value in fields if name == b"host"), b"")
    pseudo = [(b":method", method), (b":scheme", scheme), (b":authority", host), (b":path", path)]
    te = (
        [(b"te", b"trailers")]
        if any(name == b"content-type" and value[:16] == b"application/grpc" for name, value in fields)
        else []
    )
    return encode([*pseudo, *(each for each in fields if each[0] != b"host"), *te])


class Asked(NamedTuple):
    """A request as a header block; `length` of its body is bytes or CHUNKED."""

    block: bytes
    length: int


class AskedMemo(dict[bytes, Asked]):
    """`request_block` of heads that the proxy has written, remembered; given without their final empty line."""

    __slots__ = ("_scheme",)

    def __init__(self, scheme: bytes) -> None:
        super().__init__()
        self._scheme = scheme

    def __missing__(self, lead: bytes) -> Asked:
        stated = _STATED.search(lead + b"\r\n")
        length = CHUNKED if _CHUNKED in lead else 0 if stated is None else int(stated[1])
        asked = Asked(request_block(lead, self._scheme), length)
        if len(lead) <= MAX_BLOCK_BYTES:
            if len(self) >= MAX_BLOCKS:
                self.clear()
            self[lead] = asked
        return asked


class AnswerMemo:
    """Heads of answers in the form that they have inside the proxy, remembered; one for answers to HEAD (`bodiless`)."""

    __slots__ = ("_bodiless", "_known")

    def __init__(self, bodiless: bool) -> None:
        self._bodiless = bodiless
        self._known: dict[tuple[Sequence[Field], bool], ResponseHead] = {}

    def read(self, event: Head) -> ResponseHead:
        """StreamFault or Refused if the head is malformed."""
        key = (event.fields, event.end)
        found = self._known.get(key)
        if found is None:
            head, _ = response(event.fields, end=event.end)
            found = parse_response(head[:-4], self._bodiless)
            if len(head) <= MAX_BLOCK_BYTES:
                if len(self._known) >= MAX_BLOCKS:
                    self._known.clear()
                self._known[key] = found
        return found


def trailer_block(lines: bytes) -> bytes:
    """The block of a trailer section's lines."""
    return encode(_plain(lines.removesuffix(b"\r\n").split(b"\r\n")))


def _plain(lines: Sequence[bytes]) -> list[Field]:
    parted = (line.partition(b":") for line in lines if line)
    fields = ((name.lower(), value.strip(b" \t")) for name, _, value in parted)
    return [each for each in fields if each[0] not in _LEFT_OUT]


def response(fields: Sequence[Field], *, end: bool) -> tuple[bytes, int]:
    """A response's head of HTTP/1.1 with its final empty line, and its status; a body of no stated length is chunked."""
    pseudo, others = _parted(fields)
    status = pseudo.get(b":status", b"")
    if pseudo.keys() != {b":status"} or not _STATUS.fullmatch(status) or status == b"101":
        raise _malformed(f"a response has :status alone, of three digits and not 101: {sorted(pseudo)} {status[:20]!r}")
    lines = [b"HTTP/1.1 %b " % status, *(b"%b: %b" % each for each in others if each[0] not in _LEFT_OUT)]
    stated = any(name == b"content-length" for name, _ in others)
    if not stated and status[:1] != b"1" and status not in (b"204", b"304"):
        lines.append(b"content-length: 0" if end else b"transfer-encoding: chunked")
    return b"\r\n".join((*lines, b"", b"")), int(status)


def trailers(fields: Sequence[Field]) -> bytes:
    """The lines of a trailer section; pseudo-header fields have no place in one."""
    pseudo, others = _parted(fields)
    if pseudo:
        raise _malformed("a pseudo-header field in trailers")
    return b"".join(b"%b: %b\r\n" % each for each in others)
