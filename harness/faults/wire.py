"""Puts an interposer before every replica of a callee: a plan edit, decided before launch. Pure.

Every arm of an experiment gets the same interposers, so that what they cost cancels out; only faults give them a delay. Adapters
help by naming callees with `${peer.HOST}`.
"""

import json
import re
from dataclasses import replace

from harness.model.fault import PlanEdit
from harness.model.plan import APP_PORT, INBOUND_PORT, File, Plan, Ready, Unit, address, replica_host
from harness.model.program import Program
from harness.model.topology import Service

WIRE_PORT = 15080
"""Where the interposer itself is asked."""

INTERPOSER = Program("interposer", module="harness.faults.interposer")


def wire_name(host: str) -> str:
    """The unit, and the host, of the interposer before `host`; no replica's host ends so."""
    return f"{host}-wire"


def interposed(callee: Service) -> PlanEdit:
    """The edit of any arm's plan; it does nothing to a plan that has the interposers already."""

    def edit(plan: Plan) -> Plan:
        for replica in range(callee.replicas):
            plan = _before(plan, replica_host(callee.name, replica))
        return plan

    return edit


def _before(plan: Plan, host: str) -> Plan:
    if any(unit.name == wire_name(host) for unit in plan.units):
        return plan
    port = INBOUND_PORT if any(unit.host == host and INBOUND_PORT in unit.ports for unit in plan.units) else APP_PORT
    rewired = tuple(_rewired(unit, host) for unit in plan.units)
    return replace(plan, units=(*rewired, _unit(host, port)))


def _rewired(unit: Unit, host: str) -> Unit:
    pattern = re.compile(r"\$\{peer\." + re.escape(host) + r"\}")

    def text(value: str) -> str:
        return pattern.sub(lambda _: address(wire_name(host)), value)

    return replace(
        unit,
        args=tuple(map(text, unit.args)),
        files=tuple(replace(file, content=text(file.content)) for file in unit.files),
        environment=tuple((name, text(value)) for name, value in unit.environment),
    )


def _unit(host: str, port: int) -> Unit:
    own = wire_name(host)
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
