"""What the rows say of one repetition of a fault: when it was noticed, when it was over, who was hit. Pure.

A request is *late* if its response time is above the run's late limit, *lost* if it has no good answer (an error of any kind, or none
before the drain ended), else *fine*. It belongs to a repetition if it is due in it, or was in flight when the fault was applied.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.faults.evidence import missing
from harness.load.rows import Bools, Rows
from harness.model.fault import STEADY_S, TOUCHED, Injection
from harness.model.run import Run

NS_PER_S = 1_000_000_000
STEADY_NS = round(STEADY_S * NS_PER_S)
LATE_FACTOR = 2.0
LATE_FLOOR_NS = 5_000_000
LATE_QUANTILE = 0.99
LATE_SHARE = 0.05
"""A stretch is steady if no request of it is lost and at most this share late."""
QUIET_NS = 100_000_000
"""Recovery begins with that long a stretch in which every request is fine."""


@dataclass(frozen=True, slots=True)
class Usual:
    """The run's steady state: requests due in the STEADY_S before each fault, taken together.

    `late_ns` is twice their p99 of response time, at least 5 ms; `middle_ns` is their median.
    """

    middle_ns: float
    late_ns: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """One repetition. Times in seconds; None where there is none.

    detect_s: from the fault to the first moment at which a user could know: a request fails, or has waited for longer than the
    late limit. recover_s: from when the cause was taken away to when the target was back and requests were steady again: every one due
    in the next 0.1 s is fine, and those due in the STEADY_S from there are steady; None if that isn't so before the repetition ends.
    `retries_per_request` has whole seconds: those that the repetition touches from the fault on.
    """

    injection: Injection
    steady_before: bool
    unproven: tuple[str, ...]
    touched: int
    due: int
    lost: int
    late: int
    detect_s: float | None
    recover_s: float | None
    retries_per_request: float


@dataclass(frozen=True, slots=True)
class Judged:
    """A run's rows with what is fine, late and lost among them."""

    rows: Rows
    usual: Usual
    lost: Bools
    late: Bools

    @property
    def bad(self) -> Bools:
        """Late or lost."""
        either: Bools = self.lost | self.late
        return either


def usual(run: Run, rows: Rows) -> Usual:
    """The steady state of a run with faults."""
    before = np.zeros(len(rows), bool)
    for each in run.faults:
        before |= (rows.due >= each.start_ns) & (rows.due < each.applied_ns)
    response = (rows.done - rows.due)[before & _good(rows)]
    if not len(response):
        return Usual(0.0, float(LATE_FLOOR_NS))
    high = float(np.quantile(response, LATE_QUANTILE, method="higher"))
    return Usual(float(np.median(response)), max(LATE_FACTOR * high, float(LATE_FLOOR_NS)))


def judge(run: Run, rows: Rows) -> Judged:
    """Every row as fine, late or lost."""
    normal, good = usual(run, rows), _good(rows)
    return Judged(rows, normal, ~good, good & (rows.done - rows.due > normal.late_ns))


def _good(rows: Rows) -> Bools:
    mask: Bools = (rows.done > 0) & (rows.error_kind == 0)
    return mask


def outcomes(run: Run, rows: Rows) -> tuple[Outcome, ...]:
    """Every repetition of a run."""
    judged = judge(run, rows)
    return tuple(_outcome(run, judged, injection) for injection in run.faults)


def unproven(run: Run, rows: Rows) -> tuple[str, ...]:
    """Why a run's figures may not be used: one sentence per fault that isn't proven to have acted."""
    found: dict[str, list[int]] = {}
    for each in outcomes(run, rows):
        for reason in each.unproven:
            found.setdefault(f"fault {each.injection.fault!r} isn't proven to have acted: {reason}", []).append(
                each.injection.number + 1
            )
    return tuple(f"{reason} (repetition {', '.join(map(str, numbers))})" for reason, numbers in found.items())


