"""Faults inside a trial: what they need in the plan, and applying, observing and healing each in its turn.

It knows no kind of fault and no mesh. What it can't know it is given: the deployment, the clock, and how to wait.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from harness import registry
from harness.fault_file import Slot, slots
from harness.faults.wire import with_interposers
from harness.model.fault import Fault, FaultSpec, Injection
from harness.model.mesh import Arm, PlatformFacts, Traffic
from harness.model.plan import Plan
from harness.model.platform import Deployment
from harness.model.topology import Topology

NS_PER_S = 1_000_000_000

Wait = Callable[[int], None]
"""Returns at that time, CLOCK_MONOTONIC ns."""


def plan_with(
    arm: Arm, topology: Topology, traffic: Traffic, platform: PlatformFacts, specs: Sequence[FaultSpec]
) -> Plan:
    """The arm's plan with the interposers that the faults need, the same in every arm; without faults, the arm's own."""
    hosts = tuple(host for spec in specs for host in registry.fault_kind(spec.kind).interposes(spec, topology))
    if not hosts:
        return arm.plan(topology, traffic, platform)
    plan = arm.plan(topology, replace(traffic, interposed=hosts), platform)
    return with_interposers(plan, hosts, interception=platform.interception)


def targets(plan: Plan, specs: Sequence[FaultSpec], topology: Topology) -> dict[str, tuple[str, ...]]:
    """Per fault, the units that it touches in this plan; none where it doesn't apply."""
    return {spec.name: registry.fault_kind(spec.kind).units(spec, topology, plan) for spec in specs}


def inject(
    deployment: Deployment, specs: Sequence[FaultSpec], topology: Topology, window_ns: tuple[int, int], wait: Wait
) -> Iterator[Injection]:
    """Every repetition that applies to this plan, in order; each is yielded once it is healed.

    Whatever happens while a fault acts, it is healed before the exception goes on.
    """
    start_ns, end_ns = window_ns
    touched = targets(deployment.plan, specs, topology)
    for slot in slots(specs, (end_ns - start_ns) / NS_PER_S):
        if units := touched[slot.spec.name]:
            yield _one(deployment, slot, units, start_ns, wait)


def _one(deployment: Deployment, slot: Slot, units: tuple[str, ...], window_start_ns: int, wait: Wait) -> Injection:
    spec = slot.spec
    kind = registry.fault_kind(spec.kind)
    fault = kind.make(spec, units)
    start_ns, at_ns, end_ns = (
        window_start_ns + round(each * NS_PER_S) for each in (slot.start_s, slot.at_s, slot.end_s)
    )
    wait(at_ns)
    applied_ns, seen = _act(fault, deployment, spec, wait, end_ns)
    healed = fault.heal(deployment, end_ns)
    deployment.check()
    return Injection(
        fault=spec.name,
        kind=spec.kind,
        target=spec.target,
        units=list(units),
        number=slot.number,
        start_ns=start_ns,
        end_ns=end_ns,
        applied_ns=applied_ns,
        healed_ns=healed.healed_ns,
        back_ns=healed.back_ns,
        must_see=list(kind.must_see),
        seen=dict(seen),
        params={**spec.params, "for_s": spec.for_s},
    )


def _act(fault: Fault, deployment: Deployment, spec: FaultSpec, wait: Wait, end_ns: int) -> tuple[int, dict[str, int]]:
    """Apply, look in the middle, wait until its time is over."""
    try:
        applied_ns = fault.apply(deployment, spec.for_s)
        wait(applied_ns + round(spec.for_s * NS_PER_S / 2))
        seen = dict(fault.evidence(deployment).counts)
        wait(applied_ns + round(spec.for_s * NS_PER_S))
    except BaseException:
        fault.heal(deployment, end_ns)
        raise
    return applied_ns, seen
