"""EnvoyFilters, for the little that Istio's own resources can't say. Pure."""

from typing import Literal

from meshes.istio.resources import Json

Context = Literal["SIDECAR_INBOUND", "ANY"]

MANAGER = "envoy.filters.network.http_connection_manager"
MANAGER_TYPE = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "envoy.filters.http.router"


def managed(context: Context, fields: Json) -> Json:
    """A patch: these fields of every connection manager. What is an `Any` is replaced, the rest merged."""
    value = {"name": MANAGER, "typed_config": {"@type": MANAGER_TYPE, **fields}}
    return _patch("NETWORK_FILTER", context, {"name": MANAGER}, {"operation": "MERGE", "value": value})


def before_router(context: Context, name: str, config: Json) -> Json:
    """A patch: one more HTTP filter, after Istio's own."""
    where = {"name": MANAGER, "subFilter": {"name": ROUTER}}
    return _patch(
        "HTTP_FILTER", context, where, {"operation": "INSERT_BEFORE", "value": {"name": name, "typed_config": config}}
    )


def clustered(fields: Json) -> Json:
    """A patch: these fields of every cluster that calls go out to."""
    patch = {"operation": "MERGE", "value": fields}
    return {"applyTo": "CLUSTER", "match": {"context": "SIDECAR_OUTBOUND"}, "patch": patch}


def _patch(applies_to: str, context: Context, matched: Json, patch: Json) -> Json:
    where = {"context": context, "listener": {"filterChain": {"filter": matched}}}
    return {"applyTo": applies_to, "match": where, "patch": patch}
