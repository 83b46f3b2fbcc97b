"""What the sidecar of one replica has to do, from the topology: a snapshot whose addresses are references. Pure."""

from dataclasses import asdict

from harness.model.mesh import Traffic
from harness.model.plan import APP_PORT, INBOUND_PORT, PROBE_IDENTITY, address, peer, replica_host
from harness.model.topology import Service, Topology
from meshes.builtin import policies
from meshes.builtin.snapshot import Cluster, Endpoint, Inbound, Limits, Outbound, Snapshot, Timeouts
from meshes.identity.names import TRUST_DOMAIN, spiffe_id


def snapshot(topology: Topology, service: Service, host: str, features: frozenset[str], traffic: Traffic) -> Snapshot:
    """A replica's sidecar knows its own app and the callees in its service's script, nothing else."""
    callees = tuple(dict.fromkeys(call.service for call in service.calls()))
    tracing = policies.Tracing(**asdict(traffic.policies.tracing))
    return Snapshot(
        version=1,
        spiffe_id=spiffe_id(service.name),
        trust_domain=TRUST_DOMAIN,
        inbound=Inbound(
            app=Endpoint(address(host), APP_PORT),
            mtls="mtls" in features,
            connect_timeout_s=traffic.connect_timeout_s,
            authorization=_authorization(topology, service, traffic) if "authz" in features else None,
        ),
        outbound=Outbound({name: name for name in callees}),
        clusters=tuple(_callee(topology.service(name), features, traffic) for name in callees),
        timeouts=Timeouts(traffic.request_timeout_s, traffic.idle_timeout_s),
        limits=_limits(traffic),
        access_log="access-log" in features,
        tracing=tracing if "tracing" in features else None,
    )


def _authorization(topology: Topology, service: Service, traffic: Traffic) -> policies.Authorization:
    """The services that call this one by the topology, and the probes."""
    callers = [each.name for each in topology.services if any(call.service == service.name for call in each.calls())]
    names = (*callers, PROBE_IDENTITY)
    return policies.Authorization(tuple(map(spiffe_id, names)), traffic.policies.authorization.denied_prefix)


def _callee(callee: Service, features: frozenset[str], traffic: Traffic) -> Cluster:
    """Its endpoints are the inbound listeners of all its replicas."""
    given = traffic.policies
    where = [peer(replica_host(callee.name, n), traffic.interposed) for n in range(callee.replicas)]
    return Cluster(
        name=callee.name,
        endpoints=tuple(Endpoint(each, INBOUND_PORT) for each in where),
        spiffe_ids=(spiffe_id(callee.name),) if "mtls" in features else (),
        balancing="least-request" if "least-request" in features else "round-robin",
        mtls="mtls" in features,
        connect_timeout_s=traffic.connect_timeout_s,
        retry=policies.Retry(**asdict(given.retry)) if "retries" in features else None,
        breaker=policies.Breaker(**asdict(given.breaker)) if "circuit-breaking" in features else None,
        ejection=policies.Ejection(**asdict(given.ejection)) if "outlier-ejection" in features else None,
        split=policies.Split(**asdict(given.split)) if "split" in features else None,
    )


def _limits(traffic: Traffic) -> Limits:
    return Limits(
        max_header_bytes=traffic.max_header_bytes,
        max_headers=traffic.max_headers,
        max_connections=traffic.max_connections,
        max_requests=traffic.max_requests,
        buffer_bytes=traffic.buffer_bytes,
    )
