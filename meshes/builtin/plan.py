"""The built-in mesh as an adapter: one control plane, one sidecar per replica. Pure."""

import json
from dataclasses import asdict
from typing import Any

from harness.model.app import app_units, entry_port, through_sidecar
from harness.model.mesh import PlatformFacts, Support, Traffic
from harness.model.plan import (
    ADMIN_PORT,
    APP_PORT,
    CONTROL_PORT,
    INBOUND_PORT,
    METRICS_PORT,
    OUTBOUND_PORT,
    PROBE_IDENTITY,
    File,
    Identity,
    Plan,
    Ready,
    Unit,
    address,
    peer,
    replica_host,
)
from harness.model.policy import Policies
from harness.model.program import Program
from harness.model.topology import Service, Topology
from meshes.builtin import kubernetes
from meshes.identity.names import CONTROL_PLANE, spiffe_id
from meshes.identity.program import ISSUER

LEAN = ("-OO", "-E", "-X", "frozen_modules=on")
"""No docstrings and assertions in memory, no variables of the environment that change the interpreter."""

CONTROL = "control"
LEAF_LIFETIME_S = 24 * 3600

name = "builtin"
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
PROXY = Program(name="builtin-proxy", module="meshes.builtin.proxy", flags=LEAN)
CONTROL_PROGRAM = Program(name="builtin-control", module="meshes.builtin.control", flags=LEAN)
programs: tuple[Program, ...] = (PROXY, CONTROL_PROGRAM, ISSUER.program)


def plan(topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:
    """Control plane, then all sidecars at once, then the apps. Sidecars have certificates also without mtls: the watch needs them.

    The only identities made before launch are the control plane's, whose `ca.pem` is also what the proxies trust first, and the
    probes'. In Kubernetes all this is brought by the mesh itself: meshes.builtin.kubernetes.
    """
    if platform.name == kubernetes.PLATFORM:
        return kubernetes.plan(topology, features, traffic, settings(features, traffic), (PROXY, CONTROL_PROGRAM))
    hosts = [(service, replica_host(service.name, n)) for service in topology.services for n in range(service.replicas)]
    sidecars = {host: _sidecar(service, host, features) for service, host in hosts}
    after = {host: (sidecar.name,) for host, sidecar in sidecars.items()}
    apps = app_units(topology, traffic, through_sidecar(OUTBOUND_PORT), after)
    return Plan(
        units=(_control(topology, features, traffic), *sidecars.values(), *apps),
        entry_host=replica_host(topology.entry, 0),
        entry_port=entry_port(topology),
        identities=(Identity(CONTROL, CONTROL_PLANE), Identity(PROBE_IDENTITY, spiffe_id(PROBE_IDENTITY))),
        issuer=ISSUER,
    )


def _control(topology: Topology, features: frozenset[str], traffic: Traffic) -> Unit:
    where = {
        "address": address(CONTROL),
        "port": CONTROL_PORT,
        "admin_port": ADMIN_PORT,
        "mesh": "${dir}/mesh.json",
        "identity": f"${{identity.{CONTROL}}}",
        "authority": "${authority}",
    }
    mesh = json.dumps(mesh_document(topology, features, traffic), indent=1)
    return Unit(
        name=CONTROL,
        role="control",
        host=CONTROL,
        program=CONTROL_PROGRAM,
        args=("${dir}/control.json",),
        files=(File("control.json", json.dumps(where, indent=1)), File("mesh.json", mesh, private=True)),
        ports=(CONTROL_PORT, ADMIN_PORT),
        ready=Ready(ADMIN_PORT, "/ready"),
        identity=CONTROL_PLANE,
    )


def mesh_document(topology: Topology, features: frozenset[str], traffic: Traffic) -> dict[str, Any]:  # Any: JSON values
    """The control plane's input; its shape is that of meshes.builtin.control.model."""
    return {
        **settings(features, traffic),
        "services": {service.name: _service(service, traffic) for service in topology.services},
        "proxies": {
            replica_host(service.name, n): _proxy(service, replica_host(service.name, n))
            for service in topology.services
            for n in range(service.replicas)
        },
    }


def settings(features: frozenset[str], traffic: Traffic) -> dict[str, Any]:  # Any: JSON values
    """Of it, what holds for the mesh as a whole."""
    return {
        "mtls": "mtls" in features,
        "balancing": "least-request" if "least-request" in features else "round-robin",
        "leaf_lifetime_s": LEAF_LIFETIME_S,
        "access_log": "access-log" in features,
        "timeouts": {
            "connect_s": traffic.connect_timeout_s,
            "request_s": traffic.request_timeout_s,
            "idle_s": traffic.idle_timeout_s,
        },
        "limits": {
            "max_header_bytes": traffic.max_header_bytes,
            "max_headers": traffic.max_headers,
            "max_connections": traffic.max_connections,
            "max_requests": traffic.max_requests,
            "buffer_bytes": traffic.buffer_bytes,
        },
        "policies": _policies(features, traffic.policies),
    }


def _policies(features: frozenset[str], policies: Policies) -> dict[str, Any]:  # Any: JSON values
    """Only what the arm has: a feature that is off is not in the document."""
    authorization = {
        "callers": [spiffe_id(PROBE_IDENTITY)],
        "denied_prefix": policies.authorization.denied_prefix,
    }
    every = {
        "retries": ("retry", asdict(policies.retry)),
        "circuit-breaking": ("breaker", asdict(policies.breaker)),
        "outlier-ejection": ("ejection", asdict(policies.ejection)),
        "split": ("split", asdict(policies.split)),
        "authz": ("authorization", authorization),
        "tracing": ("tracing", asdict(policies.tracing)),
    }
    return dict(policy for feature, policy in every.items() if feature in features)


def _service(service: Service, traffic: Traffic) -> dict[str, Any]:  # Any: JSON values
    hosts = [replica_host(service.name, n) for n in range(service.replicas)]
    return {
        "endpoints": [f"{peer(host, traffic.interposed)}:{INBOUND_PORT}" for host in hosts],
        "calls": sorted({call.service for call in service.calls()}),
    }


def _proxy(service: Service, host: str) -> dict[str, str]:
    return {"service": service.name, "app": f"{address(host)}:{APP_PORT}", "token": f"${{secret.{host}}}"}


def _sidecar(service: Service, host: str, features: frozenset[str]) -> Unit:
    bootstrap = {
        "name": host,
        "address": address(host),
        "spiffe_id": spiffe_id(service.name),
        "control": {"address": f"{address(CONTROL)}:{CONTROL_PORT}", "spiffe_id": CONTROL_PLANE},
        "ca": f"${{identity.{CONTROL}}}/ca.pem",
        "token": f"${{secret.{host}}}",
    }
    return Unit(
        name=f"{host}-proxy",
        role="sidecar",
        host=host,
        service=service.name,
        program=PROXY,
        args=("${dir}/bootstrap.json",),
        files=(File("bootstrap.json", json.dumps(bootstrap, indent=1), private=True),),
        ports=(ADMIN_PORT, OUTBOUND_PORT, INBOUND_PORT, METRICS_PORT),
        ready=Ready(ADMIN_PORT, "/ready"),
        after=(CONTROL,),
        identity=spiffe_id(service.name) if "mtls" in features else "",
    )
