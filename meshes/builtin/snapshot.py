"""The immutable configuration of one proxy: what the control plane sends and the proxy obeys, as JSON and back.

Validation is strict (unknown keys, wrong types, dangling names are refused) and complete, so whoever holds a `Snapshot` never
checks again. Knows nothing of sockets, nor of how a snapshot travels: the watch protocol is in `meshes.builtin.proxy.watch`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast

from meshes.builtin import policies
from meshes.builtin.policies import Authorization, Breaker, Ejection, Retry, Split, Tracing
from meshes.builtin.policies_balancing import BALANCINGS, Balancing, Selection, objection, read_selection
from meshes.builtin.reading import Section, SnapshotError

__all__ = [
    "Captured",
    "Cluster",
    "Endpoint",
    "Inbound",
    "Limits",
    "Outbound",
    "Section",
    "Snapshot",
    "SnapshotError",
    "Timeouts",
]

Spoken = Literal["auto", "http/1.1", "http/2", "tcp", "detect"]
SPOKEN = ("auto", "http/1.1", "http/2", "tcp", "detect")
SPIFFE = "spiffe://"
DETECT_S = 1.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and a TCP port; `address:port` in JSON."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Cluster:
    """The endpoints of one callee.

    With `mtls` the certificate of each endpoint has to carry one of `spiffe_ids`. `least-request` and `peak-ewma` are the
    better of two random choices, `selection` is what is beyond a balancing's name. `protocol` is what the endpoints are asked in; `auto`:
    gRPC's calls in HTTP/2, all else in HTTP/1.1; `tcp`: bytes, whatever they are; `detect`: `tcp` unless it begins as HTTP does. Policies
    that are None are not there.
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    spiffe_ids: tuple[str, ...] = ()
    balancing: Balancing = "round-robin"
    mtls: bool = True
    connect_timeout_s: float = 1.0
    retry: Retry | None = None
    breaker: Breaker | None = None
    ejection: Ejection | None = None
    split: Split | None = None
    protocol: Spoken = "auto"
    selection: Selection | None = None


@dataclass(frozen=True, slots=True)
class Inbound:
    """From other sidecars to the app. With `mtls` every peer needs a certificate of the trust domain (strict), unless it is `permissive`:
    then who doesn't begin with TLS is let in too, without identity. `protocol` is what the app is asked in, as in Cluster."""

    app: Endpoint
    port: int = 15006
    mtls: bool = True
    connect_timeout_s: float = 1.0
    authorization: Authorization | None = None
    protocol: Spoken = "auto"
    permissive: bool = False


@dataclass(frozen=True, slots=True)
class Outbound:
    """From the app to callees: `routes` gives the cluster of a host name; any port after the name is accepted. `ports` are ports of our own
    for one cluster each, in whatever its protocol is. `connect` allows CONNECT to the names of `routes`."""

    routes: Mapping[str, str] = field(default_factory=dict)
    port: int = 15001
    ports: Mapping[int, str] = field(default_factory=dict)
    connect: bool = False


@dataclass(frozen=True, slots=True)
class Captured:
    """The kernel redirects the pod's connections to the proxy: `destinations` gives the cluster of an `address:port` they were for."""

    destinations: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """`request_s`: outbound, from the request's last byte to the response's last byte, 0 = none. `idle_s`: a connection
    without a request, either side. `age_s`: a connection, either side, after which it takes no new request; None = any. `detect_s`: who
    says nothing for so long speaks a protocol in which the server begins."""

    request_s: float = 15.0
    idle_s: float = 300.0
    age_s: float | None = None
    detect_s: float = DETECT_S


