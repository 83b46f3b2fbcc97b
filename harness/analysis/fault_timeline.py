"""Requests around a fault, by when they were due: fine, late and lost in each tenth of a second, over all repetitions. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.analysis.faults import Judged, judge
from harness.load.rows import Bools, Rows
from harness.model.fault import Injection
from harness.model.run import Run

SLOT_NS = 100_000_000
Windows = Iterable[tuple[Run, Rows]]
"""Runs with their rows."""


@dataclass(frozen=True, slots=True)
class Slot:
    """Requests due in the tenth of a second that begins `start_ns` after the fault was applied (before it: negative)."""

    start_ns: int
    fine: int
    late: int
    lost: int


@dataclass(frozen=True, slots=True)
class Timeline:
    """One arm and fault. `healed_ns` and `back_ns` are medians since the fault was applied; `back_ns` is None if it never was."""

    repetitions: int
    slots: tuple[Slot, ...]
    healed_ns: float
    back_ns: float | None


def timeline(runs: Windows, fault: str) -> Timeline | None:
    """All repetitions laid over each other, each from its own beginning; as long as the shortest. None if there is none."""
    found = [
        (judged, injection)
        for run, rows in runs
        for judged in [judge(run, rows)]
        for injection in run.faults
        if injection.fault == fault
    ]
    if not found:
        return None
    first = max(-(-(each.start_ns - each.applied_ns) // SLOT_NS) for _, each in found)
    last = min((each.end_ns - each.applied_ns) // SLOT_NS for _, each in found)
    back = [each.back_ns - each.applied_ns for _, each in found if each.back_ns]
    return Timeline(
        repetitions=len(found),
        slots=tuple(_slots(found, first, last)),
        healed_ns=float(np.median([each.healed_ns - each.applied_ns for _, each in found])),
        back_ns=float(np.median(back)) if len(back) == len(found) else None,
    )


def _slots(found: list[tuple[Judged, Injection]], first: int, last: int) -> Iterable[Slot]:
    counts = np.zeros((3, last - first), np.int64)
    for judged, injection in found:
        number = (judged.rows.due - injection.applied_ns) // SLOT_NS - first
        inside = (number >= 0) & (number < last - first)
        kinds: tuple[Bools, ...] = (~judged.bad, judged.late, judged.lost)
        for kind, mask in enumerate(kinds):
            counts[kind] += np.bincount(number[inside & mask], minlength=last - first)
    for index in range(last - first):
        fine, late, lost = (int(count) for count in counts[:, index])
        yield Slot((first + index) * SLOT_NS, fine, late, lost)
