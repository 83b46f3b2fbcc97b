"""Where one Envoy accepts connections: from its own app (outbound) and from other sidecars (inbound). Pure.

Captured connections (redirected by the kernel) come with the port they were meant for: what goes to the app's port, or to that of a service
of the mesh, is HTTP and obeys the mesh; all else is passed on as it is, behind the same mutual TLS where it comes from outside.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from meshes.builtin.snapshot import Snapshot
from meshes.envoy.resources.authorization import NORMALISED, guard
from meshes.envoy.resources.clusters import PASSTHROUGH
from meshes.envoy.resources.delivery import Delivery, Files
from meshes.envoy.resources.limits import http_limits
from meshes.envoy.resources.routes import INBOUND, OUTBOUND, inbound_routes, outbound_routes
from meshes.envoy.resources.telling import access_log, tracing
from meshes.envoy.resources.tls import inbound_tls

Json = dict[str, Any]

NETWORK = "type.googleapis.com/envoy.extensions.filters.network."
MANAGER = f"{NETWORK}http_connection_manager.v3.HttpConnectionManager"
TCP_PROXY = f"{NETWORK}tcp_proxy.v3.TcpProxy"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
MEANT_FOR: Json = {
    "name": "envoy.filters.listener.original_dst",
    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst"},
}
EVERYWHERE = "0.0.0.0"  # noqa: S104 - redirected connections keep the pod's own address
FIXED = Files("")
"""The inbound route is a part of its listener: it never changes."""


def listeners(snapshot: Snapshot, delivery: Delivery, *, captured: bool = False) -> list[Json]:
    """Both of one Envoy; captured traffic may come to any address, other traffic to the one it shares with its app."""
    return [outbound(snapshot, delivery, captured=captured), inbound(snapshot, delivery, captured=captured)]


def outbound(snapshot: Snapshot, delivery: Delivery, *, captured: bool = False) -> Json:
    """Plaintext from the app; the callee is named by `Host`."""
    routes = delivery.routes(outbound_routes(snapshot, captured=captured))
    chain = {"filters": [_manager(OUTBOUND, snapshot, routes)]}
    ports = {snapshot.inbound.app.port, *_service_ports(snapshot)}
    return _listener(OUTBOUND, snapshot, snapshot.outbound.port, chain, ports if captured else ())


def inbound(snapshot: Snapshot, delivery: Delivery, *, captured: bool = False) -> Json:
    """From other sidecars to the app."""
    manager = _manager(INBOUND, snapshot, FIXED.routes(inbound_routes()))
    config = manager["typed_config"]
    chain: Json = {"filters": [manager]}
    if snapshot.inbound.mtls:
        config["forward_client_cert_details"] = "SANITIZE_SET"
        config["set_current_client_cert_details"] = {"uri": True}
        chain["transport_socket"] = inbound_tls(delivery, snapshot.trust_domain)
    if snapshot.inbound.authorization is not None:
        config["http_filters"].insert(0, guard(snapshot.inbound.authorization))
        config.update(NORMALISED)
    ports = (snapshot.inbound.app.port, snapshot.inbound.port)
    return _listener(INBOUND, snapshot, snapshot.inbound.port, chain, ports if captured else ())


def _service_ports(snapshot: Snapshot) -> Iterable[int]:
    destinations = snapshot.captured.destinations if snapshot.captured else {}
    return (int(destination.rpartition(":")[2]) for destination in destinations)


def _listener(name: str, snapshot: Snapshot, port: int, chain: Json, ports: Iterable[int]) -> Json:
    """With `ports`, those at which captured connections obey the mesh."""
    address = EVERYWHERE if ports else snapshot.inbound.app.address
    listener = {
        "name": name,
        "address": {"socket_address": {"address": address, "port_value": port}},
        "per_connection_buffer_limit_bytes": snapshot.limits.buffer_bytes,
        "filter_chains": [chain],
    }
    return listener | _by_port(name, port, sorted(ports), chain) if ports else listener


def _by_port(name: str, own: int, ports: Sequence[int], chain: Json) -> Json:
    """A chain for each of the ports and one for all others.

    A connection straight to the listener is as good as one to the app if it comes from another sidecar. From the app it is closed at
    once (no filter): it would go in a circle.
    """
    other = {key: value for key, value in chain.items() if key == "transport_socket"} | {"filters": [_as_it_is(name)]}
    chains: dict[int, Json] = {own: {"filters": []}} | dict.fromkeys(ports, chain)
    return {
        "listener_filters": [MEANT_FOR],
        "traffic_direction": name.upper(),
        "filter_chains": [
            {"name": f"port {port}", "filter_chain_match": {"destination_port": port}, **filters}
            for port, filters in chains.items()
        ],
        "default_filter_chain": {"name": "other", **other},
    }


def _as_it_is(name: str) -> Json:
    config = {"@type": TCP_PROXY, "stat_prefix": f"{name}_{PASSTHROUGH}", "cluster": PASSTHROUGH}
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": config}


def _manager(name: str, snapshot: Snapshot, routes: Json) -> Json:
    config: Json = {
        "@type": MANAGER,
        "stat_prefix": name,
        "codec_type": "HTTP1",
        **routes,
        "http_filters": [_router()],
        "common_http_protocol_options": http_limits(snapshot.timeouts, snapshot.limits),
        "max_request_headers_kb": snapshot.limits.max_header_bytes // 1024,
        "stream_idle_timeout": "0s",
        "generate_request_id": False,
        "use_remote_address": False,
        "server_header_transformation": "PASS_THROUGH",
        "forward_client_cert_details": "SANITIZE",
        "access_log": [access_log(name)] if snapshot.access_log else [],
    }
    if snapshot.tracing is not None:
        config |= tracing(snapshot.spiffe_id.rpartition("/")[2], snapshot.tracing)
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}


def _router() -> Json:
    config = {"@type": ROUTER, "suppress_envoy_headers": True, "dynamic_stats": False}
    return {"name": "envoy.filters.http.router", "typed_config": config}
