"""Which cluster a request goes to, by the host it names, and what is done on the way. Pure."""

from typing import Any

from meshes.builtin.snapshot import Cluster, Snapshot
from meshes.envoy.resources.clusters import LOCAL, PASSTHROUGH, canary_name, has_tiers, outbound_name, splits
from meshes.envoy.resources.limits import duration
from meshes.envoy.resources.policies import retry_policy, weighted

Json = dict[str, Any]

INBOUND, OUTBOUND = "inbound", "outbound"


def outbound_routes(snapshot: Snapshot, *, captured: bool = False) -> Json:
    """Every callee by its host names. The one place where the request timeout and retries apply.

    Captured requests to hosts that the mesh doesn't know go on to where they were going.
    """
    hosts = [_callee_host(callee, snapshot) for callee in snapshot.clusters]
    return _table(OUTBOUND, [*hosts, *([_anywhere(PASSTHROUGH, PASSTHROUGH)] if captured else [])])


def inbound_routes() -> Json:
    """Everything to the app. The caller's sidecar cuts slow requests, so nothing is cut twice here."""
    return _table(INBOUND, [_anywhere(LOCAL, LOCAL)])


def _table(name: str, virtual_hosts: list[Json]) -> Json:
    return {"name": name, "virtual_hosts": virtual_hosts, "validate_clusters": True}


def _anywhere(name: str, cluster: str) -> Json:
    return {
        "name": name,
        "domains": ["*"],
        "routes": [{"match": {"prefix": "/"}, "route": {"cluster": cluster, "timeout": "0s"}}],
    }


def _callee_host(callee: Cluster, snapshot: Snapshot) -> Json:
    name = outbound_name(callee.name)
    action: Json = {"cluster": name, "timeout": duration(snapshot.timeouts.request_s)}
    if callee.split is not None:
        canary = canary_name(callee.name) if splits(callee) else name
        action["weighted_clusters"] = weighted(action.pop("cluster"), canary, callee.split)
    if callee.retry is not None:
        action["retry_policy"] = retry_policy(callee.retry, tiers=has_tiers(callee))
    called = [host for host, cluster in snapshot.outbound.routes.items() if cluster == callee.name]
    return {
        "name": callee.name,
        "domains": [domain for host in called for domain in (host, f"{host}:*")],
        "routes": [{"match": {"prefix": "/"}, "route": action}],
    }
