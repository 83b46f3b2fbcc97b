"""HTTP/1.1 server side of the instrument: bytes in, whole requests out, one answer at a time. Knows no application.

Framing that is ambiguous or over the limits is answered 400, 413 or 431, and the connection is closed. Requests that a peer
sends before it has the answer (pipelining) wait their turn, and so does a refusal: answers keep the order of requests.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import cast

import httptools

MAX_HEADER_BYTES = 60 * 1024
MAX_HEADERS = 100
MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_PIPELINED = 64

_REFUSALS = {400: b"Bad Request", 413: b"Content Too Large", 431: b"Request Header Fields Too Large"}


class Request:
    """One request; header names are lower case. `received_ns` is when its last byte was read (CLOCK_MONOTONIC)."""

    __slots__ = ("body", "headers", "keep_alive", "method", "received_ns", "target", "version")

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.version = ""
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.keep_alive = True
        self.received_ns = 0

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower case), None without."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


Handler = Callable[["Request", "ServerConnection"], None]
"""Must answer sooner or later by `connection.answer(bytes)`."""


class ServerConnection(asyncio.Protocol):
    """One accepted connection. `answer` writes a whole response; the next request is handled after it.

    `clock` is read once for each piece that arrives, before it is looked at (CLOCK_MONOTONIC ns).
    """

    def __init__(
        self,
        handler: Handler,
        opened: Callable[["ServerConnection"], None],
        closed: Callable[["ServerConnection"], None],
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._handler = handler
        self._opened = opened
        self._closed = closed
        self._clock = clock
        self._parser = httptools.HttpRequestParser(self)
        self._transport: asyncio.Transport | None = None
        self._request = Request()
        self._header_bytes = 0
        self._waiting: deque[Request] = deque()
        self._busy = False
        self._refused = 0
        self._refusal = b""
        self._draining = False
        self._paused = False
        self._read_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        self._transport = None
        self._waiting.clear()
        self._closed(self)

    def data_received(self, data: bytes) -> None:
        if self._refusal:
            return
        self._read_ns = self._clock()
        refused = 0
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            refused = self._refused or 400
        # Outside of the parser, which would take an exception of the handler for one of its own.
        if self._waiting and not self._busy:
            self._handle(self._waiting.popleft())
        if refused:
            self._refuse(refused)

    def pause_writing(self) -> None:
        """The peer doesn't read its answers: nothing more is read or handled until it does."""
        self._paused = True
        if self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            if self._waiting and not self._busy:
                self._handle(self._waiting.popleft())

    def on_message_begin(self) -> None:
        self._request = Request()
        self._header_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._request.target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value))
        self._request.headers.append((name.lower(), value))
        if len(self._request.headers) > MAX_HEADERS:
            self._refused = 431
            raise ValueError("too many headers")

    def on_body(self, body: bytes) -> None:
        self._request.body += body
        if len(self._request.body) > MAX_BODY_BYTES:
            self._refused = 413
            raise ValueError("body too large")

    def on_message_complete(self) -> None:
        if self._parser.should_upgrade():
            raise ValueError("another protocol is asked for")
        request = self._request
        request.method = self._parser.get_method()
        request.version = self._parser.get_http_version()
        request.keep_alive = self._parser.should_keep_alive()
        request.received_ns = self._read_ns
        if len(self._waiting) >= MAX_PIPELINED + (not self._busy):
            raise ValueError("too many requests in advance")
        self._waiting.append(request)

    def answer(self, response: bytes) -> None:
        """Write the response to the request in hand (to a HEAD without its body), then take up the next."""
        if self._transport is None:
            return
        if self._current.method == b"HEAD":
            response = response[: response.index(b"\r\n\r\n") + 4]
        self._transport.write(response)
        self._busy = False
        if self._draining or not self._current.keep_alive:
            self._transport.close()
        elif self._waiting:
            if not self._paused:
                self._handle(self._waiting.popleft())
        elif self._refusal:
            self._end_refused()

    def drain(self) -> None:
        """Close when the request in hand is answered, or now if there is none."""
        self._draining = True
        if not self._busy and self._transport is not None:
            self._transport.close()

    def _handle(self, request: Request) -> None:
        self._busy = True
        self._current = request
        self._handler(request, self)

    def _count(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refused = 431
            raise ValueError("header too large")

    def _refuse(self, status: int) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self._refusal = b"HTTP/1.1 %d %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % (
            status,
            _REFUSALS[status],
        )
        if not self._busy:
            self._end_refused()

    def _end_refused(self) -> None:
        assert self._transport is not None
        self._transport.write(self._refusal)
        self._transport.close()


def response(status: int, body: bytes, content_type: bytes = b"application/json", headers: bytes = b"") -> bytes:
    """A whole response; `headers` are extra lines, each ended by CRLF."""
    reason = b"OK" if status == 200 else b"-"
    return b"HTTP/1.1 %d %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n%s\r\n%s" % (
        status, reason, content_type, len(body), headers, body,
    )  # fmt: skip
