"""The control plane's input, read strictly: services with their endpoints, proxies with their tokens, settings. Pure.

```json
{"mtls": true, "balancing": "round-robin", "leaf_lifetime_s": 86400, "access_log": false,
 "timeouts": {"connect_s": 1.0, "request_s": 15.0, "idle_s": 300.0},
 "limits": {"max_header_bytes": 61440, "max_headers": 100, "max_connections": 1024, "max_requests": 1024, "buffer_bytes": 1048576},
 "services": {"b": {"endpoints": ["127.77.0.2:15006"], "calls": []}},
 "policies": {"retry": {…}, "breaker": {…}, "ejection": {…}, "split": {…}, "tracing": {…},
              "authorization": {"callers": ["spiffe://…/probe"], "denied_prefix": "/denied"}},
 "proxies": {"b-0": {"service": "b", "app": "127.77.0.2:8080", "token": "…"}}}
```

A service may have `identities` (of its endpoints), `names` (further host names) and `addresses` (`address:port` at which captured calls
are meant for it); a proxy may have an `identity`, and then no token; `captured` says that the kernel redirects connections to proxies.
Each policy may be left out. The callers of `authorization` may call every service, beside those that do by `calls`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from meshes.builtin import policies
from meshes.builtin.policies import Authorization, Breaker, Ejection, Retry, Split, Tracing
from meshes.builtin.policies_balancing import UNHASHED, Balancing
from meshes.builtin.reading import Section, SnapshotError
from meshes.builtin.snapshot import Endpoint, Limits, Timeouts

MIN_LIFETIME_S = 2
MAX_LIFETIME_S = 30 * 24 * 3600


@dataclass(frozen=True, slots=True)
class MeshService:
    """Where the sidecars of a service listen, and which services it calls."""

    endpoints: tuple[Endpoint, ...]
    calls: tuple[str, ...]
    identities: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    addresses: tuple[Endpoint, ...] = ()


@dataclass(frozen=True, slots=True)
class ProxyInput:
    """One proxy: whose sidecar it is, where its app listens, and the token that proves its first request ("": something else does)."""

    service: str
    app: Endpoint
    token: str
    identity: str = ""


@dataclass(frozen=True, slots=True)
class Policies:
    """What was asked for; None was not."""

    retry: Retry | None = None
    breaker: Breaker | None = None
    ejection: Ejection | None = None
    split: Split | None = None
    authorization: Authorization | None = None
    tracing: Tracing | None = None


@dataclass(frozen=True, slots=True)
class Inputs:
    """Everything the control plane knows."""

    mtls: bool
    balancing: Balancing
    leaf_lifetime_s: int
    access_log: bool
    connect_timeout_s: float
    timeouts: Timeouts
    limits: Limits
    services: Mapping[str, MeshService]
    proxies: Mapping[str, ProxyInput]
    policies: Policies = field(default_factory=Policies)
    captured: bool = False


def read(text: str) -> Inputs:
    """Inputs of a JSON text; SnapshotError says what is wrong with it and where."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SnapshotError(f"the mesh's file is not JSON: {error}") from error
    with Section("mesh", document) as section:
        connect_timeout_s, timeouts = _timeouts(section.section("timeouts"))
        inputs = Inputs(
            mtls=section.flag("mtls"),
            balancing=cast("Balancing", section.choice("balancing", UNHASHED)),
            leaf_lifetime_s=section.integer("leaf_lifetime_s", MIN_LIFETIME_S, MAX_LIFETIME_S),
            access_log=section.flag("access_log"),
            connect_timeout_s=connect_timeout_s,
            timeouts=timeouts,
            limits=_limits(section.section("limits")),
            services={name: _service(value) for name, value in section.named_sections("services").items()},
            proxies={name: _proxy(value) for name, value in section.named_sections("proxies").items()},
            policies=policies.optional(section, "policies", _policies) or Policies(),
            captured=section.flag("captured") if section.has("captured") else False,
        )
    _check(inputs)
    return inputs


def _timeouts(section: Section) -> tuple[float, Timeouts]:
    with section as read_:
        connect_s = read_.number("connect_s", 0.001, 3600)
        return connect_s, Timeouts(read_.number("request_s", 0, 86400), read_.number("idle_s", 0.01, 86400))


def _limits(section: Section) -> Limits:
    with section as read_:
        return Limits(
            max_header_bytes=read_.integer("max_header_bytes", 1024, 2**24),
            max_headers=read_.integer("max_headers", 1, 10_000),
            max_connections=read_.integer("max_connections", 1, 2**20),
            max_requests=read_.integer("max_requests", 1, 2**20),
            buffer_bytes=read_.integer("buffer_bytes", 1024, 2**30),
        )


def _policies(section: Section) -> Policies:
    with section as read_:
        return Policies(
            retry=policies.optional(read_, "retry", policies.read_retry),
            breaker=policies.optional(read_, "breaker", policies.read_breaker),
            ejection=policies.optional(read_, "ejection", policies.read_ejection),
            split=policies.optional(read_, "split", policies.read_split),
            authorization=policies.optional(read_, "authorization", policies.read_authorization),
            tracing=policies.optional(read_, "tracing", policies.read_tracing),
        )


def _service(section: Section) -> MeshService:
    with section as read_:
        endpoints = tuple(Endpoint(*pair) for pair in read_.endpoints("endpoints"))
        addresses = tuple(Endpoint(*pair) for pair in read_.endpoints("addresses")) if read_.has("addresses") else ()
        identities, names = (read_.texts(key) if read_.has(key) else () for key in ("identities", "names"))
        return MeshService(endpoints, read_.texts("calls"), identities, names, addresses)


def _proxy(section: Section) -> ProxyInput:
    with section as read_:
        service, app = read_.text("service"), Endpoint(*read_.endpoint("app"))
        identity = read_.text("identity") if read_.has("identity") else ""
        token = read_.text("token") if read_.has("token") or not identity else ""
        return ProxyInput(service, app, token, identity)


def _check(inputs: Inputs) -> None:
    for name, proxy in inputs.proxies.items():
        if proxy.service not in inputs.services:
            raise SnapshotError(f"mesh.proxies.{name}.service is {proxy.service!r}: have {', '.join(inputs.services)}")
    for name, service in inputs.services.items():
        for callee in service.calls:
            if callee not in inputs.services:
                raise SnapshotError(f"mesh.services.{name}.calls has {callee!r}: have {', '.join(inputs.services)}")
    tokens = [proxy.token for proxy in inputs.proxies.values() if proxy.token]
    if len(set(tokens)) != len(tokens):
        raise SnapshotError("mesh.proxies has a token twice: each proxy needs one of its own")
