"""Two results of one comparison → what changed, per arm and metric: the estimates of `hoptax compare`. Pure.

The two were measured apart, so changes are unpaired (harness.analysis.unpaired). What an arm adds to the reference is paired by round
within each result first; the change of the two sets of differences is unpaired again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from harness.analysis import compare
from harness.analysis.estimates import Estimate, Table, figures, row, values_of
from harness.analysis.intervals import Floats, Interval, absent
from harness.analysis.metrics import Metric
from harness.analysis.pairing import Cell
from harness.analysis.unpaired import change, change_ratio

Outcome = Literal["higher", "lower", "unclear", "none"]
"""`higher` and `lower`: the interval leaves out "no change"; `unclear`: it holds it; `none`: there is no interval."""


@dataclass(frozen=True, slots=True)
class Side:
    """A figure's rounds in one result, or why there are none, and what that result says of it by itself."""

    values: Floats | str
    interval: Interval | str


def changes(before: Table, after: Table) -> Iterator[Estimate]:
    """Arms and metrics that both results have: each arm's own figures, then what each adds to the reference."""
    arms = [arm for arm in before.readings if arm in after.readings]
    for arm in arms:
        for metric in _shared(before, after, arm):
            yield from _own(before, after, arm, metric)
    if before.reference != after.reference or before.reference not in arms:
        return
    for arm in arms:
        if arm != before.reference:
            for metric in _shared(before, after, arm):
                yield from _added(before, after, arm, metric)


def _shared(before: Table, after: Table, arm: str) -> Iterator[Metric]:
    yield from (m for m in before.readings[arm] if m in after.readings[arm] and m.kind != "count")


def _own(before: Table, after: Table, arm: str, metric: Metric) -> Iterator[Estimate]:
    sides = _side(before, arm, metric), _side(after, arm, metric)
    yield _row(before.cell, arm, metric, "difference", _difference(metric, *sides), sides)
    if metric.kind != "share":
        yield _row(before.cell, arm, metric, "ratio", _ratio(metric, *sides), sides)


def _added(before: Table, after: Table, arm: str, metric: Metric) -> Iterator[Estimate]:
    """The change of an overhead; nothing where the reference has no such quantity, or the overhead is one of shares."""
    tables = before, after
    if metric.kind == "share" or any(metric not in table.readings[table.reference] for table in tables):
        return
    left, right = (_added_side(table, arm, metric) for table in tables)
    yield _row(
        before.cell, arm, metric, "difference", _difference(metric, left, right), (left, right), before.reference
    )


def _side(table: Table, arm: str, metric: Metric) -> Side:
    values = values_of(table, arm, metric)
    if isinstance(values, str):
        return Side(values, values)
    if metric.kind == "share":
        return Side(values, compare.share(values, table.due))
    return Side(values, compare.absolute(metric.kind, values))


def _added_side(table: Table, arm: str, metric: Metric) -> Side:
    mine, bare = values_of(table, arm, metric), values_of(table, table.reference, metric)
    if isinstance(mine, str) or isinstance(bare, str):
        note = mine if isinstance(mine, str) else str(bare)
        return Side(note, note)
    return Side(mine - bare, compare.difference(metric.kind, mine, bare))


def _difference(metric: Metric, before: Side, after: Side) -> Interval | str:
    if isinstance(before.values, str) or isinstance(after.values, str):
        return _why(before, after)
    if metric.kind == "share":
        assert isinstance(before.interval, Interval)
        assert isinstance(after.interval, Interval)
        return compare.share_difference(after.interval, before.interval)
    return change(metric.kind, before.values, after.values)


def _ratio(metric: Metric, before: Side, after: Side) -> Interval | str:
    if isinstance(before.values, str) or isinstance(after.values, str):
        return _why(before, after)
    return change_ratio(metric.kind, before.values, after.values) or "a value isn't positive, so there is no ratio"


def _why(before: Side, after: Side) -> str:
    sides = (("before", before.values), ("after", after.values))
    return "; ".join(f"{name}: {values}" for name, values in sides if isinstance(values, str))


def _row(
    cell: Cell,
    arm: str,
    metric: Metric,
    value: Literal["difference", "ratio"],
    found: Interval | str,
    sides: tuple[Side, Side],
    against: str | None = None,
) -> Estimate:
    interval = _interval(found)
    before, after = (_shown(side, metric.unit) for side in sides)
    of = "added" if against else "total"
    return row(cell, metric, value, interval, arm, against, of) | {
        "before": before,
        "after": after,
        "outcome": outcome(interval, 1.0 if value == "ratio" else 0.0),
    }


def outcome(interval: Interval, unchanged: float) -> Outcome:
    """What an interval says of a change, `unchanged` being the value that means none."""
    if interval.low is None or interval.high is None:
        return "none"
    if interval.low > unchanged:
        return "higher"
    return "lower" if interval.high < unchanged else "unclear"


def _shown(side: Side, unit: str) -> dict[str, Any]:  # Any: JSON values
    rounds = 0 if isinstance(side.values, str) else len(side.values)
    return figures(_interval(side.interval)) | {"unit": unit, "rounds": rounds}


def _interval(found: Interval | str) -> Interval:
    return absent(found) if isinstance(found, str) else found
