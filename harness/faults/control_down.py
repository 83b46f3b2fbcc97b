"""control-down: the control plane dies and comes back; traffic should not notice. Arms without one can't have it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from harness.faults.kill import Kill
from harness.model.errors import UsageError
from harness.model.fault import FAULT_API, FaultSpec, Healed, Seen
from harness.model.plan import Plan
from harness.model.platform import Deployment
from harness.model.topology import Topology

POLL_NS = 10_000_000

name = "control-down"
api = FAULT_API
about = "kill the control plane, start it again; not applicable to arms without one"
target = "none: every unit of role control"
must_see = ("connections_closed",)
defaults: Mapping[str, float] = {}


def units(spec: FaultSpec, topology: Topology, plan: Plan) -> tuple[str, ...]:  # noqa: ARG001
    """The plan's control plane, if it has one."""
    if spec.target:
        raise UsageError(f"fault {spec.name!r}: {name} has no target (is {spec.target!r}): leave it out")
    return tuple(unit.name for unit in plan.units if unit.role == "control")


def interposes(spec: FaultSpec, topology: Topology) -> tuple[str, ...]:  # noqa: ARG001
    """Before nobody."""
    return ()


def make(spec: FaultSpec, units: tuple[str, ...]) -> "ControlDown":  # noqa: ARG001
    """One repetition."""
    return ControlDown(units)


@dataclass(slots=True)
class ControlDown:
    """It is back when as many connections to it are open as before: every proxy follows it again."""

    units: tuple[str, ...]
    clock_ns: Callable[[], int] = time.monotonic_ns
    killed: Kill = field(init=False)

    def __post_init__(self) -> None:
        self.killed = Kill(self.units)

    def apply(self, deployment: Deployment, for_s: float) -> int:
        return self.killed.apply(deployment, for_s)

    def evidence(self, deployment: Deployment) -> Seen:
        return self.killed.evidence(deployment)

    def heal(self, deployment: Deployment, until_ns: int) -> Healed:
        healed = self.killed.heal(deployment, until_ns)
        while (now_ns := self.clock_ns()) < until_ns:
            if self._connections(deployment) >= self.killed.before:
                return Healed(healed.healed_ns, now_ns)
            time.sleep(POLL_NS / 1e9)
        return Healed(healed.healed_ns, 0)

    def _connections(self, deployment: Deployment) -> int:
        return sum(deployment.disturb.connections(unit) for unit in self.units)
