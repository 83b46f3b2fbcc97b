"""The `faults:` of an experiment file → FaultSpecs, checked against window, topologies and arms before anything starts.

```yaml
faults:
  - {name: pause-c, kind: pause, target: c-0, at: 1s, for: 1s, times: 7, every: 28s}
  - {name: slow-b-c, kind: latency, target: "b>c", at: 8s, for: 2s, times: 7, every: 28s, params: {delay: 25ms}}
```

`at` is the first repetition's start in the window. Every repetition has the time until the next one, of any fault, for itself: STEADY_S
before it, in which the system must be steady, the fault, and at least STEADY_S after it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from harness import registry
from harness.model.errors import UsageError, unknown
from harness.model.fault import STEADY_S, FaultSpec
from harness.model.mesh import Arm, PlatformFacts, Traffic
from harness.model.quantities import duration_s
from harness.model.run import Load
from harness.model.topology import Topology

PROCESS = PlatformFacts("process", interception=False)
"""The platform unless another is asked for."""


def _seconds(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} has no unit: write e.g. 1s")  # noqa: TRY004 - pydantic turns it into a message
    try:
        return duration_s(value)
    except UsageError as error:
        raise ValueError(str(error)) from error


_Seconds = Annotated[float, BeforeValidator(_seconds), Field(gt=0, le=3600)]


class FaultEntry(BaseModel):
    """One entry of `faults:`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]
    kind: str
    target: str = ""
    at: _Seconds
    for_: Annotated[_Seconds, Field(alias="for")]
    times: Annotated[int, Field(strict=True, ge=1, le=1000)] = 1
    every: _Seconds | None = None
    params: dict[str, _Seconds] = {}


@dataclass(frozen=True, slots=True)
class Slot:
    """One repetition, in seconds into the window: it has [start_s, end_s) for itself and is applied at `at_s`."""

    spec: FaultSpec
    number: int
    start_s: float
    at_s: float
    end_s: float


def faults(
    entries: Sequence[FaultEntry],
    topologies: Sequence[Topology],
    arms: Sequence[Arm],
    loads: Iterable[Load],
    platform: PlatformFacts = PROCESS,
) -> tuple[FaultSpec, ...]:
    """The faults of a file, checked against the arms' plans for the platform; UsageError for an unknown kind or target, faults that overlap, or one longer than its window."""
    specs = tuple(map(_spec, entries))
    if len({spec.name for spec in specs}) != len(specs):
        raise UsageError("two faults have one name: results are told apart by it, so rename one")
    for load in loads:
        slots(specs, load.window_s)
    for topology in topologies:
        for spec in specs:
            _check_target(spec, topology, arms, platform)
    return specs


def slots(specs: Sequence[FaultSpec], window_s: float) -> tuple[Slot, ...]:
    """Every repetition, in order of time."""
    starts = sorted(
        (at_s, place, number) for place, spec in enumerate(specs) for number, at_s in enumerate(spec.starts_s())
    )
    ends = ([at_s - STEADY_S for at_s, _, _ in starts[1:]] + [window_s])[: len(starts)]
    found = [
        Slot(specs[place], number, at_s - STEADY_S, at_s, end_s)
        for (at_s, place, number), end_s in zip(starts, ends, strict=True)
    ]
    for index, slot in enumerate(found):
        _check_slot(slot, found[index + 1] if index + 1 < len(found) else None, window_s)
    return tuple(found)


def _check_slot(slot: Slot, following: Slot | None, window_s: float) -> None:
    which = f"fault {slot.spec.name!r} at {slot.at_s:g} s"
    if slot.start_s < 0:
        raise UsageError(
            f"{which}: {STEADY_S:g} s before it must be inside the window: let it begin at {STEADY_S:g}s or later"
        )
    needed_s = slot.at_s + slot.spec.for_s + STEADY_S
    if following is None and needed_s > window_s:
        raise UsageError(
            f"{which}, {slot.spec.for_s:g} s long, doesn't fit its window of {window_s:g} s: with the {STEADY_S:g} s after it, it "
            f"ends at {needed_s:g} s; shorten it or lengthen the load's window"
        )
    if following is not None and needed_s > following.start_s:
        raise UsageError(
            f"{which} overlaps fault {following.spec.name!r} at {following.at_s:g} s: it needs {slot.spec.for_s:g} s, and "
            f"{STEADY_S:g} s of quiet before and after each; move one of them"
        )


def _spec(entry: FaultEntry) -> FaultSpec:
    kind = registry.fault_kind(entry.kind)
    if entry.times > 1 and entry.every is None:
        raise UsageError(f"fault {entry.name!r} has times {entry.times} and no `every`: write e.g. every: 28s")
    params = {f"{name}_s": value for name, value in entry.params.items()}
    for name in params:
        if name not in kind.defaults:
            known = [each.removesuffix("_s") for each in kind.defaults]
            raise UsageError(f"fault {entry.name!r}: {unknown('param', name.removesuffix('_s'), known)}")
    return FaultSpec(
        name=entry.name,
        kind=kind.name,
        target=entry.target,
        at_s=entry.at,
        for_s=entry.for_,
        times=entry.times,
        every_s=entry.every or 0.0,
        params={**kind.defaults, **params},
    )


def _check_target(spec: FaultSpec, topology: Topology, arms: Sequence[Arm], platform: PlatformFacts) -> None:
    kind = registry.fault_kind(spec.kind)
    plans = [arm.plan(topology, Traffic(), platform) for arm in arms]
    touched = [kind.units(spec, topology, plan) for plan in plans]
    if spec.target and not any(touched):
        names = ", ".join(arm.id for arm in arms)
        raise UsageError(f"fault {spec.name!r}: no arm ({names}) has {spec.target!r} on topology {topology.name!r}")
