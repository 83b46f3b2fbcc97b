"""Connections to the endpoints of a callee: which endpoint, which idle connection, or a new one. Knows no HTTP.

Configuration changes by `apply`: pools of endpoints that stay keep their connections, pools of those that went close theirs as
they become idle.
"""

import asyncio
import ssl
from collections.abc import Container
from typing import Protocol

from meshes.builtin.proxy.balancing import Choose, least_request, round_robin
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.telemetry import Connections, Telemetry
from meshes.builtin.proxy.tls import PeerRefused, TlsSession
from meshes.builtin.proxy.upstream import Upstream
from meshes.builtin.snapshot import Cluster, Endpoint, Limits

RETIRED_PER_SWEEP = 0.1
"""Of the idle connections that carry our former certificate, per sweep: a rotation mustn't make a burst of handshakes."""
IDLE_SHARE = 0.75
"""An idle connection is closed on this side after that share of the idle timeout, before the callee's sidecar, whose
timeout is the same, can close it under a request."""


class Dialler(Protocol):
    """Our certificate, as far as making connections goes; `client` changes with every renewal, `generation` counts them."""

    client: ssl.SSLContext | None
    generation: int


class Waiter(Protocol):
    """Whoever asked for a new connection; `attempt` tells its wishes apart. `connected` says whether it still wanted it."""

    def connected(self, upstream: Upstream, attempt: int) -> bool: ...
    def connect_failed(self, failure: Failure, detail: str, attempt: int) -> None: ...


class Pool:
    """Connections to one endpoint. `active` counts requests in flight; `idle` is a stack, so that few stay warm."""

    def __init__(self, callee: "Callee", endpoint: Endpoint) -> None:
        self.callee = callee
        self.endpoint = endpoint
        self.idle: list[Upstream] = []
        self.active = 0
        self.retired = False
        self.max_header_bytes = callee.limits.max_header_bytes
        self.max_headers = callee.limits.max_headers
        self._loop = callee.loop
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, waiter: Waiter, attempt: int) -> None:
        """Makes a new connection for the waiter; Refused if the callee has as many as allowed."""
        callee = self.callee
        if callee.connections.open >= callee.limits.max_connections:
            raise Refused(Failure.OVERFLOW, f"{callee.limits.max_connections} connections")
        callee.connections.open += 1
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
            self.callee.connections.open -= 1

    def _reason(self, error: Exception) -> tuple[Failure, str]:
        if isinstance(error, TimeoutError):
            return Failure.CONNECT_TIMEOUT, str(self.endpoint)
        if isinstance(error, (ssl.SSLError, PeerRefused)):
            self.callee.connections.tls_failures += 1
            return Failure.TLS_FAILED, f"{self.endpoint}: {error}"
        return Failure.CONNECT_FAILED, str(self.endpoint)

    def released(self, connection: Upstream) -> None:
        """The connection has nothing to do: it waits for the next request, unless the pool has gone."""
        if self.retired:
            connection.close()
        else:
            connection.touched_s = self._loop.time()
            self.idle.append(connection)

    def lost(self, connection: Upstream) -> None:
        """The connection is over."""
        self.callee.connections.open -= 1
        if connection in self.idle:
            self.idle.remove(connection)

    def retire(self) -> None:
        """The endpoint is no longer one of the callee's."""
        self.retired = True
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
        self._pools: list[Pool] = []
        self._last = -1
        self.apply(config, limits)

    def apply(self, config: Cluster, limits: Limits) -> None:
        """Obeys a new configuration of the same cluster."""
        former = {pool.endpoint: pool for pool in self._pools}
        if (config.mtls, config.spiffe_ids) != (self._config.mtls, self._config.spiffe_ids):
            former, gone = {}, list(former.values())
        else:
            gone = [pool for endpoint, pool in former.items() if endpoint not in config.endpoints]
        self._config, self.limits, self.connect_timeout_s = config, limits, config.connect_timeout_s
        self._accepted = frozenset(config.spiffe_ids)
        self._pools = [former.get(endpoint) or Pool(self, endpoint) for endpoint in config.endpoints]
        for pool in self._pools:
            pool.max_header_bytes, pool.max_headers = limits.max_header_bytes, limits.max_headers
        for pool in gone:
            pool.retire()

    def retire(self) -> None:
        """The cluster is no longer configured."""
        for pool in self._pools:
            pool.retire()

    def pick(self) -> Pool:
        """The pool of the endpoint that gets the next request; Refused if there is none or the callee has enough to do."""
        pools = self._pools
        if self.traffic.active >= self.limits.max_requests:
            raise Refused(Failure.OVERFLOW, f"{self.limits.max_requests} requests")
        if len(pools) == 1:
            return pools[0]
        if not pools:
            raise Refused(Failure.NO_ENDPOINTS)
        if self._config.balancing == "least-request":
            return pools[least_request([pool.active for pool in pools], self._choose)]
        self._last = round_robin(self._last, len(pools))
        return pools[self._last]

    def connection(self, pool: Pool) -> Upstream:
        """A connection that isn't made yet."""
        tls = None
        if self._config.mtls:
            assert self._dialler.client is not None
            tls = TlsSession(self._dialler.client, server=False)
        return Upstream(pool, self.loop, tls, self._accepted, self._dialler.generation)

    def sweep(self, now_s: float, idle_s: float) -> None:
        """What has to be done from time to time."""
        for pool in self._pools:
            pool.sweep(now_s, idle_s * IDLE_SHARE, self._dialler.generation)
