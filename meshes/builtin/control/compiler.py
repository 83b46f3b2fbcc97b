"""From the inputs to what each proxy has to obey. Pure.

A snapshot's version is a digest of its content: a control plane that starts again from the same inputs gives the same versions,
so nothing is pushed as new that isn't.
"""

import hashlib
from dataclasses import replace

from meshes.builtin.control.model import Inputs
from meshes.builtin.policies import Authorization
from meshes.builtin.snapshot import Captured, Cluster, Inbound, Outbound, Snapshot
from meshes.identity.names import TRUST_DOMAIN, spiffe_id

VERSION_BITS = 48


def snapshots(inputs: Inputs) -> dict[str, Snapshot]:
    """One snapshot for each proxy, with the routes and clusters of its service's callees and no others."""
    return {name: _versioned(_snapshot(inputs, name)) for name in inputs.proxies}


def _snapshot(inputs: Inputs, name: str) -> Snapshot:
    proxy = inputs.proxies[name]
    callees = sorted(set(inputs.services[proxy.service].calls))
    return Snapshot(
        version=1,
        spiffe_id=proxy.identity or spiffe_id(proxy.service),
        trust_domain=TRUST_DOMAIN,
        inbound=Inbound(
            app=proxy.app,
            mtls=inputs.mtls,
            connect_timeout_s=inputs.connect_timeout_s,
            authorization=_authorization(inputs, proxy.service),
        ),
        outbound=Outbound(
            routes={host: callee for callee in callees for host in (callee, *inputs.services[callee].names)}
        ),
        clusters=tuple(_cluster(inputs, callee) for callee in callees),
        timeouts=inputs.timeouts,
        limits=inputs.limits,
        access_log=inputs.access_log,
        tracing=inputs.policies.tracing,
        captured=_captured(inputs, callees) if inputs.captured else None,
    )


def _captured(inputs: Inputs, callees: list[str]) -> Captured:
    return Captured({str(address): callee for callee in callees for address in inputs.services[callee].addresses})


def _authorization(inputs: Inputs, service: str) -> Authorization | None:
    """The services that call this one, and whoever may call every service."""
    given = inputs.policies.authorization
    if given is None:
        return None
    callers = {
        identity
        for name, caller in inputs.services.items()
        if service in caller.calls
        for identity in _identities(inputs, name)
    }
    return replace(given, callers=tuple(sorted(callers | set(given.callers))))


def _cluster(inputs: Inputs, callee: str) -> Cluster:
    return Cluster(
        name=callee,
        endpoints=inputs.services[callee].endpoints,
        spiffe_ids=_identities(inputs, callee) if inputs.mtls else (),
        balancing=inputs.balancing,
        mtls=inputs.mtls,
        connect_timeout_s=inputs.connect_timeout_s,
        retry=inputs.policies.retry,
        breaker=inputs.policies.breaker,
        ejection=inputs.policies.ejection,
        split=inputs.policies.split,
    )


def _identities(inputs: Inputs, service: str) -> tuple[str, ...]:
    return inputs.services[service].identities or (spiffe_id(service),)


def _versioned(snapshot: Snapshot) -> Snapshot:
    digest = hashlib.sha256(snapshot.to_json().encode()).digest()
    return replace(snapshot, version=1 + int.from_bytes(digest[: VERSION_BITS // 8]))
