"""The operator's pages of a proxy: `GET` of a path gives a text. Answers one request per connection; knows no page itself."""

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import cast

from meshes.builtin.proxy.failures import Refused
from meshes.builtin.proxy.listening import listening
from meshes.builtin.proxy.request import parse_request

Page = Callable[[], tuple[int, str]]
"""Status and text."""

MAX_HEAD_BYTES = 8192
MAX_CONNECTIONS = 64
TIMEOUT_S = 10.0


class Admin:
    """A port with pages."""

    def __init__(self, pages: Mapping[bytes, Page], loop: asyncio.AbstractEventLoop) -> None:
        self.pages = pages
        self.loop = loop
        self.open = 0
        self._server: asyncio.Server | None = None

    async def bind(self, address: str, port: int) -> None:
        """Answers from now on; OSError if the port is taken."""
        self._server = await self.loop.create_server(lambda: _Connection(self), sock=listening(address, port))

    def close(self) -> None:
        """Answers no more."""
        if self._server is not None:
            self._server.close()


class _Connection(asyncio.Protocol):
    def __init__(self, admin: Admin) -> None:
        self._admin = admin
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._admin.open += 1
        self._timer = self._admin.loop.call_later(TIMEOUT_S, self._transport.abort)
        if self._admin.open > MAX_CONNECTIONS:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._admin.open -= 1
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        transport = self._transport
        if transport is None or (end < 0 and len(self._buffer) <= MAX_HEAD_BYTES):
            return
        transport.write(_answer(*self._page(self._buffer[:end] if end >= 0 else b"")))
        transport.close()

    def _page(self, head: bytes) -> tuple[int, str]:
        try:
            method, target = parse_request(head).lead.split(b" ", 2)[:2]
        except Refused as refused:
            return refused.failure.status, f"{refused.detail}\n"
        page = self._admin.pages.get(target.partition(b"?")[0])
        if page is None:
            return 404, f"pages: {', '.join(path.decode() for path in self._admin.pages)}\n"
        return page() if method == b"GET" else (405, "only GET\n")


def _answer(status: int, text: str) -> bytes:
    body = text.encode()
    lines = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(body)}",
        "connection: close",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
