"""Where one Envoy accepts requests: from its own app (outbound) and from other sidecars (inbound). Pure."""

from collections.abc import Iterable
from typing import Any

from harness.model.mesh import Traffic
from harness.model.plan import INBOUND_PORT, OUTBOUND_PORT, address
from harness.model.topology import Service, Topology
from meshes.envoy.authorization import NORMALISED, callers_of, guard
from meshes.envoy.clusters import LOCAL, canary_name, has_tiers, outbound_name, splits
from meshes.envoy.limits import duration, http_limits
from meshes.envoy.policies import retry_policy, weighted
from meshes.envoy.telling import access_log, tracing
from meshes.envoy.tls import inbound_tls

Json = dict[str, Any]

MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def outbound(
    service: Service, host: str, callees: Iterable[Service], features: frozenset[str], traffic: Traffic
) -> Json:
    """Plaintext from the app; the callee is named by `Host`. The one place where the request timeout and retries apply."""
    hosts = [_callee_host(callee, features, traffic) for callee in callees]
    manager = _manager("outbound", service, hosts, features, traffic)
    return _listener("outbound", host, OUTBOUND_PORT, {"filters": [manager]}, traffic)


def inbound(topology: Topology, service: Service, host: str, features: frozenset[str], traffic: Traffic) -> Json:
    """From other sidecars to the app. The caller's sidecar cuts slow requests, so nothing is cut twice here."""
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": LOCAL, "timeout": "0s"}}]
    hosts = [{"name": LOCAL, "domains": ["*"], "routes": routes}]
    manager = _manager("inbound", service, hosts, features, traffic)
    config = manager["typed_config"]
    chain: Json = {"filters": [manager]}
    if "mtls" in features:
        config["forward_client_cert_details"] = "SANITIZE_SET"
        config["set_current_client_cert_details"] = {"uri": True}
        chain["transport_socket"] = inbound_tls(host)
    if "authz" in features:
        config["http_filters"].insert(0, guard(callers_of(topology, service), traffic.policies.authorization))
        config.update(NORMALISED)
    return _listener("inbound", host, INBOUND_PORT, chain, traffic)


def _callee_host(callee: Service, features: frozenset[str], traffic: Traffic) -> Json:
    name = outbound_name(callee.name)
    action: Json = {"cluster": name, "timeout": duration(traffic.request_timeout_s)}
    if "split" in features:
        canary = canary_name(callee.name) if splits(callee, features) else name
        action["weighted_clusters"] = weighted(action.pop("cluster"), canary, traffic.policies.split)
    if "retries" in features:
        action["retry_policy"] = retry_policy(traffic.policies.retry, tiers=has_tiers(callee, features))
    return {
        "name": callee.name,
        "domains": [callee.name, f"{callee.name}:*"],
        "routes": [{"match": {"prefix": "/"}, "route": action}],
    }


def _listener(name: str, host: str, port: int, chain: Json, traffic: Traffic) -> Json:
    return {
        "name": name,
        "address": {"socket_address": {"address": address(host), "port_value": port}},
        "per_connection_buffer_limit_bytes": traffic.buffer_bytes,
        "filter_chains": [chain],
    }


def _manager(
    name: str, service: Service, virtual_hosts: list[Json], features: frozenset[str], traffic: Traffic
) -> Json:
    config: Json = {
        "@type": f"type.googleapis.com/{MANAGER}",
        "stat_prefix": name,
        "codec_type": "HTTP1",
        "route_config": {"name": name, "virtual_hosts": virtual_hosts, "validate_clusters": True},
        "http_filters": [_router()],
        "common_http_protocol_options": http_limits(traffic),
        "max_request_headers_kb": traffic.max_header_bytes // 1024,
        "stream_idle_timeout": "0s",
        "generate_request_id": False,
        "use_remote_address": False,
        "server_header_transformation": "PASS_THROUGH",
        "forward_client_cert_details": "SANITIZE",
        "access_log": [access_log(name)] if "access-log" in features else [],
    }
    if "tracing" in features:
        config |= tracing(service.name, traffic.policies.tracing)
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def _router() -> Json:
    config = {"@type": f"type.googleapis.com/{ROUTER}", "suppress_envoy_headers": True, "dynamic_stats": False}
    return {"name": "envoy.filters.http.router", "typed_config": config}
