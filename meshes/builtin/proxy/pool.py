"""Connections to one endpoint: those that are idle, those being made, and the requests that wait for one. Knows no HTTP."""

import asyncio
import ssl
from collections import deque
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final, Protocol, cast

from meshes.builtin.proxy.ejecting import Record
from meshes.builtin.proxy.ewma import Latency
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.tls import PeerRefused
from meshes.builtin.proxy.upstream import Upstream
from meshes.builtin.snapshot import Endpoint

if TYPE_CHECKING:
    from meshes.builtin.proxy.cluster import Callee
    from meshes.builtin.proxy.http2.lane import Lane
    from meshes.builtin.proxy.tunnel import Far, Tunnel

_NOTHING: Final[list[Upstream]] = []

RETIRED_PER_SWEEP = 0.1
"""Of the idle connections that carry our former certificate or are too old, per sweep: there mustn't be a burst of handshakes."""


class Waiter(Protocol):
    """Whoever asked for a connection; `attempt` tells its wishes apart. `connected` says whether it still wanted it."""

    def wants(self, attempt: int) -> bool: ...

    def connected(self, upstream: Upstream, attempt: int) -> bool: ...
    def connect_failed(self, failure: Failure, detail: str, attempt: int) -> None: ...


class Ready(Protocol):
    """What a request can be sent on at once: empty, or `pop` gives one."""

    def __len__(self) -> int: ...
    def pop(self) -> Upstream: ...