@dataclass(frozen=True, slots=True)
class Limits:
    """What a peer may claim. `max_connections` holds per listener and per cluster, `max_requests` per cluster; what is beyond them
    is refused at once, there is no queue."""

    max_header_bytes: int = 60 * 1024
    max_headers: int = 100
    max_connections: int = 1024
    max_requests: int = 1024
    buffer_bytes: int = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a proxy has to know, in one version; `version` is a positive integer that the control plane counts up."""

    version: int
    spiffe_id: str
    trust_domain: str
    inbound: Inbound
    outbound: Outbound = field(default_factory=Outbound)
    clusters: tuple[Cluster, ...] = ()
    timeouts: Timeouts = field(default_factory=Timeouts)
    limits: Limits = field(default_factory=Limits)
    admin_port: int = 15000
    metrics_port: int = 15090
    access_log: bool = False
    tracing: Tracing | None = None
    captured: Captured | None = None

    def document(self) -> dict[str, Any]:
        """The snapshot as a JSON-able value; `from_document` is its inverse."""
        document = asdict(self)
        document["inbound"]["app"] = str(self.inbound.app)
        document["outbound"]["routes"] = dict(self.outbound.routes)
        document["outbound"]["ports"] = {str(port): name for port, name in self.outbound.ports.items()}
        for cluster, written in zip(self.clusters, document["clusters"], strict=True):
            written["endpoints"] = [str(endpoint) for endpoint in cluster.endpoints]
            written["spiffe_ids"] = list(cluster.spiffe_ids)
        document["clusters"] = [policies.without_none(written) for written in document["clusters"]]
        _leave_out(document["inbound"], protocol="auto", permissive=False)
        _leave_out(document["outbound"], ports={}, connect=False)
        _leave_out(document["timeouts"], detect_s=DETECT_S)
        for written in document["clusters"]:
            _leave_out(written, protocol="auto")
        if self.inbound.authorization is not None:
            document["inbound"]["authorization"] = policies.plain(self.inbound.authorization)
        return policies.without_none(document)

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps(self.document(), separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Snapshot":
        """The snapshot of a JSON text; SnapshotError says what is wrong with it and where."""
        try:
            return cls.from_document(json.loads(text))
        except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise SnapshotError(f"snapshot is not JSON: {error}") from error

    @classmethod
    def from_document(cls, document: object) -> "Snapshot":
        """The snapshot of a JSON value; SnapshotError says what is wrong with it and where."""
        with Section("snapshot", document) as read:
            snapshot = cls(
                version=read.integer("version", 1, 2**53),
                spiffe_id=read.text("spiffe_id"),
                trust_domain=read.text("trust_domain"),
                inbound=_inbound(read.section("inbound")),
                outbound=_outbound(read.section("outbound")),
                clusters=tuple(map(_cluster, read.sections("clusters"))),
                timeouts=_timeouts(read.section("timeouts")),
                limits=_limits(read.section("limits")),
                admin_port=read.port("admin_port"),
                metrics_port=read.port("metrics_port"),
                access_log=read.flag("access_log"),
                tracing=policies.optional(read, "tracing", policies.read_tracing),
                captured=policies.optional(read, "captured", _captured),
            )
        _check(snapshot)
        return snapshot


def _leave_out(document: dict[str, Any], **defaults: object) -> None:  # Any: JSON values
    """What is as it is where nothing is said."""
    for key, value in defaults.items():
        if document[key] == value:
            del document[key]


def _inbound(section: Section) -> Inbound:
    with section as read:
        return Inbound(
            app=_endpoint(read.endpoint("app")),
            port=read.port("port"),
            mtls=read.flag("mtls"),
            connect_timeout_s=read.number("connect_timeout_s", 0.001, 3600),
            authorization=policies.optional(read, "authorization", policies.read_authorization),
            protocol=_spoken(read),
            permissive=read.has("permissive") and read.flag("permissive"),
        )


def _outbound(section: Section) -> Outbound:
    with section as read:
        return Outbound(
            routes=read.names("routes"),
            port=read.port("port"),
            ports=_ports(read.names("ports")) if read.has("ports") else {},
            connect=read.has("connect") and read.flag("connect"),
        )


def _ports(named: Mapping[str, str]) -> Mapping[int, str]:
    for port in named:
        if not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise SnapshotError(f"snapshot.outbound.ports has {port!r}: its keys have to be ports from 1 to 65535")
    return {int(port): name for port, name in named.items()}


def _captured(section: Section) -> Captured:
    with section as read:
        return Captured(read.names("destinations"))


def _cluster(section: Section) -> Cluster:
    with section as read:
        return Cluster(
            name=read.text("name"),
            endpoints=tuple(map(_endpoint, read.endpoints("endpoints"))),
            spiffe_ids=read.texts("spiffe_ids"),
            balancing=cast("Balancing", read.choice("balancing", BALANCINGS)),
            mtls=read.flag("mtls"),
            connect_timeout_s=read.number("connect_timeout_s", 0.001, 3600),
            retry=policies.optional(read, "retry", policies.read_retry),
            breaker=policies.optional(read, "breaker", policies.read_breaker),
            ejection=policies.optional(read, "ejection", policies.read_ejection),
            split=policies.optional(read, "split", policies.read_split),
            protocol=_spoken(read),
            selection=policies.optional(read, "selection", read_selection),
        )


def _spoken(read: Section) -> Spoken:
    return cast("Spoken", read.choice("protocol", SPOKEN)) if read.has("protocol") else "auto"


def _timeouts(section: Section) -> Timeouts:
    with section as read:
        return Timeouts(
            request_s=read.number("request_s", 0, 86400),
            idle_s=read.number("idle_s", 0.01, 86400),
            age_s=read.number("age_s", 0.01, 86400 * 365) if read.has("age_s") else None,
            detect_s=read.number("detect_s", 0.001, 60) if read.has("detect_s") else DETECT_S,
        )


def _limits(section: Section) -> Limits:
    with section as read:
        return Limits(
            max_header_bytes=read.integer("max_header_bytes", 1024, 2**24),
            max_headers=read.integer("max_headers", 1, 10_000),
            max_connections=read.integer("max_connections", 1, 2**20),
            max_requests=read.integer("max_requests", 1, 2**20),
            buffer_bytes=read.integer("buffer_bytes", 1024, 2**30),
        )


def _endpoint(pair: tuple[str, int]) -> Endpoint:
    return Endpoint(*pair)


def _check(snapshot: Snapshot) -> None:
    """What concerns more than one value: identities in the trust domain, unique names, routes to clusters that exist."""
    prefix = f"{SPIFFE}{snapshot.trust_domain}/"
    if not snapshot.spiffe_id.startswith(prefix):
        raise SnapshotError(f"snapshot.spiffe_id is {snapshot.spiffe_id!r}: it has to begin with {prefix!r}")
    names = [cluster.name for cluster in snapshot.clusters]
    if len(set(names)) != len(names):
        raise SnapshotError(f"snapshot.clusters has a name twice: {', '.join(sorted(names))}")
    destinations = snapshot.captured.destinations if snapshot.captured else {}
    for where, named in (
        ("outbound.routes", snapshot.outbound.routes.items()),
        ("outbound.ports", snapshot.outbound.ports.items()),
        ("captured.destinations", destinations.items()),
    ):
        for key, name in named:
            if name not in names:
                raise SnapshotError(
                    f"snapshot.{where}[{str(key)!r}] is {name!r}: have clusters {', '.join(names) or 'none'}"
                )
    for cluster in snapshot.clusters:
        _check_cluster(cluster)
    if snapshot.inbound.authorization is not None and not snapshot.inbound.mtls:
        raise SnapshotError("snapshot.inbound has authorization, but no mtls: without it nobody's identity is known")
    _check_ports(snapshot)


def _check_ports(snapshot: Snapshot) -> None:
    if snapshot.inbound.permissive and not snapshot.inbound.mtls:
        raise SnapshotError("snapshot.inbound is permissive, but has no mtls: without it everybody is let in anyway")
    own = (snapshot.inbound.port, snapshot.outbound.port, snapshot.admin_port, snapshot.metrics_port)
    ports = (*own, *snapshot.outbound.ports)
    if len(set(ports)) != len(ports):
        raise SnapshotError(
            f"snapshot has a port twice among inbound, outbound, admin, metrics, outbound.ports: {ports}"
        )


def _check_cluster(cluster: Cluster) -> None:
    if wrong := objection(cluster.balancing, cluster.selection):
        raise SnapshotError(f"cluster {cluster.name!r} is balanced by {cluster.balancing}: {wrong}")
    if cluster.mtls and not cluster.spiffe_ids:
        raise SnapshotError(f"cluster {cluster.name!r} has mtls, but no spiffe_ids: name the identities to expect")
