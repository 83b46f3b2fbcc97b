"""One proxy: its listeners, its clusters and its pages, all obeying one snapshot. Doesn't know where snapshots come from."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Container, Coroutine
from typing import TYPE_CHECKING

from meshes.builtin.proxy import rules as compiled
from meshes.builtin.proxy.access_log import AccessLog
from meshes.builtin.proxy.admin import Admin
from meshes.builtin.proxy.authorization import Guard
from meshes.builtin.proxy.balancing import fraction, seeded, seeded_bits
from meshes.builtin.proxy.cluster import Callee
from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.listener import Listener
from meshes.builtin.proxy.patience import Patience
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.proxy.tls import Members
from meshes.builtin.proxy.tracing import Tracer
from meshes.builtin.snapshot import Cluster, Snapshot, SnapshotError

if TYPE_CHECKING:
    from meshes.builtin.proxy.capture import Capture

LOCAL = "local"
"""The cluster name of the app beside the proxy, in metrics."""


class PortTakenError(Exception):
    """A port that the first snapshot names can't be had; the proxy is of no use."""


class Proxy:
    """`apply` is the only way to change it. Until the first snapshot it has no port."""

    def __init__(
        self,
        address: str,
        spiffe_id: str,
        credentials: Credentials,
        telemetry: Telemetry,
        loop: asyncio.AbstractEventLoop,
        write_log: Callable[[bytes], object],
    ) -> None:
        self._address = address
        self._spiffe_id = spiffe_id
        self._credentials = credentials
        self._telemetry = telemetry
        self._loop = loop
        self._write_log = write_log
        self._choose = seeded(int.from_bytes(os.urandom(8)))
        self._app: Callee | None = None
        self._callees: dict[str, Callee] = {}
        self._inbound: Listener | None = None
        self._outbound: Listener | None = None
        self._ports: dict[int, Listener] = {}
        self._leaving: list[Listener] = []
        self._admin: list[Admin] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._capture: Capture | None = None
        self.snapshot: Snapshot | None = None

    async def apply(self, snapshot: Snapshot) -> None:
        """Obeys a snapshot from the next request on. SnapshotError: it is refused, and the former one stays in force;
        PortTakenError: that of the first one."""
        self._check(snapshot)
        former = self.snapshot
        accepted = Members(snapshot.trust_domain)
        inbound, outbound = self._inbound_rules(snapshot), self._outbound_rules(snapshot)
        if self._inbound is None or self._outbound is None:
            await self._open(snapshot, inbound, outbound, accepted)
        else:
            for listener, made in ((self._inbound, inbound), (self._outbound, outbound)):
                listener.rules, listener.max_connections = made, snapshot.limits.max_connections
            self._inbound.guard = self._credentials if snapshot.inbound.mtls else None
            self._inbound.accepted = accepted
        for listening in (self._inbound, self._outbound):
            if listening is not None:
                listening.limit_age(snapshot.timeouts.age_s, lambda: fraction(self._choose))
        if self._capture is not None:
            self._capture.apply(snapshot, self._callees, inbound, outbound)
        await self._apply_ports(snapshot, outbound)
        self.snapshot = snapshot
        self._telemetry.snapshot_version = snapshot.version
        if former is None:
            self._sweep()

    def _check(self, snapshot: Snapshot) -> None:
        if snapshot.spiffe_id != self._spiffe_id:
            raise SnapshotError(f"snapshot.spiffe_id is {snapshot.spiffe_id!r}: this proxy is {self._spiffe_id!r}")
        if (
            snapshot.inbound.mtls or any(cluster.mtls for cluster in snapshot.clusters)
        ) and not self._credentials.generation:
            raise SnapshotError("snapshot demands mtls: this proxy has no certificate yet")
        if self.snapshot is not None and (snapshot.captured is None) != (self.snapshot.captured is None):
            raise SnapshotError(
                "snapshot changes whether connections are captured: that can't change while the proxy runs"
            )
        if self.snapshot is not None and _ports(snapshot) != _ports(self.snapshot):
            raise SnapshotError(
                f"snapshot has the ports {_ports(snapshot)}: {_ports(self.snapshot)} can't change while it runs"
            )

    def _inbound_rules(self, snapshot: Snapshot) -> compiled.Rules:
        inbound = snapshot.inbound
        config = Cluster(
            LOCAL,
            (inbound.app,),
            mtls=False,
            connect_timeout_s=inbound.connect_timeout_s,
            protocol=inbound.protocol,
        )
        if self._app is None:
            self._app = self._callee(config, snapshot, "inbound")
        else:
            self._app.apply(config, snapshot.limits)
        guard = Guard(inbound.authorization) if inbound.authorization else None
        log, tracer = self._log(snapshot, "inbound"), self._tracer(snapshot)
        permissive, detect_s = inbound.permissive, snapshot.timeouts.detect_s
        entrance = compiled.entrance(inbound.protocol, self._app, permissive=permissive, detect_s=detect_s)
        return compiled.inbound(self._app, str(inbound.app), snapshot.limits, log, guard, tracer, entrance)

    def _outbound_rules(self, snapshot: Snapshot) -> compiled.Rules:
        former, self._callees = self._callees, {}
        for config in snapshot.clusters:
            callee = former.pop(config.name, None)
            if callee is None:
                callee = self._callee(config, snapshot, "outbound")
            else:
                callee.apply(config, snapshot.limits)
            self._callees[config.name] = callee
        for callee in former.values():
            callee.retire()
        request_s = snapshot.timeouts.request_s
        patience = Patience(self._loop, request_s) if request_s else None
        log, tracer = self._log(snapshot, "outbound"), self._tracer(snapshot)
        outbound = snapshot.outbound
        connects = outbound.connect
        return compiled.outbound(
            outbound.routes, self._callees, snapshot.limits, patience, log, tracer, connects=connects
        )

    async def _apply_ports(self, snapshot: Snapshot, outbound: compiled.Rules) -> None:
        """Ports for one cluster each come and go with the configuration; connections through one that has gone are finished."""
        wanted = snapshot.outbound.ports
        for port in self._ports.keys() - wanted.keys():
            leaving = self._ports.pop(port)
            leaving.drain()
            self._leaving = [*(each for each in self._leaving if not each.empty.is_set()), leaving]
        for port, cluster in wanted.items():
            callee = self._callees[cluster]
            rules = compiled.only(outbound, callee, detect_s=snapshot.timeouts.detect_s)
            listener = self._ports.get(port)
            if listener is None:
                listener = Listener("outbound", rules, snapshot.limits.max_connections, self._telemetry, self._loop)
                await self._bind(listener.bind, port)
                self._ports[port] = listener
            listener.rules, listener.max_connections = rules, snapshot.limits.max_connections

    def _log(self, snapshot: Snapshot, direction: str) -> AccessLog | None:
        return AccessLog(direction, self._write_log, time.time_ns) if snapshot.access_log else None

    def _tracer(self, snapshot: Snapshot) -> Tracer | None:
        return Tracer(snapshot.tracing, seeded_bits(int.from_bytes(os.urandom(8)))) if snapshot.tracing else None

    def _callee(self, config: Cluster, snapshot: Snapshot, direction: str) -> Callee:
        return Callee(config, snapshot.limits, self._credentials, self._telemetry, direction, self._loop, self._choose)

    async def _open(
        self, snapshot: Snapshot, inbound: compiled.Rules, outbound: compiled.Rules, accepted: Container[str]
    ) -> None:
        most = snapshot.limits.max_connections
        guard = self._credentials if snapshot.inbound.mtls else None
        kind = Listener if snapshot.captured is None else self._begin_capture(snapshot)
        self._inbound = kind("inbound", inbound, most, self._telemetry, self._loop, guard, accepted)
        self._outbound = kind("outbound", outbound, most, self._telemetry, self._loop)
        if self._capture is not None:
            self._capture.listen(self._inbound, self._outbound)
            self._capture.apply(snapshot, self._callees, inbound, outbound)
        metrics = Admin({b"/metrics": lambda: (200, self._telemetry.text()), b"/ready": self._ready}, self._loop)
        admin = Admin(
            {b"/ready": self._ready, b"/config_dump": self._config_dump, b"/status": self._status}, self._loop
        )
        self._admin = [metrics, admin]
        # The admin port comes last: whoever can ask whether the proxy is ready is told that it is.
        binds = (self._inbound.bind, self._outbound.bind, metrics.bind, admin.bind)
        for bind, port in zip(binds, _ports(snapshot), strict=True):
            await self._bind(bind, port)

    async def _bind(self, bind: Callable[[str, int], Coroutine[None, None, None]], port: int) -> None:
        try:
            await bind(self._address, port)
        except OSError as error:
            raise PortTakenError(f"{self._address}:{port} can't be listened on: {error.strerror or error}") from error

    def _begin_capture(self, snapshot: Snapshot) -> type[Listener]:
        """What it needs is loaded only where it is used."""
        from meshes.builtin.proxy.capture import Capture, CapturedListener  # noqa: PLC0415

        def make(config: Cluster, direction: str) -> Callee:
            return self._callee(config, self.snapshot or snapshot, direction)

        self._capture = Capture(make, self._loop, snapshot.inbound.connect_timeout_s)
        return CapturedListener

    def _listeners(self) -> list[Listener]:
        named = [listener for listener in (self._inbound, self._outbound) if listener is not None]
        return [*named, *self._ports.values(), *self._leaving]

    def _all_callees(self) -> list[Callee]:
        own = [] if self._app is None else [self._app]
        return [*own, *self._callees.values(), *(self._capture.callees() if self._capture else ())]

    def _ready(self) -> tuple[int, str]:
        draining = self._inbound is None or self._inbound.draining
        return (503, "draining\n") if draining else (200, "ready\n")

    def _status(self) -> tuple[int, str]:
        """Where the proxy stands with its control plane; the errors are past ones if the numbers move on."""
        seen = self._telemetry
        document = {
            "version": seen.snapshot_version,
            "refused": seen.snapshots_refused,
            "certificates": seen.certificates,
            "certificate_not_after": seen.certificate_not_after,
            "control_errors": seen.control_errors,
            "last_control_error": seen.control_error,
        }
        return 200, json.dumps(document) + "\n"

    def _config_dump(self) -> tuple[int, str]:
        return (200, self.snapshot.to_json() + "\n") if self.snapshot is not None else (503, "no snapshot yet\n")

    def _sweep(self) -> None:
        """What nobody notices by itself: idle and stalled connections. Often enough to be a quarter late at most."""
        assert self.snapshot is not None
        now_s, idle_s = self._loop.time(), self.snapshot.timeouts.idle_s
        for listener in self._listeners():
            listener.sweep(now_s, idle_s)
            listener.flush_log()
        for callee in self._all_callees():
            callee.sweep(now_s, idle_s, self.snapshot.timeouts.age_s)
        self._sweeper = self._loop.call_later(min(idle_s / 4, 1.0), self._sweep)

    async def drain(self, within_s: float) -> None:
        """Accepts no more, lets requests in flight finish for so long, then ends what is left."""
        listeners = self._listeners()
        for listener in listeners:
            listener.drain()
        try:
            async with asyncio.timeout(within_s):
                for listener in listeners:
                    await listener.empty.wait()
        except TimeoutError:
            for listener in listeners:
                listener.cut()
        for listener in listeners:
            listener.flush_log()
        for callee in self._all_callees():
            callee.retire()
        for admin in self._admin:
            admin.close()
        if self._sweeper is not None:
            self._sweeper.cancel()


def _ports(snapshot: Snapshot) -> tuple[int, ...]:
    return snapshot.inbound.port, snapshot.outbound.port, snapshot.metrics_port, snapshot.admin_port
