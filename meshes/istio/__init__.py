"""Istio in sidecar mode: what istioctl renders, what its webhook adds to pods, and its own resources for every feature. Pure.

It knows no version: the istioctl on PATH decides which Istio, and which images, are measured.
"""

from harness.model.app import app_units, by_name, entry_port
from harness.model.errors import UsageError
from harness.model.mesh import FEATURES, PlatformFacts, Support, Traffic
from harness.model.plan import PROBE_IDENTITY, Brought, Identity, Kubernetes, Plan, Ready, Unit, replica_host
from harness.model.program import Program
from harness.model.topology import Service, Topology
from meshes.identity.names import spiffe_id
from meshes.identity.program import ISSUER
from meshes.istio import install, limits, names, pods, security, telling, traffic_rules
from meshes.istio.resources import manifest

name = "istio"
api = 1
capabilities: dict[str, Support] = dict.fromkeys(FEATURES, "optional")
programs: tuple[Program, ...] = (install.ISTIOCTL,)

CONTROL = "istiod"
PLATFORM = "kubernetes"


def plan(topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:
    """Nothing is started here but the apps: istiod comes with the render, the sidecars with istiod's webhook.

    UsageError on another platform, and for settings that Istio can't be given.
    """
    if platform.name != PLATFORM:
        raise UsageError(
            f"mesh {name!r} runs on platform {PLATFORM!r} only, this is {platform.name!r}: add --platform {PLATFORM}, "
            "or leave the arm out"
        )
    limits.check(features, traffic)
    hosts = [(service, replica_host(service.name, n)) for service in topology.services for n in range(service.replicas)]
    sidecars = (_sidecar(service, host, features) for service, host in hosts)
    return Plan(
        units=(_control(), *sidecars, *app_units(topology, traffic, by_name)),
        entry_host=replica_host(topology.entry, 0),
        entry_port=entry_port(topology),
        identities=(Identity(PROBE_IDENTITY, spiffe_id(PROBE_IDENTITY)),),
        issuer=ISSUER,
        kubernetes=_kubernetes(topology, features, traffic),
    )


def _kubernetes(topology: Topology, features: frozenset[str], traffic: Traffic) -> Kubernetes:
    """The installation is the same for every arm, so that one istiod serves them all; what differs lies in the arm's namespace."""
    policies = (
        *security.resources(topology, features, traffic),
        *traffic_rules.resources(topology, features, traffic),
        *telling.resources(features, traffic),
    )
    return Kubernetes(
        before=install.BEFORE,
        renders=(install.RENDER,),
        manifests=(telling.COLLECTOR, manifest("istio-policies", policies)),
        pod_labels=pods.LABELS,
        pod_annotations=pods.annotations(features, traffic),
        relay_labels=pods.RELAY_LABELS,
    )


def _control() -> Unit:
    return Unit(
        name=CONTROL,
        role="control",
        host=CONTROL,
        program=install.ISTIOCTL,
        lifetime="experiment",
        ports=(names.XDS_PORT, names.ISTIOD_READY_PORT),
        ready=Ready(names.ISTIOD_READY_PORT, "/ready"),
        brought=Brought(workload="istiod", container="discovery", namespace=names.NAMESPACE),
    )


def _sidecar(service: Service, host: str, features: frozenset[str]) -> Unit:
    return Unit(
        name=f"{host}-proxy",
        role="sidecar",
        host=host,
        service=service.name,
        program=install.ISTIOCTL,
        ports=pods.PORTS,
        ready=Ready(pods.READY_PORT, "/healthz/ready"),
        identity=names.identity(service.name) if "mtls" in features else "",
        brought=Brought(workload=host, container="istio-proxy"),
    )
