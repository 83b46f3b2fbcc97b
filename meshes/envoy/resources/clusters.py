"""Where one Envoy sends requests: clusters per callee (the sidecars of its replicas) and one for the local app. Pure."""

from collections.abc import Sequence
from typing import Any

from meshes.builtin.snapshot import Cluster, Endpoint, Snapshot
from meshes.envoy.resources import policies
from meshes.envoy.resources.delivery import Delivery, Files
from meshes.envoy.resources.limits import duration, http_limits, threshold
from meshes.envoy.resources.telling import nowhere
from meshes.envoy.resources.tls import upstream_tls

Json = dict[str, Any]

LOCAL = "local"
PASSTHROUGH = "passthrough"
HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def clusters(snapshot: Snapshot, delivery: Delivery, *, captured: bool = False) -> list[Json]:
    """All of one Envoy. With captured traffic there is one more, for what the mesh doesn't know: to where it was going."""
    return [
        local_cluster(snapshot),
        *(each for callee in snapshot.clusters for each in callee_clusters(callee, snapshot, delivery)),
        *([passthrough(snapshot)] if captured else []),
        *([nowhere()] if snapshot.tracing else []),
    ]


def assignments(snapshot: Snapshot) -> list[Json]:
    """The endpoints of every cluster that has its own from the control plane, each with the cluster's name."""
    return [assignment(way, tiers) for callee in snapshot.clusters for way, tiers in ways(callee).items()]


def callee_clusters(callee: Cluster, snapshot: Snapshot, delivery: Delivery) -> list[Json]:
    """The inbound listeners of all replicas of a callee; with a split, the canary has a cluster of its own."""
    return [
        _callee_cluster(callee, snapshot, delivery, assignment(way, tiers), name=way)
        for way, tiers in ways(callee).items()
    ]


def ways(callee: Cluster) -> dict[str, Sequence[Sequence[Endpoint]]]:
    """Tiers of endpoints of each cluster that stands for a callee."""
    name = outbound_name(callee.name)
    if not splits(callee):
        return {name: [callee.endpoints]}
    stable, canary = callee.endpoints[:-1], callee.endpoints[-1:]
    tiers = 2 if has_tiers(callee) else 1
    return {name: [stable, canary][:tiers], canary_name(callee.name): [canary, stable][:tiers]}


def splits(callee: Cluster) -> bool:
    """Whether stable and canary are different endpoints."""
    return callee.split is not None and len(callee.endpoints) > 1


def has_tiers(callee: Cluster) -> bool:
    """Whether calls that the canary can't take go to the others, and the other way round: with retries or ejection."""
    return splits(callee) and (callee.retry is not None or callee.ejection is not None)


def local_cluster(snapshot: Snapshot) -> Json:
    """The app beside this sidecar."""
    where = Files("").endpoints(assignment(LOCAL, [[snapshot.inbound.app]]))
    return _cluster(LOCAL, snapshot, snapshot.inbound.connect_timeout_s) | where


def passthrough(snapshot: Snapshot) -> Json:
    """Connections as they were meant by whoever opened them, before they were captured."""
    return {
        "name": PASSTHROUGH,
        "type": "ORIGINAL_DST",
        "lb_policy": "CLUSTER_PROVIDED",
        "connect_timeout": duration(snapshot.inbound.connect_timeout_s),
        "circuit_breakers": {"thresholds": [threshold(snapshot.limits)]},
    }


def outbound_name(service: str) -> str:
    """The cluster of a callee; no service can collide with the local app."""
    return f"outbound_{service}"


def canary_name(service: str) -> str:
    """The cluster of a callee's last replica. No service's name has an underscore."""
    return f"canary_{service}"


def assignment(name: str, tiers: Sequence[Sequence[Endpoint]]) -> Json:
    """The endpoints of a cluster, tier by tier."""
    made: Json = {"cluster_name": name, "endpoints": policies.localities([list(map(_endpoint, t)) for t in tiers])}
    if len(tiers) > 1:
        made["policy"] = {"overprovisioning_factor": policies.ALL_OF_IT}
    return made


def _callee_cluster(callee: Cluster, snapshot: Snapshot, delivery: Delivery, where: Json, *, name: str) -> Json:
    cluster = _cluster(name, snapshot, callee.connect_timeout_s) | delivery.endpoints(where)
    if callee.balancing == "least-request":
        cluster |= {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": 2}}
    if callee.mtls:
        cluster["transport_socket"] = upstream_tls(delivery, callee.spiffe_ids)
    if callee.breaker is not None:
        _threshold(cluster).update(policies.breaker_limits(callee.breaker))
    if callee.retry is not None:
        _threshold(cluster).pop("max_retries")
        _threshold(cluster)["retry_budget"] = policies.retry_budget(callee.retry)
    if callee.ejection is not None:
        cluster["outlier_detection"] = policies.outlier_detection(callee.ejection)
        cluster["common_lb_config"] = policies.OUT_IS_OUT
    return cluster


def _threshold(cluster: Json) -> Json:
    found: Json = cluster["circuit_breakers"]["thresholds"][0]
    return found


def _cluster(name: str, snapshot: Snapshot, connect_timeout_s: float) -> Json:
    return {
        "name": name,
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": duration(connect_timeout_s),
        "per_connection_buffer_limit_bytes": snapshot.limits.buffer_bytes,
        "circuit_breakers": {"thresholds": [threshold(snapshot.limits)]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http1(snapshot)
        },
    }


def _http1(snapshot: Snapshot) -> Json:
    kb = snapshot.limits.max_header_bytes // 1024
    return {
        "@type": HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": http_limits(snapshot.timeouts, snapshot.limits)
        | {"max_response_headers_kb": kb},
    }


def _endpoint(where: Endpoint) -> Json:
    return {"endpoint": {"address": {"socket_address": {"address": where.address, "port_value": where.port}}}}
