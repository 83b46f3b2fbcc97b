"""latency: what a hop's caller sends is held back by an interposer before the callee; answers come without delay."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.faults import targets
from harness.faults.wire import WIRE_PORT
from harness.model.errors import EnvironmentFailure
from harness.model.fault import FAULT_API, FaultSpec, Healed, Seen
from harness.model.plan import Plan, replica_host, wire_host
from harness.model.platform import Deployment
from harness.model.topology import Topology

ANSWER_WITHIN_S = 2.0
NS_PER_S = 1_000_000_000

name = "latency"
api = FAULT_API
about = "hold back each request on one hop by `delay`, in an interposer that every arm carries"
target = "a hop, caller>callee"
must_see = ("delayed",)
defaults: Mapping[str, float] = {"delay_s": 0.025}


def units(spec: FaultSpec, topology: Topology, plan: Plan) -> tuple[str, ...]:  # noqa: ARG001
    """The interposers before the callee's replicas."""
    return tuple(map(wire_host, interposes(spec, topology)))


def interposes(spec: FaultSpec, topology: Topology) -> tuple[str, ...]:
    """Every replica of the callee."""
    callee = topology.service(targets.hop_of(spec, topology).callee)
    return tuple(replica_host(callee.name, n) for n in range(callee.replicas))


def make(spec: FaultSpec, units: tuple[str, ...]) -> "Latency":
    """One repetition."""
    return Latency(units, round(spec.params["delay_s"] * NS_PER_S))


@dataclass(slots=True)
class Latency:
    """`before` counts the pieces that each interposer had held back when this repetition began."""

    units: tuple[str, ...]
    delay_ns: int
    before: dict[str, int] = field(default_factory=dict)

    def apply(self, deployment: Deployment, for_s: float) -> int:
        self.before = {unit: _ask(deployment, unit, {})["delayed"] for unit in self.units}
        wish = {"delay_ns": self.delay_ns, "for_ns": round(for_s * NS_PER_S)}
        return max([_ask(deployment, unit, wish)["at_ns"] for unit in self.units])

    def evidence(self, deployment: Deployment) -> Seen:
        now = {unit: _ask(deployment, unit, {})["delayed"] for unit in self.units}
        return Seen({"delayed": sum(now[unit] - self.before[unit] for unit in self.units)})

    def heal(self, deployment: Deployment, until_ns: int) -> Healed:  # noqa: ARG002 - an interposer without a delay is back
        healed_ns = max([_ask(deployment, unit, {"delay_ns": 0})["at_ns"] for unit in self.units])
        return Healed(healed_ns, healed_ns)


def _ask(deployment: Deployment, unit: str, command: Mapping[str, int]) -> dict[str, int]:
    """One command to an interposer; each unit of them is a host of its own."""
    try:
        with socket.create_connection((deployment.address(unit), WIRE_PORT), ANSWER_WITHIN_S) as connection:
            connection.sendall(json.dumps(command).encode() + b"\n")
            answer: dict[str, int] = json.loads(connection.makefile("rb").readline())
            return answer
    except (OSError, ValueError) as error:
        raise EnvironmentFailure(f"interposer {unit!r} doesn't answer: {error}; is it running?") from error
