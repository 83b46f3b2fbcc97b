"""A pool of connections on a loop without sockets and without time: the test says what connects, rings, arrives and breaks."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from harness.wire.client import Answer, Connection
from harness.wire.pool import Pool, Timeouts
from tests.wire.transport import FakeTransport

TIMEOUTS = Timeouts(connect_s=1.0, request_s=15.0, idle_s=300.0)
REQUEST = b"GET / HTTP/1.1\r\nhost: b\r\n\r\n"


class FakeTimer(asyncio.TimerHandle):
    def __init__(self, delay_s: float, loop: asyncio.AbstractEventLoop, ring: Callable[[], object]) -> None:
        super().__init__(0.0, ring, (), loop)
        self.delay_s = delay_s
        self.ring = ring


class Bench:
    """A pool whose connections are opened by hand: `connect` lets the oldest attempt succeed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.answers: list[Answer] = []
        self.timers: list[FakeTimer] = []
        self.sweeps: list[FakeTimer] = []
        self.transports: list[FakeTransport] = []
        self.connections: list[Connection] = []
        self.refuse: Exception | None = None
        self.lose_at_once = False
        self.pool = Pool(cast("asyncio.AbstractEventLoop", Loop(self, loop)), "127.0.0.1", 1, TIMEOUTS)

    async def call(self, request: bytes = REQUEST) -> None:
        self.pool.call(request, self.answers.append)
        await self.settle()

    async def settle(self) -> None:
        """Attempts to connect are tasks of a few steps, none of which waits."""
        for _ in range(10):
            await asyncio.sleep(0)

    @property
    def errors(self) -> list[str]:
        return [answer.error for answer in self.answers]


class Loop:
    """The four things that a pool wants of a loop."""

    def __init__(self, bench: Bench, real: asyncio.AbstractEventLoop) -> None:
        self._bench = bench
        self._real = real

    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> FakeTimer:
        timer = FakeTimer(delay, self._real, lambda: callback(*args))
        (self._bench.timers if delay == TIMEOUTS.request_s else self._bench.sweeps).append(timer)
        return timer

    def create_task(self, coro: Any) -> Any:
        return self._real.create_task(coro)

    async def create_connection(self, protocol_factory: Any, *args: Any, **kwargs: Any) -> Any:
        if self._bench.refuse is not None:
            raise self._bench.refuse
        connection, transport = protocol_factory(), FakeTransport()
        connection.connection_made(transport)
        self._bench.connections.append(connection)
        self._bench.transports.append(transport)
        if self._bench.lose_at_once:
            connection.connection_lost(None)
        return transport, connection


def on_loop(test: Callable[[Bench], Any]) -> Callable[[], None]:
    """Runs the test's coroutine with a bench on a loop of its own."""

    def run() -> None:
        async def body() -> None:
            await test(Bench(asyncio.get_running_loop()))

        asyncio.run(body())

    run.__name__ = test.__name__
    return run
