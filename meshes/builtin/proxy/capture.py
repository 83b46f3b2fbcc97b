"""Connections that the kernel redirected to us: the rules of where each was going. Without capture nothing here is loaded.

Outbound, the address decides and not the `Host`: a Service of the mesh, or one endpoint of it, is HTTP by the rules of its cluster; every
other address is passed on as plain TCP. Inbound, the port decides: each is HTTP for the app at that port of loopback.
"""

import asyncio
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, cast
from weakref import WeakValueDictionary

from meshes.builtin.proxy.cluster import Callee
from meshes.builtin.proxy.downstream import Downstream
from meshes.builtin.proxy.downstream import Listener as Gate
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.listener import Listener
from meshes.builtin.proxy.original import destination
from meshes.builtin.proxy.relay import Relay
from meshes.builtin.proxy.rules import Rules, entrance, only
from meshes.builtin.proxy.tls import TlsSession
from meshes.builtin.proxy.wire import Wire
from meshes.builtin.snapshot import Cluster, Endpoint, Snapshot

if TYPE_CHECKING:
    from meshes.builtin.proxy.undecided import Entrance

MAX_PORTS = 64
"""Of one app; whoever scans a pod's ports gets no more of our memory."""

Make = Callable[[Cluster], Callee]


class Door:
    """The listener, with the rules of one destination."""

    def __init__(self, listener: Listener, rules: Rules) -> None:
        self.rules = rules
        self._listener = listener

    @property
    def draining(self) -> bool:
        return self._listener.draining

    def opened(self, connection: Downstream) -> bool:
        return self._listener.opened(connection)

    def shaken(self) -> None:
        self._listener.shaken()

    def tls_failed(self) -> None:
        self._listener.tls_failed()

    def replaced(self, connection: Wire, by: Wire) -> None:
        self._listener.replaced(connection, by)

    def closed(self, connection: Downstream) -> None:
        self._listener.closed(connection)

    def failed(self, failure: Failure) -> None:
        self._listener.failed(failure)


Way = Door | Listener | Relay | None
"""Rules to obey, a connection to be passed on, or None: it must not be."""


class Ways(Protocol):
    """Finds the way of a connection by where it was going."""

    def way(self, listener: "CapturedListener", meant: Endpoint | None) -> Way: ...


class CapturedDownstream(Downstream):
    """Looks where it was going before it is anything else."""

    __slots__ = ("_captor",)

    def __init__(
        self,
        captor: "CapturedListener",
        loop: asyncio.AbstractEventLoop,
        tls: TlsSession | None,
        accepted: Container[str],
    ) -> None:
        super().__init__(captor, loop, tls, accepted)
        self._captor = captor

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        way = self._captor.ways.way(self._captor, destination(transport))
        if way is None:
            transport.close()
        elif isinstance(way, Relay):
            transport.set_protocol(way)
            way.connection_made(transport)
        elif (entrance := way.rules.entrance) is not None:
            self._undecided(way, entrance, transport)
        else:
            self._listener = cast("Gate", way)
            self._rules = way.rules
            super().connection_made(transport)

    def _undecided(self, way: "Door | Listener", entrance: "Entrance", transport: asyncio.BaseTransport) -> None:
        from meshes.builtin.proxy.undecided import Undecided  # noqa: PLC0415 - loaded already, by who made the entrance

        captor = self._captor
        becomes = Undecided(cast("Gate", way), entrance, self._loop, captor.session, captor.accepted)
        cast("asyncio.Transport", transport).set_protocol(becomes)
        becomes.connection_made(transport)


class CapturedListener(Listener):
    """A listener to which connections are redirected; `ways` is given to it before its port is bound."""

    ways: Ways

    def _connection(self) -> Downstream:
        return CapturedDownstream(self, self._loop, self.session(), self.accepted)


