"""The interposers of a plan: one before each of some hosts. Pure.

Every arm of an experiment gets the same ones, so that what they cost cancels out; only faults give them a delay. Callers are led to them
by Traffic.interposed.
"""

import json
from collections.abc import Iterable
from dataclasses import replace

from harness.model.plan import APP_PORT, INBOUND_PORT, File, Plan, Ready, Unit, address, wire_host
from harness.model.program import Program

WIRE_PORT = 15080
"""Where the interposer itself is asked."""

INTERPOSER = Program("interposer", module="harness.faults.interposer")


def with_interposers(plan: Plan, hosts: Iterable[str]) -> Plan:
    """The plan and its interposers, last, so that all other hosts keep their places."""
    return replace(plan, units=(*plan.units, *(_unit(plan, host) for host in dict.fromkeys(hosts))))


def _unit(plan: Plan, host: str) -> Unit:
    own = wire_host(host)
    port = INBOUND_PORT if any(unit.host == host and INBOUND_PORT in unit.ports for unit in plan.units) else APP_PORT
    document = {
        "listen": [address(own), port],
        "to": [address(host), port],
        "control": [address(own), WIRE_PORT],
    }
    return Unit(
        name=own,
        role="load",
        host=own,
        program=INTERPOSER,
        args=("${dir}/wire.json",),
        files=(File("wire.json", json.dumps(document, indent=1)),),
        ports=(port, WIRE_PORT),
        ready=Ready(WIRE_PORT),
    )
