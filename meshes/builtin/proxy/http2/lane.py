"""Connections of HTTP/2 to one endpoint: requests share them, and one more is made only when those that are here are full. Knows no HTTP.

Requests that come while a connection is being made wait for it, so that a burst doesn't make one each.
"""

import asyncio
from collections import deque
from math import inf
from typing import TYPE_CHECKING, cast

from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.http2.calling import CallingConnection
from meshes.builtin.proxy.tls import PeerRefused
from meshes.builtin.proxy.upstream import Upstream

if TYPE_CHECKING:
    from meshes.builtin.proxy.pool import Pool, Waiter

EXPECTED_STREAMS = 100
"""What a connection is taken to carry before its peer has said it: what most say."""


class Lane:
    """What a pool's `ready` is for requests that go by HTTP/2: `len` is the room that there is, `pop` gives a stream.

    `_waiting` are for connections that are being made, `_lined_up` have found as many as allowed and count as the callee's pending ones."""

    def __init__(self, pool: "Pool", loop: asyncio.AbstractEventLoop) -> None:
        self._pool = pool
        self._loop = loop
        self._connections: list[CallingConnection] = []
        self._waiting: deque[tuple[Waiter, int]] = deque()
        self._lined_up: deque[tuple[Waiter, int]] = deque()
        self._dialling = 0
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def max_header_bytes(self) -> int:
        """The pool's."""
        return self._pool.max_header_bytes

    @property
    def max_headers(self) -> int:
        """The pool's."""
        return self._pool.max_headers

    def __len__(self) -> int:
        return sum(connection.room for connection in self._connections)

    def pop(self) -> Upstream:
        """A stream of the first connection that has room: the later ones empty, and go. A stream is as good as a connection of its own."""
        connection = next(each for each in self._connections if each.room)
        return cast("Upstream", connection.stream())

    def open(self, waiter: "Waiter", attempt: int) -> None:
        """As `Pool.open`."""
        callee = self._pool.callee
        expected = self._dialling * EXPECTED_STREAMS - len(self._waiting)
        if expected <= 0:
            if callee.may_open(self._pool):
                self._dial()
            else:
                callee.line_up()
                self._lined_up.append((waiter, attempt))
                return
        self._waiting.append((waiter, attempt))

    def _dial(self) -> None:
        self._dialling += 1
        self._pool.callee.connections.open += 1
        self._pool.connections += 1
        task = self._loop.create_task(self._open())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self) -> None:
        callee, endpoint = self._pool.callee, self._pool.endpoint
        connection = callee.shared_connection(self)
        try:
            async with asyncio.timeout(callee.connect_timeout_s):
                await self._loop.create_connection(lambda: connection, endpoint.address, endpoint.port)
                await connection.ready
        except (TimeoutError, OSError, PeerRefused) as error:
            self._dialling -= 1
            if connection.made:
                connection.abort()
            else:
                self._pool.one_less()
            self._failed(error)
            return
        self._dialling -= 1
        connection.limit_buffer(callee.limits.buffer_bytes)
        callee.connections.opened += 1
        self._connections.append(connection)
        if self._pool.retired:
            connection.retire()
        self.has_room(connection)
        self._go_on()

    def _go_on(self) -> None:
        """Those that a connection had less room for than expected, or that lost theirs, get one more."""
        if self._waiting and not self._dialling and (not self._connections or self._pool.callee.may_open(self._pool)):
            self._dial()

    def _failed(self, error: Exception) -> None:
        """All that waited for this one and have no other to wait for."""
        reason = self._pool.reason(error)
        spared = self._dialling * EXPECTED_STREAMS
        while len(self._waiting) > spared:
            waiter, attempt = self._waiting.popleft()
            waiter.connect_failed(*reason, attempt)

    def has_room(self, connection: CallingConnection) -> None:
        """A stream may begin on the connection: those that wait go first."""
        while self._waiting and connection.room:
            waiter, attempt = self._waiting.popleft()
            self._hand_over(connection, waiter, attempt)
        while self._lined_up and connection.room:
            self._pool.callee.pending -= 1
            self._hand_over(connection, *self._lined_up.popleft())

    def serve_waiting(self) -> None:
        """A connection less somewhere: those that found too many may get one."""
        while self._lined_up and self._pool.callee.may_open(self._pool):
            self._pool.callee.pending -= 1
            waiter, attempt = self._lined_up.popleft()
            if waiter.wants(attempt):
                self.open(waiter, attempt)

    def forget_gone(self) -> None:
        """Takes those out of the line that no longer want a connection."""
        kept = [each for each in self._lined_up if each[0].wants(each[1])]
        self._pool.callee.pending -= len(self._lined_up) - len(kept)
        self._lined_up = deque(kept)

    def _hand_over(self, connection: CallingConnection, waiter: "Waiter", attempt: int) -> None:
        if waiter.wants(attempt):
            waiter.connected(cast("Upstream", connection.stream()), attempt)

    def lost(self, connection: CallingConnection) -> None:
        """The connection is over."""
        if connection in self._connections:
            self._connections.remove(connection)
        self._pool.one_less()
        self._go_on()

    def retire(self) -> None:
        """The endpoint is no longer one of the callee's."""
        self._pool.callee.pending -= len(self._lined_up)
        gone, self._waiting, self._lined_up = [*self._waiting, *self._lined_up], deque(), deque()
        for waiter, attempt in gone:
            self._loop.call_soon(
                waiter.connect_failed, Failure.CONNECT_FAILED, f"{self._pool.endpoint} has gone", attempt
            )
        for connection in list(self._connections):
            connection.retire()

    def sweep(self, now_s: float, idle_s: float, generation: int, oldest_s: float = -inf) -> None:
        """Connections that were idle for too long, carry a former certificate, or are from before `oldest_s`, get no new requests."""
        for connection in list(self._connections):
            idle = not connection.streams and now_s - connection.touched_s > idle_s
            if idle or connection.generation != generation or connection.born_s < oldest_s:
                connection.retire()