class Outward:
    """From the app to the world. A door lasts as long as a connection through it, also while its destination is gone."""

    def __init__(self, make: Make, loop: asyncio.AbstractEventLoop, connect_timeout_s: float) -> None:
        self._make = make
        self._loop = loop
        self._connect_timeout_s = connect_timeout_s
        self._doors = WeakValueDictionary[str, Door]()
        self._single: dict[str, Callee] = {}
        self._rules: dict[str, Rules] = {}
        self._clusters: dict[str, Cluster] = {}
        self._base: Rules | None = None
        self._detect_s = 0.0

    def apply(self, snapshot: Snapshot, callees: dict[str, Callee], base: Rules) -> None:
        """Obeys a new snapshot; open connections too. `base` are the rules by name."""
        assert snapshot.captured is not None
        self._base, self._detect_s = base, snapshot.timeouts.detect_s
        self._clusters = {str(each): config for config in snapshot.clusters for each in config.endpoints}
        for name in self._single.keys() - self._clusters.keys():
            self._single.pop(name).retire()
        for name, callee in self._single.items():
            callee.apply(_alone(self._clusters[name], _endpoint(self._clusters[name], name)), snapshot.limits)
        self._rules = {name: self._only(callee) for name, callee in self._single.items()}
        meant = snapshot.captured.destinations
        self._rules |= {address: self._only(callees[cluster]) for address, cluster in meant.items()}
        for name, door in list(self._doors.items()):
            door.rules = self._rules_of(name) or replace(base, callees={})

    def way(self, listener: CapturedListener, meant: Endpoint | None) -> Way:
        """A connection straight to us obeys its `Host`."""
        if meant is None:
            return listener
        name = str(meant)
        if (rules := self._rules_of(name)) is None:
            return Relay(listener, self._loop, meant, self._connect_timeout_s)
        door = self._doors.get(name)
        if door is None:
            door = self._doors[name] = Door(listener, rules)
        return door

    def _rules_of(self, name: str) -> Rules | None:
        """None for an address that the mesh doesn't know. An endpoint has rules of its own once it is asked for."""
        if name not in self._rules and name in self._clusters:
            config = self._clusters[name]
            self._single[name] = callee = self._make(_alone(config, _endpoint(config, name)))
            self._rules[name] = self._only(callee)
        return self._rules.get(name)

    def _only(self, callee: Callee) -> Rules:
        assert self._base is not None
        return only(self._base, callee, detect_s=self._detect_s)

    def callees(self) -> Iterator[Callee]:
        """Those that nobody else knows."""
        yield from self._single.values()


class Inward:
    """From the world to the app."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._doors: dict[int, Door] = {}
        self._apps: dict[int, Callee] = {}
        self._snapshot: Snapshot | None = None

    def apply(self, snapshot: Snapshot, base: Rules) -> None:
        """Obeys a new snapshot; open connections too."""
        self._snapshot = snapshot
        for port, door in self._doors.items():
            self._apps[port].apply(_app(snapshot, port), snapshot.limits)
            door.rules = self._for(base, self._apps[port])

    def way(self, listener: CapturedListener, meant: Endpoint | None) -> Way:
        """None for our own ports, which aren't the app's, and for more ports than an app has."""
        snapshot = self._snapshot
        assert snapshot is not None
        if meant is None or meant.port in (snapshot.inbound.app.port, snapshot.inbound.port):
            return listener
        if meant.port in (snapshot.outbound.port, snapshot.admin_port, snapshot.metrics_port):
            return None
        if meant.port not in self._doors:
            if len(self._doors) >= MAX_PORTS:
                return None
            self._apps[meant.port] = app = self._make(_app(snapshot, meant.port))
            self._doors[meant.port] = Door(listener, self._for(listener.rules, app))
        return self._doors[meant.port]

    def _for(self, base: Rules, app: Callee) -> Rules:
        """Bytes are of the port that they were sent to, as requests are."""
        assert self._snapshot is not None
        inbound, detect_s = self._snapshot.inbound, self._snapshot.timeouts.detect_s
        door = entrance(inbound.protocol, app, permissive=inbound.permissive, detect_s=detect_s)
        return replace(base, fallback=app, entrance=door)

    def callees(self) -> Iterator[Callee]:
        """Those that nobody else knows."""
        yield from self._apps.values()


class Capture:
    """Both directions of one proxy; `make` gives the running form of a cluster in a direction."""

    def __init__(
        self, make: Callable[[Cluster, str], Callee], loop: asyncio.AbstractEventLoop, connect_timeout_s: float
    ) -> None:
        self._inward = Inward(lambda config: make(config, "inbound"))
        self._outward = Outward(lambda config: make(config, "outbound"), loop, connect_timeout_s)

    def listen(self, inbound: Listener, outbound: Listener) -> None:
        """These are the ports that connections are redirected to."""
        assert isinstance(inbound, CapturedListener)
        assert isinstance(outbound, CapturedListener)
        inbound.ways, outbound.ways = self._inward, self._outward

    def apply(self, snapshot: Snapshot, callees: dict[str, Callee], inbound: Rules, outbound: Rules) -> None:
        """Obeys a new snapshot; the rules are those of connections that come straight to us."""
        self._inward.apply(snapshot, inbound)
        self._outward.apply(snapshot, callees, outbound)

    def callees(self) -> Iterator[Callee]:
        """Those that nobody else knows."""
        yield from self._inward.callees()
        yield from self._outward.callees()


def _alone(config: Cluster, endpoint: Endpoint) -> Cluster:
    """One endpoint of a cluster, asked for by its address: nothing is left to choose."""
    return replace(
        config, name=f"{config.name}@{endpoint}", endpoints=(endpoint,), split=None, ejection=None, selection=None
    )


def _endpoint(config: Cluster, name: str) -> Endpoint:
    return next(each for each in config.endpoints if str(each) == name)


def _app(snapshot: Snapshot, port: int) -> Cluster:
    inbound = snapshot.inbound
    endpoint = Endpoint(inbound.app.address, port)
    return Cluster(
        f"local:{port}",
        (endpoint,),
        mtls=False,
        connect_timeout_s=inbound.connect_timeout_s,
        protocol=inbound.protocol,
    )
