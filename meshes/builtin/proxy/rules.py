"""A snapshot compiled for one listener: names to clusters, limits and heads that are known already. Decides, opens nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from meshes.builtin.proxy.access_log import AccessLog
from meshes.builtin.proxy.authorization import Guard
from meshes.builtin.proxy.cluster import Callee
from meshes.builtin.proxy.memo import RequestMemo
from meshes.builtin.proxy.patience import Patience
from meshes.builtin.proxy.request import RequestHead
from meshes.builtin.proxy.tracing import Tracer
from meshes.builtin.snapshot import Limits

if TYPE_CHECKING:
    from meshes.builtin.proxy.undecided import Entrance


@dataclass(frozen=True, slots=True)
class Rules:
    """Never changes. `heads` reads a request's head and remembers it; `fallback` gets what no name in `callees` matches; `host`
    stands in for a missing Host (HTTP/1.0); without `patience` there is no request timeout.
    What is None (log, guard, tracer) is not there; without `entrance` connections speak HTTP, in TLS where their listener has it.
    `connects`: CONNECT is allowed."""

    callees: Mapping[bytes, Callee]
    fallback: Callee | None
    host: bytes
    max_header_bytes: int
    max_headers: int
    buffer_bytes: int
    patience: Patience | None
    log: AccessLog | None = None
    guard: Guard | None = None
    tracer: Tracer | None = None
    entrance: "Entrance | None" = None
    connects: bool = False
    heads: Mapping[bytes, RequestHead] = field(default_factory=RequestMemo)


def outbound(
    routes: Mapping[str, str],
    callees: Mapping[str, Callee],
    limits: Limits,
    patience: Patience | None,
    log: AccessLog | None,
    tracer: Tracer | None,
    *,
    connects: bool = False,
) -> Rules:
    """Requests of the app: the host decides, nothing else is let out."""
    names = {host.encode(): callees[cluster] for host, cluster in routes.items()}
    bounds = (limits.max_header_bytes, limits.max_headers, limits.buffer_bytes)
    return Rules(names, None, b"", *bounds, patience, log, None, tracer, connects=connects)


def inbound(
    app: Callee,
    host: str,
    limits: Limits,
    log: AccessLog | None,
    guard: Guard | None,
    tracer: Tracer | None,
    entrance: "Entrance | None" = None,
) -> Rules:
    """Requests of other sidecars: all go to the app. They are cut by the caller's sidecar alone, so nothing is cut twice."""
    bounds = (limits.max_header_bytes, limits.max_headers, limits.buffer_bytes)
    return Rules({}, app, host.encode(), *bounds, None, log, guard, tracer, entrance)


def entrance(protocol: str, app: Callee, *, permissive: bool, detect_s: float) -> "Entrance | None":
    """What connections may be, if they may be more than HTTP in one form; what that needs is loaded only then."""
    if protocol not in ("tcp", "detect") and not permissive:
        return None
    from meshes.builtin.proxy.undecided import Entrance  # noqa: PLC0415

    return Entrance(protocol if protocol in ("tcp", "detect") else "http", permissive, app, detect_s)


def only(base: Rules, callee: Callee, *, detect_s: float) -> Rules:
    """The rules of a port or an address that stands for one callee, whatever name a request has."""
    door = entrance(callee.protocol, callee, permissive=False, detect_s=detect_s)
    return replace(base, callees={}, fallback=callee, entrance=door)
