"""The endpoints of a callee: which of them gets a request, and whether it may have another connection. Knows no HTTP.

Configuration changes by `apply`: pools of endpoints that stay keep their connections, pools of those that went close theirs as
they become idle.
"""

import asyncio
import math
import ssl
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol

from meshes.builtin.policies import Breaker, Retry
from meshes.builtin.proxy.balancers import Asker, Balancer, balancer
from meshes.builtin.proxy.balancing import CHANCES, Choose, fraction
from meshes.builtin.proxy.breaking import Breaking
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.outliers import Outliers
from meshes.builtin.proxy.patience import TryPatience
from meshes.builtin.proxy.pool import Pool
from meshes.builtin.proxy.retry_conditions import Conditions, conditions
from meshes.builtin.proxy.retrying import UNBOUNDED, Retries
from meshes.builtin.proxy.splitting import parted
from meshes.builtin.proxy.telemetry import Connections, Telemetry
from meshes.builtin.proxy.tls import TCP, TlsSession
from meshes.builtin.proxy.upstream import Upstream
from meshes.builtin.snapshot import Cluster, Limits

if TYPE_CHECKING:
    from meshes.builtin.proxy.http2.calling import CallingConnection
    from meshes.builtin.proxy.http2.lane import Lane
    from meshes.builtin.proxy.tunnel import Far

IDLE_SHARE = 0.75
"""An idle connection is closed on this side after that share of the idle timeout, before the callee's sidecar, whose
timeout is the same, can close it under a request."""


class Dialler(Protocol):
    """Our certificate, as far as making connections goes; `client` changes with every renewal, `generation` counts them."""

    client: ssl.SSLContext | None
    generation: int


