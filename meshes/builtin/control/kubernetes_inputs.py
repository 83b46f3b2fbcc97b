"""From what is found in the cluster to the inputs of each namespace: the same inputs that a file gives. Pure.

A namespace with sidecars is a mesh of its own; its settings are those of its ConfigMap, else DEFAULTS. A Service belongs to the mesh with
its HTTP ports and those of its ready endpoints that have a sidecar; one without any is plain TCP to everybody. Identities are
those of service accounts: `spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT`. `calls` of the settings says which Service Accounts' pods call which
Services; whoever isn't named there may call all.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from meshes.builtin.control.kubernetes_objects import FoundPod, FoundService, FoundSlice, ServicePort
from meshes.builtin.control.model import Inputs, read
from meshes.builtin.snapshot import Endpoint, SnapshotError
from meshes.identity.names import TRUST_DOMAIN

Json = dict[str, Any]
Key = tuple[str, str]
APP_PORT = 8080
DNS = ("svc", "svc.cluster.local")
DEFAULTS: Json = {
    "mtls": True,
    "balancing": "round-robin",
    "leaf_lifetime_s": 86400,
    "access_log": False,
    "timeouts": {"connect_s": 1.0, "request_s": 15.0, "idle_s": 300.0},
    "limits": {
        "max_header_bytes": 61440,
        "max_headers": 100,
        "max_connections": 1024,
        "max_requests": 1024,
        "buffer_bytes": 1048576,
    },
}
NOTHING: Json = DEFAULTS | {"services": {}, "proxies": {}}


@dataclass(frozen=True, slots=True)
class Found:
    """All that is known, by (namespace, name)."""

    services: Mapping[Key, FoundService]
    slices: Mapping[Key, FoundSlice]
    pods: Mapping[Key, FoundPod]
    policies: Mapping[Key, Json]


def identity(namespace: str, account: str) -> str:
    """The SPIFFE id of a service account's pods."""
    return f"spiffe://{TRUST_DOMAIN}/ns/{namespace}/sa/{account}"


def meshes(found: Found, former: Mapping[str, Inputs]) -> tuple[dict[str, Inputs], list[str]]:
    """Inputs by namespace, and a sentence for each namespace whose settings are refused: it keeps the `former` ones."""
    made: dict[str, Inputs] = {}
    refused = []
    for namespace in sorted({key[0] for key in found.pods}):
        try:
            made[namespace] = read(json.dumps(document(found, namespace)))
        except SnapshotError as error:
            refused.append(f"namespace {namespace}: {error}")
            if namespace in former:
                made[namespace] = former[namespace]
    return made, refused


def document(found: Found, namespace: str) -> Json:
    """The document of one namespace, as `meshes.builtin.control.model` reads it; SnapshotError if its ConfigMap can't be read."""
    policies = [policy for key, policy in found.policies.items() if key[0] == namespace]
    settings = dict(policies[0]) if policies else {}
    if settings.pop("unreadable", False):
        raise SnapshotError("the ConfigMap's mesh.json is no JSON object")
    calls = settings.pop("calls", {})
    services = dict(_services(found, namespace))
    accounts = {pod.account for key, pod in found.pods.items() if key[0] == namespace}
    for account in accounts - services.keys():
        services[account] = {"endpoints": [], "identities": [identity(namespace, account)]}
    for name, service in services.items():
        service["calls"] = [each for each in _called(calls, name, services) if each in services]
    proxies = {key[1]: _proxy(namespace, pod) for key, pod in sorted(found.pods.items()) if key[0] == namespace}
    return DEFAULTS | settings | {"services": services, "proxies": proxies, "captured": True}


def _called(calls: Mapping[str, list[str]], name: str, services: Mapping[str, Json]) -> list[str]:
    """By Service; a Service with further HTTP ports has a cluster for each."""
    if name not in calls:
        return sorted(each for each, service in services.items() if service["endpoints"] or "addresses" in service)
    return sorted(each for each in services if each.partition(":")[0] in calls[name])


def _proxy(namespace: str, pod: FoundPod) -> Json:
    app = Endpoint("::1" if ":" in pod.address else "127.0.0.1", APP_PORT)
    return {"service": pod.account, "app": str(app), "identity": identity(namespace, pod.account)}


def _services(found: Found, namespace: str) -> Iterator[tuple[str, Json]]:
    for key, service in sorted(found.services.items()):
        slices = [each for at, each in sorted(found.slices.items()) if at[0] == namespace and each.service == key[1]]
        for number, port in enumerate(service.ports if key[0] == namespace else ()):
            endpoints, accounts = _endpoints(found, namespace, slices, port)
            if not accounts:
                continue
            names = [f"{key[1]}.{namespace}", *(f"{key[1]}.{namespace}.{tail}" for tail in DNS)] if not number else []
            yield (
                f"{key[1]}:{port.port}" if number else key[1],
                {
                    "endpoints": [str(each) for each in endpoints],
                    "identities": [identity(namespace, account) for account in sorted(accounts)],
                    "names": names,
                    "addresses": [str(Endpoint(address, port.port)) for address in service.addresses],
                },
            )


def _endpoints(
    found: Found, namespace: str, slices: list[FoundSlice], port: ServicePort
) -> tuple[list[Endpoint], set[str]]:
    """Those with a sidecar, canaries last, and the accounts they run under."""
    places = [
        (pod.canary, name, Endpoint(address, target.port), pod.account)
        for each in slices
        for target in each.ports
        if target.name == port.name
        for address, name in each.endpoints
        if (pod := found.pods.get((namespace, name))) is not None
    ]
    places.sort(key=lambda place: (*place[:2], str(place[2])))
    return [place[2] for place in places], {place[3] for place in places}
