"""What of Kubernetes' objects the mesh needs, and nothing else of them. Pure; field names are those of the API."""

import json
from dataclasses import dataclass
from typing import Any

from meshes.builtin.injection.labels import INJECTED, POLICY, SIDECAR

Json = dict[str, Any]
HTTP = ("http", "http1", "http/1.1", "kubernetes.io/http")


@dataclass(frozen=True, slots=True)
class ServicePort:
    """`name` joins it with the endpoint slices' ports."""

    name: str
    port: int


@dataclass(frozen=True, slots=True)
class FoundService:
    """Its virtual addresses (none if it is headless) and the ports that are HTTP, by `appProtocol` or by their name."""

    addresses: tuple[str, ...]
    ports: tuple[ServicePort, ...]


@dataclass(frozen=True, slots=True)
class FoundSlice:
    """A part of a Service's endpoints: ready ones as (address, pod), and ports by name."""

    service: str
    endpoints: tuple[tuple[str, str], ...]
    ports: tuple[ServicePort, ...]


@dataclass(frozen=True, slots=True)
class FoundPod:
    """A pod with a sidecar."""

    account: str
    canary: bool
    address: str
    sidecar: str = ""


def service(item: Json) -> FoundService:
    """Of a core/v1 Service."""
    spec = item["spec"]
    addresses = tuple(each for each in spec.get("clusterIPs") or () if each != "None")
    return FoundService(addresses, tuple(_port(port) for port in spec.get("ports") or () if _is_http(port)))


def _is_http(port: Json) -> bool:
    if port.get("protocol", "TCP") != "TCP":
        return False
    said = port.get("appProtocol") or port.get("name") or ""
    return said.lower() in HTTP or ("appProtocol" not in port and said.startswith("http-"))


def _port(port: Json) -> ServicePort:
    return ServicePort(port.get("name") or "", int(port["port"]))


def endpoint_slice(item: Json) -> FoundSlice | None:
    """Of a discovery.k8s.io/v1 EndpointSlice; None if it belongs to no Service, or has names for addresses."""
    owner = (item["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
    if not owner or item["addressType"] == "FQDN":
        return None
    ready = (each for each in item.get("endpoints") or () if (each.get("conditions") or {}).get("ready", True))
    endpoints = sorted((each["addresses"][0], (each.get("targetRef") or {}).get("name", "")) for each in ready)
    ports = tuple(_port(port) for port in item.get("ports") or () if port.get("port"))
    return FoundSlice(owner, tuple(endpoints), ports)


def pod(item: Json) -> FoundPod | None:
    """Of a core/v1 Pod that has a sidecar and isn't over."""
    labels = item["metadata"].get("labels") or {}
    status = item.get("status") or {}
    if labels.get(INJECTED) != "true" or status.get("phase") in ("Succeeded", "Failed"):
        return None
    account = item["spec"].get("serviceAccountName") or "default"
    return FoundPod(account, labels.get("version") == "canary", status.get("podIP") or "", labels.get(SIDECAR, ""))


def policy(item: Json) -> Json | None:
    """Of the core/v1 ConfigMap with a namespace's settings; None if it is another, or can't be read."""
    if item["metadata"]["name"] != POLICY:
        return None
    try:
        document = json.loads((item.get("data") or {}).get("mesh.json", ""))
    except ValueError:
        return {"unreadable": True}
    return document if isinstance(document, dict) else {"unreadable": True}
