"""A request's head, from bytes to what is forwarded and how its body is framed (RFC 9112 §3). Pure."""

import re
from typing import NamedTuple

from meshes.builtin.proxy import grpc_messages
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.fields import CHUNKED, TOKEN, Fields, body_length, persistent, read_fields, split_lines


class RequestHead(NamedTuple):
    """`lead` is what goes upstream, up to and with the last field line (others may be added); `host` is lower case, without
    port; `length` is the body's bytes or CHUNKED; `old` says that the client speaks HTTP/1.0. `timeout_s` is what gRPC callers state."""

    lead: bytes
    host: bytes
    length: int
    keep_alive: bool
    bodiless: bool
    old: bool
    fields: int
    grpc: bool = False
    timeout_s: float | None = None


_METHODS = frozenset((b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS"))
_VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
_URI = bytes(octet for octet in range(0x21, 0x7F) if octet not in b"#")
"""What may stand in a request-target: visible ASCII but the fragment, which never travels (RFC 9112 §3.2)."""
_ABSOLUTE = re.compile(rb"https?://([^/?]+)((?:[/?].*)?)", re.IGNORECASE)
_AUTHORITY = re.compile(rb"([A-Za-z0-9\-._~!$&'()*+,;=%]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")


def parse_request(data: bytes) -> RequestHead:
    """The head without its final empty line; Refused says what is wrong with it."""
    lines = split_lines(data)
    method, target, old = _request_line(lines.pop(0))
    fields = read_fields(lines)
    length = body_length(fields, old) or 0
    _check_expectation(fields)
    kept = fields.kept
    host = _host(fields, old)
    if not target.startswith(b"/"):
        target, authority = _other_form(method, target)
        if authority:
            host = _name(authority)
            kept = [b"host: " + authority, *(line for line in kept if line[:5].lower() != b"host:")]
    kept.append(b"via: 1.0 hoptax" if old else b"via: 1.1 hoptax")  # RFC 9110 §7.6.3: every proxy must
    if length == CHUNKED:
        kept.append(b"transfer-encoding: chunked")
    lead = b"\r\n".join((b"%b %b HTTP/1.1" % (method, target), *kept, b""))
    grpc = b"/grpc" in data and grpc_messages.is_grpc(kept)
    timeout_s = grpc_messages.timeout_s(kept) if grpc else None
    return RequestHead(lead, host, length, persistent(fields, old), method == b"HEAD", old, len(lines), grpc, timeout_s)


def _request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    parts = line.split(b" ")
    if len(parts) != 3:
        raise Refused(Failure.BAD_REQUEST, f"request line {line[:60]!r} is not 'method target version'")
    method, target, version = parts
    if method not in _METHODS and not TOKEN.fullmatch(method):
        raise Refused(Failure.BAD_REQUEST, f"method {method[:60]!r} has characters that are not allowed")
    if method == b"CONNECT":
        raise Refused(Failure.METHOD)
    if not target or target.translate(None, _URI):
        raise Refused(Failure.BAD_REQUEST, f"request target {target[:60]!r} has characters that are not allowed")
    return method, target, version != b"HTTP/1.1" and _old(version)


def _old(version: bytes) -> bool:
    match = _VERSION.fullmatch(version)
    if match is None:
        raise Refused(Failure.BAD_REQUEST, f"{version[:60]!r} is no HTTP version")
    if match[1] != b"1":
        raise Refused(Failure.VERSION)
    return match[2] == b"0"


def _host(fields: Fields, old: bool) -> bytes:
    if len(fields.hosts) == 1:
        return _name(fields.hosts[0])
    if fields.hosts or not old:
        raise Refused(Failure.BAD_REQUEST, "a request needs the Host field exactly once")
    return b""


def _name(authority: bytes) -> bytes:
    """The host of an authority, lower case: names have none, and the port is the app's guess in a mesh."""
    match = _AUTHORITY.fullmatch(authority)
    if match is None:
        raise Refused(Failure.BAD_REQUEST, f"host {authority[:60]!r} is not a name or address with an optional port")
    return match[1].lower()


def _other_form(method: bytes, target: bytes) -> tuple[bytes, bytes]:
    """Absolute form becomes origin form and the authority that replaces Host (RFC 9112 §3.2.2); `*` is for OPTIONS."""
    if target == b"*" and method == b"OPTIONS":
        return target, b""
    match = _ABSOLUTE.fullmatch(target)
    if match is None:
        raise Refused(Failure.BAD_REQUEST, f"request target {target[:60]!r} is neither a path nor an http URL")
    path = match[2]
    if not path and method == b"OPTIONS":
        return b"*", match[1]
    return (path if path.startswith(b"/") else b"/" + path), match[1]


def _check_expectation(fields: Fields) -> None:
    if fields.expectations and [value.lower() for value in fields.expectations] != [b"100-continue"]:
        raise Refused(Failure.EXPECTATION)
