"""The interposers of a plan: one before each of some hosts. Pure.

Every arm of an experiment gets the same ones, so that what they cost cancels out; only faults give them a delay. Callers are led to them
by Traffic.interposed, or, in a cluster, by the callee's Service, whose endpoints they are.
"""

import json
from collections.abc import Iterable
from dataclasses import replace

from harness.model.plan import APP_PORT, INBOUND_PORT, File, Plan, Ready, Unit, address, wire_host
from harness.model.program import Program

WIRE_PORT = 15080
"""Where the interposer itself is asked."""

INTERPOSER = Program("interposer", module="harness.faults.interposer")


def with_interposers(plan: Plan, hosts: Iterable[str], *, interception: bool = False) -> Plan:
    """The plan and its interposers, last, so that all other hosts keep their places.

    Where connections are intercepted, sidecars speak to each other at the app's own port.
    """
    return replace(plan, units=(*plan.units, *(_unit(plan, host, interception) for host in dict.fromkeys(hosts))))


def _unit(plan: Plan, host: str, interception: bool) -> Unit:
    own = wire_host(host)
    meshed = any(unit.host == host and INBOUND_PORT in unit.ports for unit in plan.units)
    port = INBOUND_PORT if meshed and not interception else APP_PORT
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
        before=host,
    )
