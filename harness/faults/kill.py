"""kill: a unit dies without a word (SIGKILL) and is started again after a while: refused connections, then a cold start."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.faults import targets
from harness.model.fault import FAULT_API, TOUCHED, FaultSpec, Healed, Seen
from harness.model.plan import Plan
from harness.model.platform import Deployment
from harness.model.topology import Topology

name = "kill"
api = FAULT_API
about = "kill a unit (SIGKILL), start it again"
target = "HOST (its app), HOST/sidecar, or a unit's name"
must_see = ("connections_closed", TOUCHED)
defaults: Mapping[str, float] = {}


def units(spec: FaultSpec, topology: Topology, plan: Plan) -> tuple[str, ...]:
    """The target's units in this plan."""
    return targets.unit_names(spec, topology, plan)


def interposes(spec: FaultSpec, topology: Topology) -> tuple[str, ...]:  # noqa: ARG001
    """Before nobody."""
    return ()


def make(spec: FaultSpec, units: tuple[str, ...]) -> "Kill":  # noqa: ARG001
    """One repetition."""
    return Kill(units)


@dataclass(slots=True)
class Kill:
    """See harness.model.fault.Fault. `before` counts the connections that the units had when they were killed."""

    units: tuple[str, ...]
    before: int = 0

    def apply(self, deployment: Deployment, for_s: float) -> int:
        self.before = self._connections(deployment)
        return max([deployment.disturb.kill(unit, for_s) for unit in self.units])

    def evidence(self, deployment: Deployment) -> Seen:
        return Seen({"connections_closed": self.before - self._connections(deployment)})

    def heal(self, deployment: Deployment, until_ns: int) -> Healed:  # noqa: ARG002 - the platform bounds readiness
        stamps = [deployment.disturb.restart(unit) for unit in self.units]
        return Healed(max(started for started, _ in stamps), max(ready for _, ready in stamps))

    def _connections(self, deployment: Deployment) -> int:
        return sum(deployment.disturb.connections(unit) for unit in self.units)
