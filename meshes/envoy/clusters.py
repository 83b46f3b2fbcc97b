"""Where one Envoy sends requests: clusters per callee (the sidecars of its replicas) and one for the local app. Pure."""

from collections.abc import Sequence
from typing import Any

from harness.model.mesh import Traffic
from harness.model.plan import APP_PORT, INBOUND_PORT, address, peer, replica_host
from harness.model.topology import Service
from meshes.envoy import policies
from meshes.envoy.limits import duration, http_limits, threshold
from meshes.envoy.tls import upstream_tls

Json = dict[str, Any]

LOCAL = "local"
HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
ELSEWHERE = frozenset(("retries", "outlier-ejection"))
"""Features that send a call to another endpoint than the one it was meant for."""


def callee_clusters(callee: Service, host: str, features: frozenset[str], traffic: Traffic) -> list[Json]:
    """The inbound listeners of all replicas of a callee, as seen from `host`; with a split, the canary has a cluster of its own."""
    where = [peer(replica_host(callee.name, n), traffic.interposed) for n in range(callee.replicas)]
    endpoints = [_endpoint(each, INBOUND_PORT) for each in where]
    name = outbound_name(callee.name)
    if not splits(callee, features):
        return [_callee_cluster(name, callee, [endpoints], host, features, traffic)]
    stable, canary = endpoints[:-1], endpoints[-1:]
    ways = {name: (stable, canary), canary_name(callee.name): (canary, stable)}
    tiers = 2 if has_tiers(callee, features) else 1
    return [_callee_cluster(way, callee, ends[:tiers], host, features, traffic) for way, ends in ways.items()]


def splits(callee: Service, features: frozenset[str]) -> bool:
    """Whether stable and canary are different endpoints."""
    return "split" in features and callee.replicas > 1


def has_tiers(callee: Service, features: frozenset[str]) -> bool:
    """Whether calls that the canary can't take go to the others, and the other way round."""
    return splits(callee, features) and bool(ELSEWHERE & features)


def local_cluster(host: str, traffic: Traffic) -> Json:
    """The app beside this sidecar."""
    return _cluster(LOCAL, [[_endpoint(address(host), APP_PORT)]], traffic)


def outbound_name(service: str) -> str:
    """The cluster of a callee; no service can collide with the local app."""
    return f"outbound_{service}"


def canary_name(service: str) -> str:
    """The cluster of a callee's last replica. No service's name has an underscore."""
    return f"canary_{service}"


def _callee_cluster(
    name: str,
    callee: Service,
    tiers: Sequence[Sequence[Json]],
    host: str,
    features: frozenset[str],
    traffic: Traffic,
) -> Json:
    cluster = _cluster(name, tiers, traffic)
    if "least-request" in features:
        cluster |= {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": 2}}
    if "mtls" in features:
        cluster["transport_socket"] = upstream_tls(host, callee.name)
    if "circuit-breaking" in features:
        _threshold(cluster).update(policies.breaker_limits(traffic.policies.breaker))
    if "retries" in features:
        _threshold(cluster).pop("max_retries")
        _threshold(cluster)["retry_budget"] = policies.retry_budget(traffic.policies.retry)
    if "outlier-ejection" in features:
        cluster["outlier_detection"] = policies.outlier_detection(traffic.policies.ejection)
        cluster["common_lb_config"] = policies.OUT_IS_OUT
    return cluster


def _threshold(cluster: Json) -> Json:
    found: Json = cluster["circuit_breakers"]["thresholds"][0]
    return found


def _cluster(name: str, tiers: Sequence[Sequence[Json]], traffic: Traffic) -> Json:
    assignment: Json = {"cluster_name": name, "endpoints": policies.localities(tiers)}
    if len(tiers) > 1:
        assignment["policy"] = {"overprovisioning_factor": policies.ALL_OF_IT}
    return {
        "name": name,
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": duration(traffic.connect_timeout_s),
        "per_connection_buffer_limit_bytes": traffic.buffer_bytes,
        "circuit_breakers": {"thresholds": [threshold(traffic)]},
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http1(traffic)},
        "load_assignment": assignment,
    }


def _http1(traffic: Traffic) -> Json:
    kb = traffic.max_header_bytes // 1024
    return {
        "@type": HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": http_limits(traffic) | {"max_response_headers_kb": kb},
    }


def _endpoint(ip: str, port: int) -> Json:
    return {"endpoint": {"address": {"socket_address": {"address": ip, "port_value": port}}}}
