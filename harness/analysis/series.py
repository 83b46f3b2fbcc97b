"""Series for pictures: one cell's rounds → what is drawn of them. Pure; knows no picture, and no figure that is judged.

Percentiles are never averaged: each is taken within one round (and, over time, within one slot of it), and what is shown of
the rounds is their median, least and greatest.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.analysis.cost import cpu_s_per_1000, of_role, roles
from harness.analysis.histogram import exact_quantile, exact_quantiles
from harness.analysis.pairing import Pairing
from harness.load.rows import Rows
from harness.model.run import Run

Clock = Literal["response", "service"]

CURVE = (0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9999)
MAX_SLOTS = 120
NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Answers:
    """The requests of one window, by due time: `due_s` after its start, and for the answered ones both times in ns.

    `response_ns` and `service_ns` are −1 for a request without an answer, which counts as later than all others.
    """

    due_s: NDArray[np.float64]
    response_ns: NDArray[np.int64]
    service_ns: NDArray[np.int64]

    def times_ns(self, clock: Clock) -> NDArray[np.int64]:
        """Response or service times."""
        return self.response_ns if clock == "response" else self.service_ns


@dataclass(frozen=True, slots=True)
class Over:
    """One place of a series: the median, least and greatest round, over those that have it."""

    x: float
    middle: float
    low: float
    high: float
    rounds: int


@dataclass(frozen=True, slots=True)
class Series:
    """One arm's line."""

    arm: str
    points: tuple[Over, ...]


@dataclass(frozen=True, slots=True)
class RoundShifts:
    """Per round, an arm's quantile minus the reference's, in µs: what its estimate and interval are made of."""

    arm: str
    shifts_us: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class RoleCosts:
    """Means over rounds, by role: CPU ms per 1,000 requests, and the PSS of all processes under load in MB."""

    arm: str
    cpu_ms_per_1000: dict[str, float]
    pss_mb: dict[str, float]


ByArm = Mapping[str, Sequence[Answers]]
"""Per arm one window for each round that counts, in the same order of rounds."""


def answers_of(rows: Rows, window_start_ns: int) -> Answers:
    """The window's rows as times: response = done − due, service = done − sent."""
    window = rows.window()
    response = np.where(window.answered, window.done - window.due, -1)
    service = np.where(window.answered, window.done - window.sent, -1)
    return Answers((window.due - window_start_ns) / NS_PER_S, response, service)


def answers_by_arm(pairing: Pairing, rows: Callable[[str], Rows]) -> ByArm:
    """Every window of the rounds that count; `rows` gives a run's rows by its id."""
    return {
        arm: tuple(answers_of(rows(run.id), run.window_start_ns) for run in runs) for arm, runs in pairing.runs.items()
    }


def latency_curves(answers: ByArm, clock: Clock) -> tuple[Series, ...]:
    """µs by percentile (x is the share from 0 to 1), as far out as the rows of every round suffice."""
    return tuple(Series(arm, tuple(_curve(windows, clock))) for arm, windows in answers.items())


def _curve(windows: Sequence[Answers], clock: Clock) -> Iterator[Over]:
    found = [exact_quantiles(*_split(window.times_ns(clock)), CURVE) for window in windows]
    for q in CURVE:
        values = [quantiles[q] for quantiles in found]
        known = [value / 1000 for value in values if value is not None]
        if known and len(known) == len(values):
            yield _over(q, known)


def slot_s(window_s: float) -> int:
    """Width of a slot of the time series: a second, or more so that a long window has at most MAX_SLOTS."""
    return max(1, math.ceil(window_s / MAX_SLOTS))


def quantile_over_time(answers: ByArm, clock: Clock, q: float, window_s: float) -> tuple[Series, ...]:
    """µs by second of the window (x is the slot's start): the quantile within the slot, where its rows suffice."""

    def within(slot: Answers) -> float | None:
        value = exact_quantile(*_split(slot.times_ns(clock)), q)
        return None if value is None else value / 1000

    return _over_time(answers, window_s, within)


def rate_over_time(answers: ByArm, window_s: float) -> tuple[Series, ...]:
    """Requests per second that were due in the slot and got an answer."""
    width = slot_s(window_s)
    return _over_time(answers, window_s, lambda slot: float((slot.response_ns >= 0).sum()) / width)


def _over_time(answers: ByArm, window_s: float, within: Callable[[Answers], float | None]) -> tuple[Series, ...]:
    """Only whole slots: the rest of a window that doesn't divide would look like a drop."""
    width = slot_s(window_s)
    starts = range(0, math.floor(window_s / width) * width, width)
    series = []
    for arm, windows in answers.items():
        points = []
        for start in starts:
            found = [within(_slot(window, start, start + width)) for window in windows]
            known = [value for value in found if value is not None]
            if known and len(known) == len(found):
                points.append(_over(float(start), known))
        series.append(Series(arm, tuple(points)))
    return tuple(series)


def _slot(window: Answers, start_s: float, end_s: float) -> Answers:
    inside = (window.due_s >= start_s) & (window.due_s < end_s)
    return Answers(window.due_s[inside], window.response_ns[inside], window.service_ns[inside])


def round_shifts(
    answers: ByArm, rounds: Sequence[int], reference: str, clock: Clock, q: float
) -> tuple[RoundShifts, ...]:
    """Every arm but the reference, where each round has the quantile."""
    quantiles = {
        arm: [exact_quantile(*_split(window.times_ns(clock)), q) for window in windows]
        for arm, windows in answers.items()
    }
    shifts = []
    for arm, mine in quantiles.items():
        pairs = list(zip(rounds, mine, quantiles[reference], strict=True))
        known = tuple((n, (a - b) / 1000) for n, a, b in pairs if a is not None and b is not None)
        if arm != reference and known and len(known) == len(pairs):
            shifts.append(RoundShifts(arm, known))
    return tuple(shifts)


def role_costs(pairing: Pairing) -> tuple[RoleCosts, ...]:
    """CPU and memory by role, of the rounds that count."""
    return tuple(
        RoleCosts(arm, _mean_by_role(runs, _cpu_ms), _mean_by_role(runs, _pss_mb))
        for arm, runs in pairing.runs.items()
        if runs
    )


def _mean_by_role(runs: Sequence[Run], measure: Callable[[Run, str], float | None]) -> dict[str, float]:
    means: dict[str, float] = {}
    for role in roles(runs[0]):
        values = [value for run in runs if (value := measure(run, role)) is not None]
        if len(values) == len(runs):
            means[role] = fmean(values)
    return means


def _cpu_ms(run: Run, role: str) -> float | None:
    seconds = cpu_s_per_1000(sum(unit.cpu_ns for unit in of_role(run, role)), run.generator.done)
    return None if seconds is None else seconds * 1000


def _pss_mb(run: Run, role: str) -> float:
    return sum(unit.loaded["pss_bytes"] for unit in of_role(run, role)) / 1e6


def _split(times_ns: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Answered times, and how many have none."""
    answered = times_ns[times_ns >= 0]
    return answered, len(times_ns) - len(answered)


def _over(x: float, values: Sequence[float]) -> Over:
    return Over(x, median(values), min(values), max(values), len(values))
