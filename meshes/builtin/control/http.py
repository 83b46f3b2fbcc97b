"""A small HTTP/1.1 server for a control plane: one request per connection, bounded in size, time and number. Knows no route.

Not a hot path: a proxy asks a few times an hour. So it is strict and short: bodies by `content-length` only, no keep-alive.
"""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_HEAD_BYTES = 8 * 1024
MAX_HEADERS = 64
MAX_BODY_BYTES = 16 * 1024
MAX_CONNECTIONS = 2048
PATIENCE_S = 5.0
"""How long a peer may take over its request, and over taking a piece of the answer."""

REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    413: "Content Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class RefusedError(Exception):
    """A request that is answered with an error: status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Peer:
    """Who the client's certificate says it is, and until when (Unix time); without a certificate "" and 0."""

    identity: str = ""
    not_after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request; header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: Peer


Writer = asyncio.StreamWriter
Handler = Callable[[Request, Writer], Awaitable[None]]


class Server:
    """What asyncio.start_server calls for each connection; give it `limit=MAX_HEAD_BYTES`."""

    def __init__(
        self,
        handler: Handler,
        max_connections: int = MAX_CONNECTIONS,
        patience_s: float = PATIENCE_S,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self._handler = handler
        self._max_body_bytes = max_body_bytes
        self._free = max_connections
        self._patience_s = patience_s

    async def __call__(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        """One connection, from its request to its end."""
        if not self._free:
            writer.transport.abort()
            return
        self._free -= 1
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            # Cancelled is only the outermost task of a connection, when the program ends: there is nobody to tell.
            writer.transport.abort()
        finally:
            self._free += 1
            await self._close(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            request = await self._request(reader, writer)
            if request is not None:
                await self._handler(request, writer)
        except RefusedError as error:
            answer(writer, error.status, {"error": str(error)})

    async def _request(self, reader: asyncio.StreamReader, writer: Writer) -> Request | None:
        """None if the peer left before its request was complete."""
        try:
            async with asyncio.timeout(self._patience_s):
                method, path, query, headers = read_head(await reader.readuntil(b"\r\n\r\n"))
                body = await reader.readexactly(body_length(headers, self._max_body_bytes))
        except TimeoutError as error:
            raise RefusedError(408, f"the request took longer than {self._patience_s:g} s") from error
        except asyncio.LimitOverrunError as error:
            raise RefusedError(431, f"a head has at most {MAX_HEAD_BYTES} bytes") from error
        except asyncio.IncompleteReadError:
            return None
        return Request(method, path, query, headers, body, _peer(writer.get_extra_info("ssl_object")))

    async def _close(self, writer: Writer) -> None:
        writer.close()
        try:
            async with asyncio.timeout(self._patience_s):
                await writer.wait_closed()
        except (OSError, TimeoutError):
            writer.transport.abort()


def read_head(head: bytes) -> tuple[str, str, dict[str, str], dict[str, str]]:
    """Method, path, query and headers of a request's head (RFC 9112); RefusedError says what is wrong with it."""
    start, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]) or not words[1].startswith("/") or not words[1].isascii():
        raise RefusedError(400, "that is no HTTP/1.1 request line")
    if words[2] != "HTTP/1.1":
        raise RefusedError(505, "HTTP/1.1 is spoken here")
    headers = _headers(lines)
    try:
        url = urlsplit(words[1])
        query = dict(parse_qsl(url.query, max_num_fields=16))
    except ValueError as error:
        raise RefusedError(400, "the request's target can't be read") from error
    return words[0], url.path, query, headers


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > MAX_HEADERS:
        raise RefusedError(431, f"a head has at most {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name) or "\n" in value or "\r" in value or name.lower() in headers:
            raise RefusedError(400, f"header {name!r:.40} is malformed or there twice")
        headers[name.lower()] = value.strip(" \t")
    if "host" not in headers:
        raise RefusedError(400, "a request needs a host header")
    return headers


def body_length(headers: dict[str, str], most: int = MAX_BODY_BYTES) -> int:
    """Bytes of the body; RefusedError if that can't be told or is too much."""
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
        raise RefusedError(400, "a body needs a content-length and no transfer-encoding")
    if len(length) > 9 or int(length) > most:
        raise RefusedError(413, f"a body of {length:.20} bytes: at most {most} are taken")
    return int(length)


def answer(writer: Writer, status: int, document: dict[str, Any] | None = None) -> None:  # Any: JSON values
    """A whole answer, after which the connection is closed."""
    body = b"" if document is None else json.dumps(document).encode() + b"\n"
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nconnection: close\r\n"
    if document is not None:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    writer.write(head.encode() + b"\r\n" + body)


def begin_lines(writer: Writer) -> None:
    """The head of an answer of JSON lines without a known end."""
    writer.write(
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    )


async def send_line(writer: Writer, document: dict[str, Any]) -> None:  # Any: JSON values
    """One JSON document as one chunk; TimeoutError (an OSError) if the peer doesn't take it."""
    line = json.dumps(document, separators=(",", ":")).encode() + b"\n"
    writer.write(b"%x\r\n%b\r\n" % (len(line), line))
    async with asyncio.timeout(PATIENCE_S):
        await writer.drain()


def end_lines(writer: Writer) -> None:
    """The end in due form: nothing was cut."""
    writer.write(b"0\r\n\r\n")


def _peer(tls: ssl.SSLObject | None) -> Peer:
    """The one URI name of the client's certificate (X.509-SVID, section 2), which the handshake has verified."""
    certificate: Any = (tls.getpeercert() if tls else None) or {}  # Any: typeshed's union of nested tuples
    names = [value for kind, value in certificate.get("subjectAltName", ()) if kind == "URI"]
    return Peer(names[0], ssl.cert_time_to_seconds(certificate["notAfter"])) if len(names) == 1 else Peer()
