"""Keep-alive connections of the instrument to one endpoint: which one is used next, how many there are, when idle ones close.

A connection that the server closed while it was idle is found out when it is used again; such a request, of which no response
byte came, is sent once more on a fresh connection, and counted. That is the keep-alive race of HTTP/1.1, not a retry policy.
"""

import asyncio
import time
from typing import NamedTuple

from harness.wire.client import Answer, Connection, Done

MAX_CONNECTIONS = 1024
NS_PER_S = 1_000_000_000


class Timeouts(NamedTuple):
    """Seconds for a connection to be made, for a request to be answered, and for a connection to stay open unused."""

    connect_s: float
    request_s: float
    idle_s: float


class Pool:
    """Keep-alive connections to one endpoint; the one used last is used next, so that idle ones stay idle and few."""

    def __init__(self, loop: asyncio.AbstractEventLoop, host: str, port: int, timeouts: Timeouts) -> None:
        self.loop = loop
        self.races = 0
        self._address = (host, port)
        self._timeouts = timeouts
        self._idle: list[Connection] = []  # the longest idle first
        self._sweeping = False
        self._open: set[Connection] = set()
        self._connecting: set[asyncio.Task[None]] = set()

    def call(self, request: bytes, done: Done) -> None:
        """Send a whole request over an idle connection, or over a new one."""
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                connection.send(request, done, self._timeouts.request_s)
                return
        if len(self._open) + len(self._connecting) >= MAX_CONNECTIONS:
            done(Answer.failed("overflow"))
            return
        self._call_fresh(request, done)

    def resend(self, request: bytes, done: Done) -> None:
        """A request that ran into a closing idle connection."""
        self.races += 1
        self._call_fresh(request, done, attempts=2)

    def _call_fresh(self, request: bytes, done: Done, attempts: int = 1) -> None:
        task = self.loop.create_task(self._connect(request, done, attempts))
        self._connecting.add(task)
        task.add_done_callback(self._connecting.discard)

    def give_back(self, connection: Connection) -> None:
        """The connection is idle again."""
        self._idle.append(connection)
        if not self._sweeping:
            self._sweep_after(self._timeouts.idle_s)

    def forget(self, connection: Connection) -> None:
        """The connection is gone."""
        self._open.discard(connection)

    def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self._open):
            connection.close()

    def _sweep_after(self, delay_s: float) -> None:
        self._sweeping = True
        self.loop.call_later(delay_s, self._sweep)

    def _sweep(self) -> None:
        """Close what has been idle for too long. One timer for all: it rings when the longest idle may be due."""
        self._sweeping = False
        newest_ns = time.monotonic_ns() - round(self._timeouts.idle_s * NS_PER_S)
        while self._idle and (self._idle[0].idle_ns <= newest_ns or not self._idle[0].usable):
            self._idle.pop(0).close()
        if self._idle:
            self._sweep_after((self._idle[0].idle_ns - newest_ns) / NS_PER_S)

    async def _connect(self, request: bytes, done: Done, attempts: int) -> None:
        connecting = self.loop.create_connection(lambda: Connection(self), *self._address)
        try:
            _, connection = await asyncio.wait_for(connecting, self._timeouts.connect_s)
        except (OSError, TimeoutError):
            done(Answer.failed("connect"))
            return
        if not connection.usable:
            done(Answer.failed("closed"))
            return
        self._open.add(connection)
        connection.send(request, done, self._timeouts.request_s, attempts)
