"""pause: a unit stands still, as on a machine that stalls: its connections stay open, nothing answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.faults import targets
from harness.model.fault import FAULT_API, TOUCHED, FaultSpec, Healed, Seen
from harness.model.plan import Plan
from harness.model.platform import Deployment
from harness.model.topology import Topology

name = "pause"
api = FAULT_API
about = "stop a unit's processes (SIGSTOP), let them go on (SIGCONT)"
target = "HOST (its app), HOST/sidecar, or a unit's name"
must_see = ("stopped", TOUCHED)
defaults: Mapping[str, float] = {}


def units(spec: FaultSpec, topology: Topology, plan: Plan) -> tuple[str, ...]:
    """The target's units in this plan."""
    return targets.unit_names(spec, topology, plan)


def interposes(spec: FaultSpec, topology: Topology) -> tuple[str, ...]:  # noqa: ARG001
    """Before nobody."""
    return ()


def make(spec: FaultSpec, units: tuple[str, ...]) -> "Pause":  # noqa: ARG001
    """One repetition."""
    return Pause(units)


@dataclass(slots=True)
class Pause:
    """See harness.model.fault.Fault."""

    units: tuple[str, ...]

    def apply(self, deployment: Deployment, for_s: float) -> int:
        return max(deployment.disturb.pause(unit, for_s) for unit in self.units)

    def evidence(self, deployment: Deployment) -> Seen:
        return Seen({"stopped": sum(deployment.disturb.stopped(unit) for unit in self.units)})

    def heal(self, deployment: Deployment, until_ns: int) -> Healed:  # noqa: ARG002 - a unit that goes on is back
        healed_ns = max(deployment.disturb.resume(unit) for unit in self.units)
        return Healed(healed_ns, healed_ns)
