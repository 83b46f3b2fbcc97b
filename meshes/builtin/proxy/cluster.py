"""Connections to the endpoints of a callee: which endpoint, which idle connection, or a new one. Knows no HTTP.

Configuration changes by `apply`: pools of endpoints that stay keep their connections, pools of those that went close theirs as
they become idle.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Container
from typing import NamedTuple, Protocol

from meshes.builtin.proxy.balancing import Choose, least_request, round_robin
from meshes.builtin.proxy.ejecting import Ejections, Record
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.patience import TryPatience
from meshes.builtin.proxy.retrying import Retries
from meshes.builtin.proxy.telemetry import Connections, Telemetry
from meshes.builtin.proxy.tls import PeerRefused, TlsSession
from meshes.builtin.proxy.upstream import Upstream
from meshes.builtin.snapshot import Cluster, Endpoint, Limits

RETIRED_PER_SWEEP = 0.1
"""Of the idle connections that carry our former certificate, per sweep: a rotation mustn't make a burst of handshakes."""
PICKS = 4
IDLE_SHARE = 0.75
"""An idle connection is closed on this side after that share of the idle timeout, before the callee's sidecar, whose
timeout is the same, can close it under a request."""


class Dialler(Protocol):
    """Our certificate, as far as making connections goes; `client` changes with every renewal, `generation` counts them."""

    client: ssl.SSLContext | None
    generation: int


class Waiter(Protocol):
    """Whoever asked for a connection; `attempt` tells its wishes apart. `connected` says whether it still wanted it."""

    def wants(self, attempt: int) -> bool: ...

    def connected(self, upstream: Upstream, attempt: int) -> bool: ...
    def connect_failed(self, failure: Failure, detail: str, attempt: int) -> None: ...


class Trying(NamedTuple):
    """How a callee's requests are retried, and what a single try may take."""

    retries: Retries
    patience: TryPatience


class Pool:
    """Connections to one endpoint. `active` counts requests in flight; `idle` is a stack, so that few stay warm.

    `waiting` are requests that found as many connections as allowed; `record` is kept if the endpoint can be ejected."""

    def __init__(self, callee: "Callee", endpoint: Endpoint) -> None:
        self.callee = callee
        self.endpoint = endpoint
        self.idle: list[Upstream] = []
        self.active = 0
        self.connections = 0
        self.waiting: deque[tuple[Waiter, int]] = deque()
        self.record: Record | None = None
        self.retired = False
        self.max_header_bytes = callee.limits.max_header_bytes
        self.max_headers = callee.limits.max_headers
        self._loop = callee.loop
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, waiter: Waiter, attempt: int) -> None:
        """Makes a new connection for the waiter, or lets it wait for one; Refused if the callee has as many of both as allowed."""
        callee = self.callee
        if not callee.may_open(self):
            callee.line_up()
            self.waiting.append((waiter, attempt))
            return
        callee.connections.open += 1
        self.connections += 1
        self.dial(waiter, attempt)

    def dial(self, waiter: Waiter, attempt: int) -> None:
        """Makes a connection without asking whether it is allowed."""
        task = self._loop.create_task(self._open(waiter, attempt))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, waiter: Waiter, attempt: int) -> None:
        upstream = self.callee.connection(self)
        try:
            async with asyncio.timeout(self.callee.connect_timeout_s):
                await self._loop.create_connection(lambda: upstream, self.endpoint.address, self.endpoint.port)
                await upstream.ready
        except (TimeoutError, OSError, PeerRefused) as error:
            self._failed(upstream)
            waiter.connect_failed(*self._reason(error), attempt)
            return
        upstream.limit_buffer(self.callee.limits.buffer_bytes)
        self.callee.connections.opened += 1
        if not waiter.connected(upstream, attempt):
            self.released(upstream)

    def _failed(self, upstream: Upstream) -> None:
        if upstream.made:
            upstream.abort()
        else:
            self._one_less()

    def _reason(self, error: Exception) -> tuple[Failure, str]:
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
        self._one_less()

    def _one_less(self) -> None:
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

    def forget_gone(self) -> None:
        """Takes those out of the line that no longer want a connection."""
        kept = [each for each in self.waiting if each[0].wants(each[1])]
        self.callee.pending -= len(self.waiting) - len(kept)
        self.waiting = deque(kept)

    def judge(self, failed: bool) -> None:
        """Notes how the endpoint served a request; it may be left out for that."""
        if self.record is not None:
            self.callee.judge(self.record, failed)

    def retire(self) -> None:
        """The endpoint is no longer one of the callee's."""
        self.retired = True
        while self.waiting:
            waiter, attempt = self.next_waiting()
            self._loop.call_soon(waiter.connect_failed, Failure.CONNECT_FAILED, f"{self.endpoint} has gone", attempt)
        while self.idle:
            self.idle.pop().close()

    def sweep(self, now_s: float, idle_s: float, generation: int) -> None:
        """Closes connections that were idle for too long, and some of those with a former certificate."""
        late = [connection for connection in self.idle if now_s - connection.touched_s > idle_s]
        former = [connection for connection in self.idle if connection.generation != generation]
        for connection in {*late, *former[: max(1, int(len(former) * RETIRED_PER_SWEEP))]}:
            self.idle.remove(connection)
            connection.close()