class Pool:
    """Connections to one endpoint. `active` counts requests in flight; `idle` is a stack, so that few stay warm.

    `ready` is where other requests, and gRPC's, find a connection: `idle` ones of HTTP/1.1, or the streams of `lane`, which is HTTP/2's.
    `waiting` are requests that found as many connections as allowed; `record` is kept if the endpoint can be ejected, `latency` if the
    balancing asks for it."""

    def __init__(self, callee: "Callee", endpoint: Endpoint) -> None:
        self.callee = callee
        self.endpoint = endpoint
        self.name = str(endpoint)
        self.idle: list[Upstream] = []
        self.lane: Lane | None = None
        self.ready: tuple[Ready, Ready] = (self.idle, self.idle)
        self.speak(callee.protocol)
        self.active = 0
        self.connections = 0
        self.waiting: deque[tuple[Waiter, int]] = deque()
        self.record: Record | None = None
        self.latency: Latency | None = None
        self.retired = False
        self.max_header_bytes = callee.limits.max_header_bytes
        self.max_headers = callee.limits.max_headers
        self._loop = callee.loop
        self._tasks: set[asyncio.Task[None]] = set()

    def speak(self, protocol: str) -> None:
        """Which requests go by HTTP/2; its lane is made when it is first needed."""
        streams: Ready = _NOTHING if self.lane is None else self.lane
        self.ready = (streams if protocol == "http/2" else self.idle, self.idle if protocol == "http/1.1" else streams)

    def open(self, waiter: Waiter, attempt: int, *, grpc: bool = False) -> None:
        """Makes a new connection for the waiter, or lets it wait for one; Refused if the callee has as many of both as allowed."""
        if self.ready[grpc] is not self.idle:
            self._lane().open(waiter, attempt)
            return
        callee = self.callee
        if not callee.may_open(self):
            callee.line_up()
            self.waiting.append((waiter, attempt))
            return
        callee.connections.open += 1
        self.connections += 1
        self.dial(waiter, attempt)

    def _lane(self) -> "Lane":
        if self.lane is None:
            from meshes.builtin.proxy.http2.lane import Lane  # noqa: PLC0415 - loaded only where it is spoken

            self.lane = Lane(self, self._loop)
            self.speak(self.callee.protocol)
        return self.lane

    def open_tunnel(self, waiter: "Tunnel") -> None:
        """Makes a connection that is the waiter's alone; Refused if the callee has as many as allowed: there is no line for these."""
        callee = self.callee
        if not callee.may_open(self):
            raise Refused(Failure.OVERFLOW, f"{callee.connections.open} connections")
        callee.connections.open += 1
        self.connections += 1
        self._start(self._open(waiter, 0, callee.far_end(self)))

    def dial(self, waiter: Waiter, attempt: int) -> None:
        """Makes a connection without asking whether it is allowed."""
        self._start(self._open(waiter, attempt, self.callee.connection(self)))

    def _start(self, opening: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(opening)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, waiter: "Waiter | Tunnel", attempt: int, upstream: "Upstream | Far") -> None:
        try:
            async with asyncio.timeout(self.callee.connect_timeout_s):
                await self._loop.create_connection(lambda: upstream, self.endpoint.address, self.endpoint.port)
                await upstream.ready
        except (TimeoutError, OSError, PeerRefused) as error:
            self._failed(upstream)
            waiter.connect_failed(*self.reason(error), attempt)
            return
        upstream.limit_buffer(self.callee.limits.buffer_bytes)
        self.callee.connections.opened += 1
        if not waiter.connected(cast("Upstream", upstream), attempt):
            if isinstance(upstream, Upstream):
                self.released(upstream)
            else:
                upstream.abort()

    def _failed(self, upstream: "Upstream | Far") -> None:
        if upstream.made:
            upstream.abort()
        else:
            self.one_less()

    def reason(self, error: Exception) -> tuple[Failure, str]:
        """Why there is no connection, for the one who wanted it."""
        if isinstance(error, TimeoutError):
            return Failure.CONNECT_TIMEOUT, str(self.endpoint)
        if isinstance(error, (ssl.SSLError, PeerRefused)):
            self.callee.connections.tls_failures += 1
            return Failure.TLS_FAILED, f"{self.endpoint}: {error}"
        return Failure.CONNECT_FAILED, str(self.endpoint)

    def released(self, connection: Upstream) -> None:
        """The connection has nothing to do: it waits for the next request, unless one waits already or the pool has gone."""
        if self.waiting and self._handed_over(connection):
            return
        if self.retired:
            connection.close()
        else:
            connection.touched_s = self._loop.time()
            self.idle.append(connection)

    def lost(self, connection: Upstream) -> None:
        """The connection is over."""
        if connection in self.idle:
            self.idle.remove(connection)
        self.one_less()

    def one_less(self) -> None:
        """A connection is over."""
        self.connections -= 1
        self.callee.connections.open -= 1
        if self.callee.pending:
            self.callee.serve_waiting()

    def _handed_over(self, connection: Upstream) -> bool:
        """Whether somebody who waited took the connection."""
        while self.waiting:
            waiter, attempt = self.next_waiting()
            if waiter.connected(connection, attempt):
                return True
        return False

    def next_waiting(self) -> tuple[Waiter, int]:
        """Takes the first of those that wait out of the line."""
        self.callee.pending -= 1
        return self.waiting.popleft()

    def serve_waiting(self) -> None:
        """A connection less somewhere: those that wait here may get one of their own."""
        while self.waiting and self.callee.may_open(self):
            waiter, attempt = self.next_waiting()
            if waiter.wants(attempt):
                self.open(waiter, attempt)
        if self.lane is not None:
            self.lane.serve_waiting()

    def forget_gone(self) -> None:
        """Takes those out of the line that no longer want a connection."""
        kept = [each for each in self.waiting if each[0].wants(each[1])]
        self.callee.pending -= len(self.waiting) - len(kept)
        self.waiting = deque(kept)
        if self.lane is not None:
            self.lane.forget_gone()

    def judge(self, status: int) -> None:
        """Notes the status of the endpoint's answer, or NO_ANSWER; it may be left out for that."""
        if self.record is not None:
            self.callee.outliers.judge(self.record, status)

    def retire(self) -> None:
        """The endpoint is no longer one of the callee's."""
        self.retired = True
        while self.waiting:
            waiter, attempt = self.next_waiting()
            self._loop.call_soon(waiter.connect_failed, Failure.CONNECT_FAILED, f"{self.endpoint} has gone", attempt)
        while self.idle:
            self.idle.pop().close()
        if self.lane is not None:
            self.lane.retire()

    def sweep(self, now_s: float, idle_s: float, generation: int, oldest_s: float) -> None:
        """Closes connections that were idle for too long, and some of those with a former certificate or from before `oldest_s`."""
        late = [connection for connection in self.idle if now_s - connection.touched_s > idle_s]
        former = [
            connection
            for connection in self.idle
            if connection.generation != generation or connection.born_s < oldest_s
        ]
        for connection in {*late, *former[: max(1, int(len(former) * RETIRED_PER_SWEEP))]}:
            self.idle.remove(connection)
            connection.close()
        if self.lane is not None:
            self.lane.sweep(now_s, idle_s, generation, oldest_s)
