"""The units of the application itself, the same in every arm: only the address to which a call goes differs.

The fan-out service reads one JSON document, `service.json`, whose shape is given by `service_document`. A program of the user's
own reads nothing of ours: harness.model.command says what it is told.
"""

import json
from collections.abc import Callable, Container, Mapping
from pathlib import PurePath
from typing import Any

from harness.model import command
from harness.model.mesh import Traffic
from harness.model.plan import APP_PORT, FRONT_PORT, OBSERVE_PORT, File, Ready, Unit, address, peer, replica_host
from harness.model.program import Program
from harness.model.topology import Command, Service, Topology

Via = Callable[[str, Service], tuple[str, ...]]
"""From (caller's host, callee) to the endpoints `address:port` (may hold references) that the app sends to, in turn."""


def direct_to(interposed: Container[str]) -> Via:
    """No mesh: every replica of the callee, round robin in the app; those of `interposed` through what stands before them."""
    return lambda _host, callee: tuple(
        f"{peer(replica_host(callee.name, n), interposed)}:{APP_PORT}" for n in range(callee.replicas)
    )


direct = direct_to(())
"""With nothing in between."""


def through_sidecar(outbound_port: int) -> Via:
    """A mesh without interception: the sidecar of the caller's own host."""
    return lambda host, _callee: (f"{address(host)}:{outbound_port}",)


def by_name(_host: str, callee: Service) -> tuple[str, ...]:
    """Kubernetes: the callee's Service, whatever captures the call or doesn't."""
    return (f"{callee.name}:{APP_PORT}",)


def service_document(topology: Topology, service: Service, replica: int, traffic: Traffic, via: Via) -> dict[str, Any]:
    """What one replica of the fan-out service has to know, as JSON.

    `calls` of a step start together; `sleeps_us` says how long each step takes at least. `endpoints` are used in turn, request by request, over keep-alive connections.
    `front` is 0 except at the entry. A callee that isn't `stamped` doesn't tell when it received and answered.
    """
    host = replica_host(service.name, replica)
    work = service.work
    return {
        "service": service.name,
        "replica": replica,
        "address": address(host),
        "ports": {
            "app": APP_PORT,
            "observe": OBSERVE_PORT,
            "front": FRONT_PORT if service.name == topology.entry else 0,
        },
        "work": {
            "cpu_us": work.cpu_us,
            "sleep_us": work.sleep_us,
            "response_bytes": work.response_bytes,
            "error_rate": work.error_rate,
        },
        "timeouts_s": {
            "connect": traffic.connect_timeout_s,
            "request": traffic.request_timeout_s,
            "idle": traffic.idle_timeout_s,
        },
        "steps": _steps(topology, service, host, via),
        "sleeps_us": [step.sleep_us for step in service.script],
    }


def _steps(topology: Topology, service: Service, host: str, via: Via) -> list[list[Mapping[str, Any]]]:
    hops = iter(hop for hop in topology.hops() if hop.caller == service.name)
    return [
        [
            {
                "hop": next(hops).id,
                "service": call.service,
                "endpoints": list(via(host, topology.service(call.service))),
                "request_bytes": call.request_bytes,
                "probability": call.probability,
                "stamped": topology.service(call.service).command is None,
            }
            for call in step.calls
        ]
        for step in service.script
    ]


def entry_port(topology: Topology) -> int:
    """Where load enters at the entry's host: the front door, which a program of the user's own doesn't have."""
    return FRONT_PORT if topology.service(topology.entry).command is None else APP_PORT


def app_units(
    topology: Topology, traffic: Traffic, via: Via, after: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Unit, ...]:
    """One unit per replica, callees before callers; `after` adds, per host, units (its sidecar) that must be ready first."""
    units: list[Unit] = []
    for service in reversed(topology.services):
        for replica in range(service.replicas):
            before = (after or {}).get(replica_host(service.name, replica), ())
            if service.command is None:
                units.append(_fanout_unit(topology, service, replica, traffic, via, before))
            else:
                units.append(_own_unit(topology, service, service.command, replica, via, before))
    return tuple(units)


def _fanout_unit(
    topology: Topology, service: Service, replica: int, traffic: Traffic, via: Via, after: tuple[str, ...]
) -> Unit:
    host = replica_host(service.name, replica)
    document = service_document(topology, service, replica, traffic, via)
    ports = document["ports"]
    return Unit(
        name=host,
        role="app",
        host=host,
        service=service.name,
        program=service.program,
        args=("${dir}/service.json",),
        files=(File("service.json", json.dumps(document, indent=1)),),
        ports=tuple(port for port in (ports["app"], ports["observe"], ports["front"]) if port),
        ready=Ready(port=OBSERVE_PORT, path="/ready"),
        after=after,
    )


def _own_unit(
    topology: Topology, service: Service, own: Command, replica: int, via: Via, after: tuple[str, ...]
) -> Unit:
    host = replica_host(service.name, replica)
    endpoints = {call.service: via(host, topology.service(call.service)) for call in service.calls()}
    (name, *arguments), environment = command.told(own, address(host), APP_PORT, replica, endpoints)
    return Unit(
        name=host,
        role="app",
        host=host,
        service=service.name,
        program=Program(name=str(PurePath(own.folder, name)) if "/" in name else name),
        args=tuple(arguments),
        environment=environment,
        ports=(APP_PORT,),
        ready=Ready(port=APP_PORT, path=own.ready),
        after=after,
        folder=own.folder,
    )
