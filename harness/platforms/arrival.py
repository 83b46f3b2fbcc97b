"""Whether calls arrive in a cluster: names and routes are told to nodes and sidecars a moment after pods are ready."""

import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

from harness.model.errors import EnvironmentFailure
from harness.model.plan import OBSERVE_PORT, Plan, Ready
from harness.model.platform import Endpoint
from harness.platforms.readiness import is_ready
from harness.platforms.tunnel import Tunnel

ROUTED_WITHIN_S = 30.0
SETTLED_WITHIN_S = 3.0
POLL_S = 0.02
ROUTE_PORT = 18090
"""Of a host's local address: the observe port of its service, by the way that calls take in the cluster."""


def await_routes(tunnel: Tunnel, plan: Plan, addresses: Mapping[str, str], namespace: str) -> None:
    """Nodes may still send calls to where pods of the last launch were: an application that got such a connection would keep it."""
    apps = {unit.service: unit for unit in plan.units if unit.role == "app" and OBSERVE_PORT in unit.ports}
    interposed = {unit.before for unit in plan.units}
    paths = {addresses[unit.host]: "" if unit.host in interposed else "/ready" for unit in apps.values()}
    doors = {
        (addresses[unit.host], ROUTE_PORT): (f"{name}.{namespace}.svc", OBSERVE_PORT) for name, unit in apps.items()
    }
    tunnel.open_doors(doors)
    give_up = time.monotonic() + ROUTED_WITHIN_S
    for (address, port), (name, _) in doors.items():
        while not is_ready(address, Ready(port, paths[address])):
            if time.monotonic() > give_up:
                raise EnvironmentFailure(
                    f"calls to {name} don't arrive {ROUTED_WITHIN_S:g} s after its pods were ready: look at kube-proxy and the "
                    "cluster's DNS"
                )
            time.sleep(POLL_S)
    tunnel.close_doors(list(doors))


def settle(entry: Endpoint) -> None:
    """Until a request goes through, or a while: some applications answer with errors by design; what arrives is for the proofs to say."""
    give_up = time.monotonic() + SETTLED_WITHIN_S
    while not _enters(entry) and time.monotonic() < give_up:
        time.sleep(POLL_S)


def _enters(entry: Endpoint) -> bool:
    connection = HTTPConnection(*entry, timeout=SETTLED_WITHIN_S)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status < 500
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
