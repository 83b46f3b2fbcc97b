"""The configuration of one Envoy as a JSON-able value: what it is told; the reasons are in docs/meshes.md.

Pure. Field names are those of Envoy's v3 API.
"""

from itertools import chain
from typing import Any

from harness.model.mesh import Traffic
from harness.model.plan import ADMIN_PORT, address
from harness.model.topology import Service, Topology
from meshes.envoy.clusters import callee_clusters, local_cluster
from meshes.envoy.listeners import inbound, outbound
from meshes.envoy.telling import nowhere

Json = dict[str, Any]

SELDOM = "60s"
"""How long a thread may be stuck before the watchdog counts it: the default of 0.2 s wakes every thread several times a second."""


def bootstrap(topology: Topology, service: Service, host: str, features: frozenset[str], traffic: Traffic) -> Json:
    """Everything static: a replica's sidecar knows its own app and the callees in its service's script, nothing else."""
    names = dict.fromkeys(call.service for call in service.calls())
    callees = [topology.service(name) for name in names]
    clusters = [callee_clusters(callee, host, features, traffic) for callee in callees]
    return {
        "admin": {"address": {"socket_address": {"address": address(host), "port_value": ADMIN_PORT}}},
        "watchdogs": {"main_thread_watchdog": _watchdog(), "worker_watchdog": _watchdog()},
        "static_resources": {
            "listeners": [
                outbound(service, host, callees, features, traffic),
                inbound(topology, service, host, features, traffic),
            ],
            "clusters": [
                local_cluster(host, traffic),
                *chain.from_iterable(clusters),
                *([nowhere()] if "tracing" in features else []),
            ],
        },
    }


def _watchdog() -> Json:
    return {"miss_timeout": SELDOM, "megamiss_timeout": SELDOM}