class Trying(NamedTuple):
    """How a callee's requests are retried, after what, and what a single try may take."""

    retries: Retries
    patience: TryPatience
    conditions: Conditions


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
        self.protocol = config.protocol
        self._dialler = dialler
        self._choose = choose
        self._config = config
        self._accepted: Container[str] = frozenset(config.spiffe_ids)
        self._all: list[Pool] = []
        self._pools: list[Pool] = []
        self._balancer: Balancer[Pool] = balancer(config.balancing, config.selection, choose)
        self._canary: Pool | None = None
        self._canary_below = 0
        self._most_requests = 0
        self._telemetry = telemetry
        self.pending = 0
        self.trying: Trying | None = None
        self._retries: Retries | None = None
        self._breaking: Breaking | None = None
        self.outliers = Outliers(loop, self._tell, self._refresh)
        self.apply(config, limits)

    def apply(self, config: Cluster, limits: Limits) -> None:
        """Obeys a new configuration of the same cluster."""
        former = {pool.endpoint: pool for pool in self._all}
        if (config.mtls, config.spiffe_ids) != (self._config.mtls, self._config.spiffe_ids):
            former, gone = {}, list(former.values())
        else:
            gone = [pool for endpoint, pool in former.items() if endpoint not in config.endpoints]
        if (config.balancing, config.selection) != (self._config.balancing, self._config.selection):
            self._balancer = balancer(config.balancing, config.selection, self._choose)
            for pool in former.values():
                pool.latency = None
        self._config, self.limits, self.connect_timeout_s = config, limits, config.connect_timeout_s
        self._accepted, self.protocol = frozenset(config.spiffe_ids), config.protocol
        self._all = [former.get(endpoint) or self.pool_class(self, endpoint) for endpoint in config.endpoints]
        for pool in self._all:
            pool.max_header_bytes, pool.max_headers = limits.max_header_bytes, limits.max_headers
            pool.speak(config.protocol)
        for pool in gone:
            pool.retire()
        self._apply_retry(config.retry)
        self._apply_breaker(config.breaker)
        self.outliers.apply(config.ejection, self._all, gone)
        self._refresh()
        if self.pending:
            self.serve_waiting()

    def _apply_retry(self, retry: Retry | None) -> None:
        """What was counted stays, here as below: counters that fall would look like a proxy that started anew."""
        if retry is None:
            self.trying = None
            return
        if self._retries is None:
            self._retries = made = Retries(retry, lambda: fraction(self._choose))
            self._tell("retries_total", lambda: made.made)
            self._tell("retries_denied_total", lambda: made.denied)
        if self.trying is None or self._retries.config != retry:
            self._retries.config = retry
            patience = TryPatience(self.loop, retry.per_try_timeout_s)
            self.trying = Trying(self._retries, patience, conditions(retry.on, retry.statuses))

    def _apply_breaker(self, breaker: Breaker | None) -> None:
        bound = None if breaker is None else breaker.max_requests
        self._most_requests = self.limits.max_requests if bound is None else min(bound, self.limits.max_requests)
        if self._retries is not None:
            bound = None if breaker is None else breaker.max_retries
            self._retries.most = UNBOUNDED if bound is None else bound
        if breaker is None:
            self._breaking = None
        elif self._breaking is None:
            self._breaking = made = Breaking(breaker)
            self._tell("requests_pending", lambda: self.pending)
            self._tell("breaker_refused_total", lambda: made.refused)
        else:
            self._breaking.config = breaker

    def _tell(self, metric: str, read: Callable[[], int]) -> None:
        self._telemetry.policies[metric, self._config.name] = read

    def _refresh(self) -> None:
        """Who may be picked: the endpoints that are not out, the canary apart if the calls are split."""
        well = [pool for pool in self._all if pool.record is None or not pool.record.out]
        split = self._config.split
        self._pools, self._canary = (well, None) if split is None else parted(well, self._all[-1:])
        every = self._all if self._canary is None or len(self._all) == 1 else self._all[:-1]
        self._balancer.refresh(every, self._pools)
        self._canary_below = 0 if split is None else round(split.canary_share * CHANCES)

    def retire(self) -> None:
        """The cluster is no longer configured."""
        for pool in self._all:
            pool.retire()

    def may_open(self, pool: Pool) -> bool:
        """Whether one connection more is allowed."""
        if self._breaking is None:
            return self.connections.open < self.limits.max_connections
        return self._breaking.may_open(self.connections.open, pool.connections)

    def line_up(self) -> None:
        """One request more waits for a connection; Refused if as many do as allowed."""
        if self._breaking is None:
            raise Refused(Failure.OVERFLOW, f"{self.limits.max_connections} connections")
        if not self._breaking.may_wait(self.pending):
            for pool in self._all:
                pool.forget_gone()
        if not self._breaking.may_wait(self.pending):
            raise Refused(Failure.BREAKER_OPEN, self._breaking.refuse())
        self.pending += 1

    def serve_waiting(self) -> None:
        """A connection less: those that wait may get one of their own."""
        for pool in self._all:
            pool.serve_waiting()

    def pick(self, asker: Asker | None = None) -> Pool:
        """The pool of the endpoint that gets the asker's request; Refused if there is none or the callee has enough to do."""
        pools = self._pools
        if self.traffic.active >= self._most_requests:
            self._too_many()
        if self._canary is not None and self._choose(CHANCES) < self._canary_below:
            return self._canary
        if len(pools) == 1:
            return pools[0]
        if not pools:
            raise Refused(Failure.NO_ENDPOINTS)
        return self._balancer.pick(asker)

    def _too_many(self) -> NoReturn:
        if self._breaking is not None and self._most_requests < self.limits.max_requests:
            raise Refused(Failure.BREAKER_OPEN, self._breaking.refuse_request())
        raise Refused(Failure.OVERFLOW, f"{self.limits.max_requests} requests")

    def pick_other(self, tried: Pool, asker: Asker | None = None) -> Pool:
        """As `pick`, for a request that was tried already: not there again unless there is nobody else."""
        pool = self.pick(asker)
        if pool is not tried:
            return pool
        others = [each for each in self._pools if each is not tried]
        if not others:
            return tried if self._canary is None else self._canary
        return others[self._choose(len(others))]

    def connection(self, pool: Pool) -> Upstream:
        """A connection that isn't made yet."""
        return Upstream(pool, self.loop, self.session(), self._accepted, self._dialler.generation)

    def shared_connection(self, lane: "Lane") -> "CallingConnection":
        """The same, of HTTP/2."""
        from meshes.builtin.proxy.http2.calling import CallingConnection  # noqa: PLC0415 - loaded only where it is spoken

        return CallingConnection(lane, self.loop, self.session("h2"), self._accepted, self._dialler.generation)

    def far_end(self, pool: Pool) -> "Far":
        """The same, for bytes that are the apps' own."""
        from meshes.builtin.proxy.tunnel import Far  # noqa: PLC0415 - loaded only where there are tunnels

        return Far(self.loop, self.session(TCP), self._accepted, lambda _: pool.one_less())

    def session(self, protocol: str = "http/1.1") -> TlsSession | None:
        """Our side of a handshake; None if the callee is asked in the clear."""
        if not self._config.mtls:
            return None
        assert self._dialler.client is not None
        return TlsSession(self._dialler.client, server=False, offers=(protocol,))

    def sweep(self, now_s: float, idle_s: float, age_s: float | None) -> None:
        """What has to be done from time to time."""
        self.outliers.sweep(now_s, self._all)
        oldest_s = -math.inf if age_s is None else now_s - age_s
        for pool in self._all:
            pool.sweep(now_s, idle_s * IDLE_SHARE, self._dialler.generation, oldest_s)