class Callee:
    """One cluster as it runs."""

    pool_class: type[Pool] = Pool

    def __init__(
        self,
        config: Cluster,
        limits: Limits,
        dialler: Dialler,
        telemetry: Telemetry,
        direction: str,
        loop: asyncio.AbstractEventLoop,
        choose: Choose,
    ) -> None:
        self.loop = loop
        self.limits = limits
        self.traffic = telemetry.traffic_of(direction, config.name)
        self.connections: Connections = telemetry.connections_of("upstream", config.name)
        self.connect_timeout_s = config.connect_timeout_s
        self._dialler = dialler
        self._choose = choose
        self._config = config
        self._accepted: Container[str] = frozenset(config.spiffe_ids)
        self._all: list[Pool] = []
        self._pools: list[Pool] = []
        self._canary: Pool | None = None
        self._last = -1
        self._telemetry = telemetry
        self.pending = 0
        self.trying: Trying | None = None
        self._ejections: Ejections | None = None
        self._policed: tuple[object, ...] = ()
        self.apply(config, limits)

    def apply(self, config: Cluster, limits: Limits) -> None:
        """Obeys a new configuration of the same cluster."""
        former = {pool.endpoint: pool for pool in self._all}
        if (config.mtls, config.spiffe_ids) != (self._config.mtls, self._config.spiffe_ids):
            former, gone = {}, list(former.values())
        else:
            gone = [pool for endpoint, pool in former.items() if endpoint not in config.endpoints]
        self._config, self.limits, self.connect_timeout_s = config, limits, config.connect_timeout_s
        self._accepted = frozenset(config.spiffe_ids)
        self._all = [former.get(endpoint) or self.pool_class(self, endpoint) for endpoint in config.endpoints]
        for pool in self._all:
            pool.max_header_bytes, pool.max_headers = limits.max_header_bytes, limits.max_headers
        for pool in gone:
            pool.retire()
        self._apply_policies(config)
        self._refresh()

    def _apply_policies(self, config: Cluster) -> None:
        """What is known of endpoints stays while neither they nor the policies change."""
        retry, ejection = config.retry, config.ejection
        if (policed := (config.endpoints, retry, ejection, config.breaker)) == self._policed:
            return
        self._policed = policed
        self._ejections = Ejections(ejection, len(self._all)) if ejection else None
        self.trying = (
            Trying(Retries(retry, self._draw), TryPatience(self.loop, retry.per_try_timeout_s)) if retry else None
        )
        for pool in self._all:
            pool.record = Record() if ejection else None
        read = self._telemetry.policies
        if retry:
            read["retries_total", config.name] = lambda: self.trying.retries.made if self.trying else 0
            read["retries_denied_total", config.name] = lambda: self.trying.retries.denied if self.trying else 0
        if ejection:
            read["ejections_total", config.name] = lambda: self._ejections.made if self._ejections else 0
            read["endpoints_ejected", config.name] = lambda: self._ejections.out if self._ejections else 0
        if config.breaker:
            read["requests_pending", config.name] = lambda: self.pending

    def _draw(self) -> float:
        return self._choose(1 << 30) / (1 << 30)

    def _refresh(self) -> None:
        """Who may be picked: the endpoints that are not out, the canary apart if the calls are split and others are there."""
        well = [pool for pool in self._all if pool.record is None or not pool.record.out]
        self._canary = None
        if self._config.split is not None and well and well[-1] is self._all[-1]:
            self._canary = well[-1]
            well = well[:-1] or well
        self._pools = well

    def retire(self) -> None:
        """The cluster is no longer configured."""
        for pool in self._all:
            pool.retire()

    def may_open(self, pool: Pool) -> bool:
        """Whether one connection more is allowed. An endpoint may always have one, or those that wait for it would wait for ever."""
        breaker = self._config.breaker
        if breaker is None:
            return self.connections.open < self.limits.max_connections
        return self.connections.open < breaker.max_connections or not pool.connections

    def line_up(self) -> None:
        """One request more waits for a connection; Refused if as many do as allowed."""
        breaker = self._config.breaker
        if breaker is None:
            raise Refused(Failure.OVERFLOW, f"{self.limits.max_connections} connections")
        if self.pending >= breaker.max_pending:
            for pool in self._all:
                pool.forget_gone()
        if self.pending >= breaker.max_pending:
            raise Refused(
                Failure.OVERFLOW, f"{breaker.max_connections} connections and {breaker.max_pending} waiting requests"
            )
        self.pending += 1

    def serve_waiting(self) -> None:
        """A connection less: those that wait may get one of their own."""
        for pool in self._all:
            while pool.waiting and self.may_open(pool):
                waiter, attempt = pool.next_waiting()
                if waiter.wants(attempt):
                    pool.open(waiter, attempt)

    def judge(self, record: Record, failed: bool) -> None:
        """How an endpoint served a request."""
        if self._ejections is None:
            return
        out_s = self._ejections.judge(record, failed)
        if out_s is not None:
            self._refresh()
            self.loop.call_later(out_s, self._back, record, self._ejections)

    def _back(self, record: Record, ejections: Ejections) -> None:
        ejections.back(record)
        self._refresh()

    def pick(self) -> Pool:
        """The pool of the endpoint that gets the next request; Refused if there is none or the callee has enough to do."""
        pools = self._pools
        if self.traffic.active >= self.limits.max_requests:
            raise Refused(Failure.OVERFLOW, f"{self.limits.max_requests} requests")
        if (
            self._canary is not None
            and self._config.split is not None
            and self._draw() < self._config.split.canary_share
        ):
            return self._canary
        if len(pools) == 1:
            return pools[0]
        if not pools:
            raise Refused(Failure.NO_ENDPOINTS)
        if self._config.balancing == "least-request":
            return pools[least_request([pool.active for pool in pools], self._choose)]
        self._last = round_robin(self._last, len(pools))
        return pools[self._last]

    def pick_other(self, tried: Pool) -> Pool:
        """As `pick`, for a request that was tried already: not there again if it can be helped. Chance may name it several times over."""
        for _ in range(PICKS):
            pool = self.pick()
            if pool is not tried:
                break
        return pool

    def connection(self, pool: Pool) -> Upstream:
        """A connection that isn't made yet."""
        tls = None
        if self._config.mtls:
            assert self._dialler.client is not None
            tls = TlsSession(self._dialler.client, server=False)
        return Upstream(pool, self.loop, tls, self._accepted, self._dialler.generation)

    def sweep(self, now_s: float, idle_s: float) -> None:
        """What has to be done from time to time."""
        for pool in self._all:
            pool.sweep(now_s, idle_s * IDLE_SHARE, self._dialler.generation)
