"""The built-in mesh on Kubernetes: sidecars that its webhook adds, and a control plane that its manifests start. Pure.

The installation is the same for every arm; an arm's features are settings of its own namespace (the ConfigMap `hoptax-mesh`).
"""

import json
from typing import Any

from harness.model.app import app_units, by_name, entry_port
from harness.model.mesh import Traffic
from harness.model.plan import (
    ADMIN_PORT,
    CONTROL_PORT,
    INBOUND_PORT,
    METRICS_PORT,
    OUTBOUND_PORT,
    PROBE_IDENTITY,
    Brought,
    Identity,
    Kubernetes,
    Manifest,
    Plan,
    Ready,
    Unit,
    replica_host,
)
from harness.model.program import Program
from harness.model.topology import Service, Topology
from meshes.builtin.control.kubernetes_authority import FILES, SECRET
from meshes.builtin.injection.labels import INJECT, INJECTED, POLICY, REVISION
from meshes.builtin.install import manifests as install
from meshes.identity.names import CONTROL_PLANE, TRUST_DOMAIN, spiffe_id
from meshes.identity.program import ISSUER
from meshes.sidecar_template import CONTAINER

Json = dict[str, Any]

PLATFORM = "kubernetes"
CONTROL = "control"
IMAGE = "${image}"
READY = "/ready"
SIDECAR_PORTS = (INBOUND_PORT, OUTBOUND_PORT, METRICS_PORT)
POD_SECURITY = (
    ("pod-security.kubernetes.io/enforce", "privileged"),
    ("pod-security.kubernetes.io/warn", "baseline"),
)
"""Apps keep to `baseline`. The one exception is the init container that writes the rules of capture (NET_ADMIN, NET_RAW), and Pod Security
can't except a container: so it is only warned of what isn't `baseline`."""


def plan(
    topology: Topology, features: frozenset[str], traffic: Traffic, settings: Json, programs: tuple[Program, Program]
) -> Plan:
    """Sidecars and control plane are brought; `settings` are those of the mesh's file, without services and proxies."""
    proxy, control = programs
    installation = install.Installation(IMAGE)
    hosts = [(service, replica_host(service.name, n)) for service in topology.services for n in range(service.replicas)]
    return Plan(
        units=(
            control_plane(installation, control),
            *(_sidecar(service, host, features, proxy) for service, host in hosts),
            *app_units(topology, traffic, by_name),
        ),
        entry_host=replica_host(topology.entry, 0),
        entry_port=entry_port(topology),
        identities=(Identity(PROBE_IDENTITY, spiffe_id(PROBE_IDENTITY)),),
        issuer=ISSUER,
        kubernetes=asked(topology, settings, installation),
    )


def asked(topology: Topology, settings: Json, installation: install.Installation) -> Kubernetes:
    """The installation and the arm's own settings. The CA is the experiment's, so that the probes' certificates are of it too."""
    system, *others = install.objects(installation)
    settled = f"deployment/{installation.name}=condition=Available"
    chosen = (INJECT, "enabled") if installation.by_label else (REVISION, installation.revision)
    return Kubernetes(
        before=(_manifest("hoptax-authority", [system, _authority()]),),
        manifests=(_manifest(installation.name, others, settled), policy(topology, settings)),
        namespace_labels=(chosen, *POD_SECURITY),
        relay_labels=((INJECT, "disabled"), (INJECTED, "true")),
    )


def policy(topology: Topology, settings: Json) -> Manifest:
    """The ConfigMap of the arm's namespace."""
    calls = {service.name: sorted({call.service for call in service.calls()}) for service in topology.services}
    document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": POLICY}}
    return Manifest(POLICY, json.dumps(document | {"data": {"mesh.json": json.dumps(settings | {"calls": calls})}}))


def identity(service: str) -> str:
    """The SPIFFE id of a service's pods."""
    return f"spiffe://{TRUST_DOMAIN}/ns/${{namespace}}/sa/{service}"


def _manifest(name: str, objects: list[Json], settled: str = "") -> Manifest:
    text = "\n---\n".join(json.dumps(each) for each in objects)
    return Manifest(name, text, "experiment", install.NAMESPACE, settled)


def _authority() -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": install.NAMESPACE},
        "data": {name: f"${{authority.{name}}}" for name in FILES},
    }


def control_plane(installation: install.Installation, program: Program, port: int = CONTROL_PORT) -> Unit:
    """What the installation starts; sidecars follow it at `port`."""
    return Unit(
        name=CONTROL,
        role="control",
        host=CONTROL,
        program=program,
        lifetime="experiment",
        ports=(port, ADMIN_PORT),
        ready=Ready(ADMIN_PORT, READY),
        identity=CONTROL_PLANE,
        brought=Brought(workload=installation.name, container=install.CONTAINER, namespace=install.NAMESPACE),
    )


def _sidecar(service: Service, host: str, features: frozenset[str], program: Program) -> Unit:
    return Unit(
        name=f"{host}-proxy",
        role="sidecar",
        host=host,
        service=service.name,
        program=program,
        ports=SIDECAR_PORTS,
        ready=Ready(METRICS_PORT, READY),
        identity=identity(service.name) if "mtls" in features else "",
        brought=Brought(workload=host, container=CONTAINER),
    )