def _outcome(run: Run, judged: Judged, injection: Injection) -> Outcome:
    mine = belonging(judged.rows, injection)
    touched = _touched(judged, injection)
    return Outcome(
        injection=injection,
        steady_before=steady(judged, injection.start_ns, injection.applied_ns),
        unproven=missing(injection.must_see, {**injection.seen, TOUCHED: touched}),
        touched=touched,
        due=int(((judged.rows.due >= injection.applied_ns) & mine).sum()),
        lost=int((judged.lost & mine).sum()),
        late=int((judged.late & mine).sum()),
        detect_s=_detect_s(judged, injection, mine) if touched else None,
        recover_s=_recover_s(judged, injection),
        retries_per_request=_retries(run, judged.rows, injection),
    )


def belonging(rows: Rows, injection: Injection) -> Bools:
    """Due from the fault to the repetition's end, or in flight when it was applied."""
    due = rows.due
    in_flight = (due >= injection.start_ns) & ((rows.done == 0) | (rows.done >= injection.applied_ns))
    mask: Bools = ((due >= injection.applied_ns) | in_flight) & (due < injection.end_ns)
    return mask


def steady(judged: Judged, from_ns: int, to_ns: int) -> bool:
    """Whether requests due there are: some, none lost, at most LATE_SHARE late."""
    there = (judged.rows.due >= from_ns) & (judged.rows.due < to_ns)
    count = int(there.sum())
    return bool(count and not judged.lost[there].any() and judged.late[there].sum() <= LATE_SHARE * count)


def _touched(judged: Judged, injection: Injection) -> int:
    """Late or lost requests while it acted; 0 if those are no more than steady state has by itself."""
    if steady(judged, injection.applied_ns, injection.healed_ns):
        return 0
    acting = belonging(judged.rows, injection) & (judged.rows.due < injection.healed_ns)
    return int((judged.bad & acting).sum())


def _detect_s(judged: Judged, injection: Injection, mine: Bools) -> float | None:
    rows, bad = judged.rows, judged.bad & mine
    known = rows.due[bad] + round(judged.usual.late_ns)
    failed = judged.lost[bad] & (rows.done[bad] > 0)
    known = np.where(failed, np.minimum(known, rows.done[bad]), known)
    known = known[known >= injection.applied_ns]
    return float(known.min() - injection.applied_ns) / NS_PER_S if len(known) else None


def _recover_s(judged: Judged, injection: Injection) -> float | None:
    if not injection.back_ns:
        return None
    healed_ns, rows = injection.healed_ns, judged.rows
    after = judged.bad & (rows.due >= healed_ns) & (rows.due < injection.end_ns)
    for start_ns in (healed_ns, *(int(due) + 1 for due in rows.due[after])):
        quiet = not after[(rows.due >= start_ns) & (rows.due < start_ns + QUIET_NS)].any()
        end_ns = start_ns + STEADY_NS
        if quiet and end_ns <= injection.end_ns and steady(judged, start_ns, end_ns):
            return (max(start_ns, injection.back_ns) - healed_ns) / NS_PER_S
    return None


def _retries(run: Run, rows: Rows, injection: Injection) -> float:
    """Calls with more than one try, over all hops, per request due in the same seconds."""
    first_s = (injection.applied_ns - run.window_start_ns) // NS_PER_S
    end_s = -(-(injection.end_ns - run.window_start_ns) // NS_PER_S)
    retried = sum(_number(second, "retried") for second in _seconds(run, first_s, end_s))
    from_ns, to_ns = (run.window_start_ns + each * NS_PER_S for each in (first_s, end_s))
    due = int(((rows.due >= from_ns) & (rows.due < to_ns)).sum())
    return retried / due if due else 0.0


def _seconds(run: Run, first_s: int, end_s: int) -> Iterator[Mapping[str, object]]:
    for hop in run.hops:
        yield from (second for second in hop.per_second if first_s <= int(str(second["second"])) < end_s)


def _number(second: Mapping[str, object], name: str) -> int:
    return int(str(second.get(name, 0)))


def proven(found: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Those that count: the system was steady before, and the fault is proven to have acted."""
    return tuple(each for each in found if each.steady_before and not each.unproven)
