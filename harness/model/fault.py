"""Fault: something that is done to a running deployment, and undone. Values and protocols; nothing here does anything.

A fault is applied, seen to act, and healed. What must have been seen if it acted is part of its record: without it nothing may be
said of how the system took it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.model.plan import Plan
from harness.model.platform import Deployment
from harness.model.topology import Topology

FAULT_API = 1

STEADY_S = 1.0
"""How long the system is watched before a fault and, at least, after it: that long it must be steady."""

TOUCHED = "touched"
"""In `must_see`: requests that were lost or late while the fault acted. The rows tell, not the fault."""


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """A fault of an experiment: what, to whom, when (seconds into the window), for how long, and how often, every so many seconds.

    `target` is a unit's name, `HOST/ROLE`, or a hop `caller>callee`; "" where the kind needs none. `params` belong to the kind.
    """

    name: str
    kind: str
    target: str
    at_s: float
    for_s: float
    times: int
    every_s: float
    params: Mapping[str, float] = field(default_factory=dict)

    def starts_s(self) -> tuple[float, ...]:
        """When each repetition is applied, in seconds into the window."""
        return tuple(self.at_s + number * self.every_s for number in range(self.times))


@dataclass(frozen=True, slots=True)
class Seen:
    """What was found at the target, as counts by name (`stopped: 1`, `delayed: 311`)."""

    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Healed:
    """When the cause was gone, and when the target did its work again (0: not before the repetition's end). CLOCK_MONOTONIC ns."""

    healed_ns: int
    back_ns: int


@dataclass(frozen=True, slots=True)
class Injection:
    """One repetition of a fault in a run. Stamps are CLOCK_MONOTONIC ns.

    It has the time from `start_ns` (STEADY_S before it is applied) to `end_ns` for itself. `back_ns` is 0 if the target wasn't back
    by then. `seen` are counts that the fault took while it acted; each name of `must_see` must be above 0 for the fault to count.
    """

    fault: str
    kind: str
    target: str
    units: list[str]
    number: int
    start_ns: int
    end_ns: int
    applied_ns: int
    healed_ns: int
    back_ns: int
    must_see: list[str]
    seen: dict[str, int]
    params: dict[str, float] = field(default_factory=dict)


class Fault(Protocol):
    """One repetition. `apply` returns when it acted; the platform undoes it after its time even if nobody calls `heal`.

    `evidence` is asked once while it acts, about in the middle. `heal` waits until the fault is undone (undoing it now if its
    time isn't over) and until the target is back or `until_ns` has come.
    """

    def apply(self, deployment: Deployment, for_s: float) -> int: ...
    def evidence(self, deployment: Deployment) -> Seen: ...
    def heal(self, deployment: Deployment, until_ns: int) -> Healed: ...


class FaultKind(Protocol):
    """A module with these names is a kind of fault, found by the entry point group `hoptax.faults`.

    `defaults` are its params (numbers; durations in seconds, `_s` in their names) with their default values; `target` is what it
    is aimed at. `units` names the units it touches in a plan: none means that it doesn't apply to that arm. It raises UsageError
    for a target that no plan of the topology can have. `interposes` names the hosts before which it needs an interposer, in every arm.
    """

    name: str
    api: int
    about: str
    target: str
    must_see: tuple[str, ...]
    defaults: Mapping[str, float]

    def units(self, spec: FaultSpec, topology: Topology, plan: Plan) -> tuple[str, ...]: ...
    def interposes(self, spec: FaultSpec, topology: Topology) -> tuple[str, ...]: ...
    def make(self, spec: FaultSpec, units: tuple[str, ...]) -> Fault: ...
