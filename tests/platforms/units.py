"""Plans made of tests.platforms.unit, and how to ask such a unit for something."""

import json
from http.client import HTTPConnection
from typing import Any

from harness.model.plan import File, Plan, Ready, Unit, address
from harness.model.platform import Deployment
from harness.model.program import Program

PORT = 8080
PROGRAM = Program("unit", module="tests.platforms.unit")
BY_HTTP = Ready(PORT, "/ready")
BY_TCP = Ready(PORT)


def unit(
    name: str,
    *flags: str,
    ready: Ready | None = BY_HTTP,
    after: tuple[str, ...] = (),
    files: tuple[File, ...] = (),
    program: Program = PROGRAM,
    stop_grace_s: float = 2.0,
) -> Unit:
    """A unit on a host of its own name."""
    return Unit(
        name=name,
        role="app",
        host=name,
        program=program,
        args=(f"{address(name)}:{PORT}", *flags, *(f"${{dir}}/{file.name}" for file in files)),
        files=files,
        ports=(PORT,),
        ready=ready,
        after=after,
        stop_grace_s=stop_grace_s,
    )


def plan(*units: Unit) -> Plan:
    """Load enters at the first."""
    return Plan(units, entry_host=units[0].host, entry_port=PORT)


def ask(deployment: Deployment, name: str, path: str) -> Any:  # Any: JSON values
    """What the unit answers; OSError if it doesn't."""
    connection = HTTPConnection(deployment.address(name), PORT, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return json.loads(response.read())
    finally:
        connection.close()
