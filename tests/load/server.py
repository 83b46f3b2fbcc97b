"""A server for tests of engines: it answers, waits, closes or keeps silent as told, and remembers what it received when."""

import asyncio
import ssl
import threading
import time
from collections.abc import Callable
from typing import Self

ADDRESS = "127.81.0.9"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"

Behaviour = Callable[["Server", asyncio.StreamWriter], None]


class Server:
    """Runs in a thread of its own. `behave` is called for every request and may write, close, or put the writer aside."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behave, self._tls = behave, tls
        self.requests: list[bytes] = []
        self.connections = 0
        self.held: list[asyncio.StreamWriter] = []
        self.frozen_ns = self.released_ns = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._up = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._up.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{ADDRESS}:{self.port}/path?query"

    def freeze(self, for_s: float) -> None:
        """Hold every answer from now on, and let all go after `for_s`. To be called by a behaviour."""
        self.frozen_ns = time.monotonic_ns()
        self._loop.call_later(for_s, self._release)

    def vanish(self) -> None:
        """Close the listener and every connection. To be called by a behaviour."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    def _release(self) -> None:
        self.released_ns = time.monotonic_ns()
        for writer in self.held:
            writer.write(OK)
        self.held.clear()

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._server = await asyncio.start_server(self._converse, ADDRESS, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self._up.set()
        await self._over.wait()
        self.vanish()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: ")), 0
                )
                self.requests.append(head + await reader.readexactly(length))
                self._behave(self, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.close()


def answer(_server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(OK)


def keep_silent(server: Server, writer: asyncio.StreamWriter) -> None:
    server.held.append(writer)


def answer_and_close(_server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(OK.replace(b"content", b"connection: close\r\ncontent"))
    writer.close()


def close_unanswered(_server: Server, writer: asyncio.StreamWriter) -> None:
    writer.close()


def babble(_server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(b"+OK ready\r\n\r\n")


def refuse_service(_server: Server, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n")


def freeze_at(number: int, for_s: float) -> Behaviour:
    """The `number`th request freezes the server."""

    def behave(server: Server, writer: asyncio.StreamWriter) -> None:
        if len(server.requests) == number:
            server.freeze(for_s)
        if server.frozen_ns and not server.released_ns:
            server.held.append(writer)
        else:
            writer.write(OK)

    return behave


def vanish_at(number: int) -> Behaviour:
    """The `number`th request makes the server go away for good."""

    def behave(server: Server, writer: asyncio.StreamWriter) -> None:
        server.vanish() if len(server.requests) >= number else writer.write(OK)

    return behave
