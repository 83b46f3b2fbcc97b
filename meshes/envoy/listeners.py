"""Where one Envoy accepts requests: from its own app (outbound) and from other sidecars (inbound). Pure."""

from collections.abc import Iterable
from typing import Any

from harness.model.mesh import Traffic
from harness.model.plan import INBOUND_PORT, OUTBOUND_PORT, address
from meshes.envoy.clusters import LOCAL, outbound_name
from meshes.envoy.limits import duration, http_limits
from meshes.envoy.tls import inbound_tls

Json = dict[str, Any]

MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.extensions.filters.http.router.v3.Router"


def outbound(host: str, callees: Iterable[str], traffic: Traffic) -> Json:
    """Plaintext from the app; the callee is named by `Host`. The one place where the request timeout and retries apply."""
    hosts = [_callee_host(callee, traffic) for callee in callees]
    return _listener("outbound", host, OUTBOUND_PORT, {"filters": [_manager("outbound", hosts, traffic)]}, traffic)


def inbound(host: str, features: frozenset[str], traffic: Traffic) -> Json:
    """From other sidecars to the app. The caller's sidecar cuts slow requests, so nothing is cut twice here."""
    routes = [{"match": {"prefix": "/"}, "route": {"cluster": LOCAL, "timeout": "0s"}}]
    manager = _manager("inbound", [{"name": LOCAL, "domains": ["*"], "routes": routes}], traffic)
    chain: Json = {"filters": [manager]}
    if "mtls" in features:
        manager["typed_config"] |= {
            "forward_client_cert_details": "SANITIZE_SET",
            "set_current_client_cert_details": {"uri": True},
        }
        chain["transport_socket"] = inbound_tls(host)
    return _listener("inbound", host, INBOUND_PORT, chain, traffic)


def _callee_host(callee: str, traffic: Traffic) -> Json:
    action = {"cluster": outbound_name(callee), "timeout": duration(traffic.request_timeout_s)}
    return {
        "name": callee,
        "domains": [callee, f"{callee}:*"],
        "routes": [{"match": {"prefix": "/"}, "route": action}],
    }


def _listener(name: str, host: str, port: int, chain: Json, traffic: Traffic) -> Json:
    return {
        "name": name,
        "address": {"socket_address": {"address": address(host), "port_value": port}},
        "per_connection_buffer_limit_bytes": traffic.buffer_bytes,
        "filter_chains": [chain],
    }


def _manager(name: str, virtual_hosts: list[Json], traffic: Traffic) -> Json:
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
        "access_log": [],
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def _router() -> Json:
    config = {"@type": f"type.googleapis.com/{ROUTER}", "suppress_envoy_headers": True, "dynamic_stats": False}
    return {"name": "envoy.filters.http.router", "typed_config": config}
