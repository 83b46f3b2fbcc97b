"""What one Envoy starts with: everything in one file, or where its control plane is. Pure; the reasons are in docs/meshes.md.

Field names are those of Envoy's v3 API.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from meshes.builtin.snapshot import Endpoint, Snapshot
from meshes.envoy.resources.clusters import HTTP_OPTIONS, clusters
from meshes.envoy.resources.delivery import FROM_ADS, Files
from meshes.envoy.resources.listeners import EVERYWHERE, MANAGER, ROUTER, listeners
from meshes.envoy.resources.tls import TLS, TLS_1_3, socket, uri

Json = dict[str, Any]

SELDOM = "60s"
"""How long a thread may be stuck before the watchdog counts it: the default of 0.2 s wakes every thread several times a second."""
CONTROL = "control"
ADMIN = "admin"
TOKEN = "token"  # noqa: S105 - the name of a secret
FILTERS = "type.googleapis.com/envoy.extensions.filters.http."
ALIVE: Json = {"connection_keepalive": {"interval": "30s", "timeout": "5s"}}
"""A control plane that vanished without a word is noticed, and looked for again."""
SOON: Json = {"retry_back_off": {"base_interval": "0.2s", "max_interval": "2s"}}
"""Envoy's own way is to wait up to 30 s before it looks again."""


@dataclass(frozen=True, slots=True)
class Joining:
    """How an Envoy finds its control plane and proves itself; `ca` is an `envoy.config.core.v3.DataSource`.

    `token_secret` is a file with the value of `token_secret()`; it is read again when something is renamed in its folder.
    """

    name: str
    service: str
    control: Endpoint
    control_id: str
    ca: Json
    token_secret: str


def static(snapshot: Snapshot, delivery: Files, admin: Endpoint) -> Json:
    """Everything in one file: no control plane, nothing changes."""
    resources = {"listeners": listeners(snapshot, delivery), "clusters": clusters(snapshot, delivery)}
    return _base(admin) | {"static_resources": resources}


def dynamic(joining: Joining, admin: Endpoint, metrics_port: int = 0) -> Json:
    """All that the control plane sends, on one stream. With `metrics_port`, `/ready` and the metrics are shown to everybody there."""
    shown = metrics_port > 0
    return _base(admin) | {
        "node": {"id": joining.name, "cluster": joining.service},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": CONTROL, "retry_policy": SOON}}],
            },
            "cds_config": FROM_ADS,
            "lds_config": FROM_ADS,
        },
        "static_resources": {
            "listeners": [_window(metrics_port)] if shown else [],
            "clusters": [_control(joining), *([_static_cluster(ADMIN, admin)] if shown else [])],
        },
    }


def _base(admin: Endpoint) -> Json:
    return {
        "admin": {"address": _address(admin)},
        "watchdogs": {"main_thread_watchdog": _watchdog(), "worker_watchdog": _watchdog()},
    }


def token_secret(token: Json) -> Json:
    """The document of a file that holds or names the token, an `envoy.config.core.v3.DataSource`.

    A file of its own, because Envoy reads what stands in its bootstrap once, and the kubelet renews tokens.
    """
    secret = {"@type": f"{TLS}Secret", "name": TOKEN, "generic_secret": {"secret": token}}
    return {"resources": [secret]}


def _with_token(file: str) -> Json:
    """Puts the token into the head of every stream to the control plane."""
    watched = {"path": file, "watched_directory": {"path": str(PurePath(file).parent)}}
    generic = {
        "@type": "type.googleapis.com/envoy.extensions.http.injected_credentials.generic.v3.Generic",
        "credential": {
            "name": TOKEN,
            "sds_config": {"path_config_source": watched, "resource_api_version": "V3"},
        },
        "header_value_prefix": "Bearer ",
    }
    return {
        "name": "envoy.filters.http.credential_injector",
        "typed_config": {
            "@type": f"{FILTERS}credential_injector.v3.CredentialInjector",
            "credential": {"name": "envoy.http.injected_credentials.generic", "typed_config": generic},
        },
    }


def _control(joining: Joining) -> Json:
    believed = {"trusted_ca": joining.ca, "match_typed_subject_alt_names": [uri({"exact": joining.control_id})]}
    common = {"tls_params": TLS_1_3, "alpn_protocols": ["h2"], "validation_context": believed}
    codec = {
        "name": "envoy.filters.http.upstream_codec",
        "typed_config": {"@type": f"{FILTERS}upstream_codec.v3.UpstreamCodec"},
    }
    options = {
        "@type": HTTP_OPTIONS,
        "explicit_http_config": {"http2_protocol_options": ALIVE},
        "http_filters": [_with_token(joining.token_secret), codec],
    }
    return _static_cluster(CONTROL, joining.control) | {
        "type": "STRICT_DNS",
        "connect_timeout": "5s",
        "typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options},
        "transport_socket": socket("UpstreamTlsContext", common_tls_context=common),
    }


def _window(port: int) -> Json:
    """A listener for probes and scrapers, who can't reach the admin interface itself: it also changes and stops things."""
    routes = [
        {"match": {"path": path}, "route": {"cluster": ADMIN, "timeout": "5s"}}
        for path in ("/ready", "/stats/prometheus")
    ]
    config = {
        "@type": MANAGER,
        "stat_prefix": "window",
        "route_config": {"name": "window", "virtual_hosts": [{"name": "window", "domains": ["*"], "routes": routes}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    manager = {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}
    where = _address(Endpoint(EVERYWHERE, port))
    return {"name": "window", "address": where, "filter_chains": [{"filters": [manager]}]}


def _static_cluster(name: str, where: Endpoint) -> Json:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(where)}}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _address(where: Endpoint) -> Json:
    return {"socket_address": {"address": where.address, "port_value": where.port}}


def _watchdog() -> Json:
    return {"miss_timeout": SELDOM, "megamiss_timeout": SELDOM}
