"""Where one Envoy sends requests: a cluster per callee (the sidecars of its replicas) and one for the local app. Pure."""

from typing import Any

from harness.model.mesh import Traffic
from harness.model.plan import APP_PORT, INBOUND_PORT, address, peer, replica_host
from harness.model.topology import Service
from meshes.envoy.limits import circuit_breakers, duration, http_limits
from meshes.envoy.tls import upstream_tls

Json = dict[str, Any]

LOCAL = "local"
HTTP_OPTIONS = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def callee_cluster(callee: Service, host: str, features: frozenset[str], traffic: Traffic) -> Json:
    """The inbound listeners of all replicas of a callee, as seen from `host`."""
    endpoints = [
        f"{peer(replica_host(callee.name, n), traffic.interposed)}:{INBOUND_PORT}" for n in range(callee.replicas)
    ]
    cluster = _cluster(outbound_name(callee.name), endpoints, traffic)
    if "least-request" in features:
        cluster |= {"lb_policy": "LEAST_REQUEST", "least_request_lb_config": {"choice_count": 2}}
    if "mtls" in features:
        cluster["transport_socket"] = upstream_tls(host, callee.name)
    return cluster


def local_cluster(host: str, traffic: Traffic) -> Json:
    """The app beside this sidecar."""
    return _cluster(LOCAL, [f"{address(host)}:{APP_PORT}"], traffic)


def outbound_name(service: str) -> str:
    """The cluster of a callee; no service can collide with the local app."""
    return f"outbound_{service}"


def _cluster(name: str, endpoints: list[str], traffic: Traffic) -> Json:
    return {
        "name": name,
        "type": "STATIC",
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": duration(traffic.connect_timeout_s),
        "per_connection_buffer_limit_bytes": traffic.buffer_bytes,
        "circuit_breakers": circuit_breakers(traffic),
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": _http1(traffic)},
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": list(map(_endpoint, endpoints))}]},
    }


def _http1(traffic: Traffic) -> Json:
    kb = traffic.max_header_bytes // 1024
    return {
        "@type": HTTP_OPTIONS,
        "explicit_http_config": {"http_protocol_options": {}},
        "common_http_protocol_options": http_limits(traffic) | {"max_response_headers_kb": kb},
    }


def _endpoint(endpoint: str) -> Json:
    ip, port = endpoint.rsplit(":", 1)
    return {"endpoint": {"address": {"socket_address": {"address": ip, "port_value": int(port)}}}}
