"""Figures of a fault that follow from arithmetic alone, to hold the measured ones against. Pure.

A unit paused for x s at rate r holds r·x requests; the first waits x longer than usual. If they are all answered H s after the pause,
first come first served, the one due t s into it waits x − t + t·H/x longer: (x + H)/2 on average. A dead unit loses every request of its
time; a hop that holds each request back by d moves the median by d.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.analysis.faults import NS_PER_S, Judged, Outcome, belonging


@dataclass(frozen=True, slots=True)
class Form:
    """One figure of one repetition: as it follows from arithmetic, and as measured, in the same unit (1 or s)."""

    figure: str
    unit: str
    expected: float
    measured: float


def forms(judged: Judged, outcome: Outcome, rate_rps: float) -> tuple[Form, ...]:
    """Every figure of this repetition that has a closed form; none for kinds without."""
    found = _KINDS.get(outcome.injection.kind)
    return tuple(found(judged, outcome, rate_rps)) if found else ()


def _pause(judged: Judged, outcome: Outcome, rate_rps: float) -> Iterator[Form]:
    injection, rows = outcome.injection, judged.rows
    paused_s = _s(injection.healed_ns - injection.applied_ns)
    held = belonging(rows, injection) & (rows.due < injection.healed_ns) & (rows.done > injection.healed_ns)
    if not held.any():
        return
    extra_s = (rows.done[held] - rows.due[held] - judged.usual.middle_ns) / NS_PER_S
    working_s = _s(int(rows.done[held].max()) - injection.healed_ns)
    yield Form("requests held", "1", rate_rps * paused_s, float(held.sum()))
    yield Form("longest extra wait", "s", max(paused_s, working_s), float(extra_s.max()))
    yield Form("mean extra wait", "s", (paused_s + working_s) / 2, float(extra_s.mean()))


def _kill(_judged: Judged, outcome: Outcome, rate_rps: float) -> Iterator[Form]:
    injection = outcome.injection
    if injection.back_ns:
        gone_s = _s(injection.back_ns - injection.applied_ns)
        yield Form("requests lost", "1", rate_rps * gone_s, float(outcome.lost))


def _latency(judged: Judged, outcome: Outcome, _rate_rps: float) -> Iterator[Form]:
    injection, rows = outcome.injection, judged.rows
    delay_s = injection.params["delay_s"]
    before = (rows.due >= injection.start_ns) & (rows.due < injection.applied_ns) & ~judged.lost
    during = (rows.due >= injection.applied_ns) & (rows.due < injection.healed_ns - delay_s * NS_PER_S) & ~judged.lost
    if before.any() and during.any():
        response = rows.done - rows.due
        shift = float(np.median(response[during]) - np.median(response[before]))
        yield Form("shift of the median", "s", delay_s, shift / NS_PER_S)


def _s(ns: float) -> float:
    return ns / NS_PER_S


_KINDS: Mapping[str, Callable[[Judged, Outcome, float], Iterator[Form]]] = {
    "pause": _pause,
    "kill": _kill,
    "latency": _latency,
}
