"""A small HTTP/1.1 server for a control plane: one request per head, bounded in size and time. Knows no route.

Not a hot path: a proxy asks a few times an hour. So it is strict and short: `content-length` bodies only, one request a connection.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MAX_HEAD_BYTES = 8 * 1024
MAX_BODY_BYTES = 16 * 1024
READ_WITHIN_S = 5.0
REASONS = {200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


class RefusedError(Exception):
    """A request that is answered with an error: status and one sentence."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request. `peer` is the SPIFFE id of the client's certificate, "" without one."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: str


Stream = asyncio.StreamWriter
Handler = Callable[[Request, Stream], Awaitable[None]]


def serve_with(handler: Handler) -> Callable[[asyncio.StreamReader, Stream], Awaitable[None]]:
    """A connection callback for asyncio.start_server."""

    async def connected(reader: asyncio.StreamReader, writer: Stream) -> None:
        try:
            request = await asyncio.wait_for(_read(reader, writer), READ_WITHIN_S)
            await handler(request, writer)
        except RefusedError as error:
            answer(writer, error.status, {"error": str(error)})
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            await _close(writer)

    return connected


def answer(writer: Stream, status: int, document: dict[str, Any] | None = None) -> None:
    """A whole answer, after which the connection is closed."""
    body = b"" if document is None else json.dumps(document).encode() + b"\n"
    head = f"HTTP/1.1 {status} {REASONS[status]}\r\nconnection: close\r\n"
    if document is not None:
        head += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
    writer.write(head.encode() + b"\r\n" + body)


def begin_lines(writer: Stream) -> None:
    """The head of an endless answer of JSON lines."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n")


async def send_line(writer: Stream, text: str) -> None:
    """One JSON document as one chunk."""
    line = text.encode() + b"\n"
    writer.write(b"%x\r\n%s\r\n" % (len(line), line))
    await asyncio.wait_for(writer.drain(), READ_WITHIN_S)


async def _read(reader: asyncio.StreamReader, writer: Stream) -> Request:
    head = await reader.readuntil(b"\r\n\r\n")
    start, *lines = head[:-4].decode("latin-1").split("\r\n")
    words = start.split(" ")
    if len(words) != 3 or words[2] != "HTTP/1.1":
        raise RefusedError(400, "that is no HTTP/1.1 request line")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip() or name.lower() in headers:
            raise RefusedError(400, f"header {name!r:.40} is malformed or there twice")
        headers[name.lower()] = value.strip()
    url = urlsplit(words[1])
    body = await _body(reader, headers)
    return Request(words[0], url.path, dict(parse_qsl(url.query)), headers, body, _peer(writer))


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not (length.isascii() and length.isdigit()):
        raise RefusedError(400, "a body needs a content-length and no transfer-encoding")
    if int(length) > MAX_BODY_BYTES:
        raise RefusedError(400, f"a body of {length} bytes: at most {MAX_BODY_BYTES} are taken")
    return await reader.readexactly(int(length))


def _peer(writer: Stream) -> str:
    tls = writer.get_extra_info("ssl_object")
    certificate = tls.getpeercert() if tls else None
    names = [value for kind, value in (certificate or {}).get("subjectAltName", ()) if kind == "URI"]
    return names[0] if len(names) == 1 else ""


async def _close(writer: Stream) -> None:
    writer.close()
    try:
        await asyncio.wait_for(writer.wait_closed(), READ_WITHIN_S)
    except (OSError, TimeoutError):
        writer.transport.abort()
