"""The Envoy arm on Kubernetes: sidecars that our webhook adds, fed by our control plane over xDS. Pure.

It is an installation of the built-in mesh's control plane under a name of its own, so that the arm `builtin` has nothing of xDS in it.
"""

from dataclasses import replace

from harness.model.app import app_units, by_name, entry_port
from harness.model.mesh import Traffic
from harness.model.plan import METRICS_PORT, PROBE_IDENTITY, Brought, Identity, Plan, Ready, Unit, replica_host
from harness.model.program import Program
from harness.model.topology import Service, Topology
from meshes.builtin.install.manifests import XDS_PORT, Installation
from meshes.builtin.kubernetes import IMAGE, READY, SIDECAR_PORTS, asked, control_plane, identity
from meshes.builtin.plan import CONTROL_PROGRAM, settings
from meshes.identity.names import spiffe_id
from meshes.identity.program import ISSUER
from meshes.sidecar_template import CONTAINER

PLATFORM = "kubernetes"
POD_LABELS = (("hoptax.dev/sidecar", "envoy"),)
"""By which the webhook picks the template."""
INSTALLATION = Installation(
    IMAGE, envoy_image="${image.envoy}", revision="envoy", name="hoptax-control-envoy", by_label=False
)


def plan(topology: Topology, features: frozenset[str], traffic: Traffic, program: Program) -> Plan:
    """Every sidecar and the control plane are brought; `program` is what runs in the sidecars."""
    hosts = [(service, replica_host(service.name, n)) for service in topology.services for n in range(service.replicas)]
    sidecars = (_sidecar(service, host, features, program) for service, host in hosts)
    return Plan(
        units=(
            control_plane(INSTALLATION, CONTROL_PROGRAM, XDS_PORT),
            *sidecars,
            *app_units(topology, traffic, by_name),
        ),
        entry_host=replica_host(topology.entry, 0),
        entry_port=entry_port(topology),
        identities=(Identity(PROBE_IDENTITY, spiffe_id(PROBE_IDENTITY)),),
        issuer=ISSUER,
        kubernetes=replace(
            asked(topology, settings(features, traffic), INSTALLATION),
            pod_labels=POD_LABELS,
            images=((program.name, program.image),),
        ),
    )


def _sidecar(service: Service, host: str, features: frozenset[str], program: Program) -> Unit:
    return Unit(
        name=f"{host}-envoy",
        role="sidecar",
        host=host,
        service=service.name,
        program=program,
        ports=SIDECAR_PORTS,
        ready=Ready(METRICS_PORT, READY),
        identity=identity(service.name) if "mtls" in features else "",
        brought=Brought(workload=host, container=CONTAINER),
    )
