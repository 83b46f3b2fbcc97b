"""HTTP/1.1 client side of the instrument: one connection, one request in flight. Knows no endpoint; its pool decides on reuse."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, Self, cast

import httptools

MAX_RESPONSE_BYTES = 16 * 1024 * 1024


class Answer:
    """How a call went: `error` is "" for a complete response, else connect, timeout, closed, protocol or overflow.

    `sent_ns` is when the request was written (a new connection is open by then), `done_ns` when the last byte was read or the
    failure known. `attempts` is 2 after a keep-alive race; `sent_ns` is then that of the second.
    """

    __slots__ = ("attempts", "done_ns", "error", "headers", "parts", "sent_ns", "size", "status")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.parts: list[bytes] = []
        self.size = 0
        self.attempts = 1
        self.sent_ns = 0
        self.done_ns = 0
        self.error = ""

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header (lower case), None without."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.parts)

    @classmethod
    def failed(cls, error: str) -> Self:
        """A call of which nothing was sent."""
        answer = cls()
        answer.error = error
        answer.sent_ns = answer.done_ns = time.monotonic_ns()
        return answer


Done = Callable[[Answer], None]


class Owner(Protocol):
    """What a connection tells its pool."""

    loop: asyncio.AbstractEventLoop

    def give_back(self, connection: "Connection") -> None: ...

    def forget(self, connection: "Connection") -> None: ...

    def resend(self, request: bytes, done: Done) -> None: ...


class Connection(asyncio.Protocol):
    """One connection to an endpoint; the pool hands it one request at a time. `idle_ns`: since when it has none."""

    def __init__(self, pool: Owner) -> None:
        self.idle_ns = 0
        self._pool = pool
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer = Answer()
        self._request = b""
        self._done: Done | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._fresh = True
        self._began = False
        self._complete = False
        self._keep = False

    @property
    def usable(self) -> bool:
        """Open and idle."""
        return self._transport is not None and not self._transport.is_closing() and self._done is None

    def send(self, request: bytes, done: Done, timeout_s: float, attempts: int = 1) -> None:
        """Write a whole request; `done` is called exactly once."""
        assert self._transport is not None
        self._answer = answer = Answer()
        answer.attempts = attempts
        self._request, self._done, self._began, self._complete = request, done, False, False
        self._timer = self._pool.loop.call_later(timeout_s, self._fail, "timeout")
        answer.sent_ns = time.monotonic_ns()
        self._transport.write(request)

    def close(self) -> None:
        """Close without ceremony."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the signature is asyncio's
        self._transport = None
        self._pool.forget(self)
        if self._done is None:
            return
        if self._began or self._fresh:
            self._finish("closed")
            return
        request, done = self._request, self._done
        self._done = None
        self._cancel_timer()
        self._pool.resend(request, done)

    def data_received(self, data: bytes) -> None:
        if self._done is None:
            self.close()  # nobody asked, so these bytes must not become the answer to the next request
            return
        self._began = True
        self._answer.done_ns = time.monotonic_ns()
        excess = False
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            excess = True
        if self._complete:
            self._completed(keep=self._keep and not excess)
        elif excess:
            self._fail("protocol")

    def on_message_begin(self) -> None:
        if self._complete:
            raise ValueError("more than the answer")
        self._answer.headers.clear()  # those of an informational response don't belong to the final one

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self._answer.parts.append(body)
        self._answer.size += len(body)
        if self._answer.size > MAX_RESPONSE_BYTES:
            raise ValueError("response too large")

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            self._answer.status = status
            self._complete, self._keep = True, self._parser.should_keep_alive()

    def _completed(self, *, keep: bool) -> None:
        """Outside of the parser, which would take an exception of `done` for one of its own, and after all of the data."""
        self._fresh = False
        if not keep:
            self.close()
        self._finish("", reusable=keep)

    def _fail(self, error: str) -> None:
        self._answer.done_ns = time.monotonic_ns()
        self._finish(error)
        self.close()

    def _finish(self, error: str, *, reusable: bool = False) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        self._cancel_timer()
        self._answer.error = error
        if not self._answer.done_ns:
            self._answer.done_ns = time.monotonic_ns()
        if reusable:
            self.idle_ns = self._answer.done_ns
            self._pool.give_back(self)
        done(self._answer)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
