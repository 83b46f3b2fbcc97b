"""One cell's readings → the estimates of `summary.json`: which figures are given of which metric, and which are not. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.analysis import compare
from harness.analysis.intervals import CONFIDENCE, Floats, Interval, absent
from harness.analysis.metrics import Metric, Reading
from harness.analysis.pairing import Cell

Estimate = dict[str, Any]
"""One entry of `estimates`; Any: JSON values."""


@dataclass(frozen=True, slots=True)
class Table:
    """One cell: per arm and metric, one reading for each of the same `rounds` rounds.

    `due` is how many requests each arm was asked to answer, over all rounds.
    """

    cell: Cell
    rounds: int
    readings: Mapping[str, Mapping[Metric, Sequence[Reading]]]
    reference: str
    contrasts: Sequence[tuple[str, str]]
    due: int


def estimates(table: Table) -> Iterator[Estimate]:
    """Absolute figures, then differences and ratios to the reference, then the contrasts, arm by arm."""
    for arm, readings in table.readings.items():
        for metric in readings:
            yield _row(table, metric, "absolute", _absolute(table, arm, metric), arm)
    for arm, readings in table.readings.items():
        if arm != table.reference:
            for metric in readings:
                yield from _compared(table, arm, table.reference, metric)
    for arm, against in table.contrasts:
        for metric in table.readings[arm]:
            yield from _added(table, arm, against, metric)
            if against != table.reference:
                yield from _compared(table, arm, against, metric)


def _absolute(table: Table, arm: str, metric: Metric) -> Interval | str:
    values = values_of(table, arm, metric)
    if isinstance(values, str):
        return values
    if metric.kind == "share":
        return compare.share(values, table.due)
    if metric.kind == "count":
        return Interval(float(values[0]), float(values.min()), float(values.max()), table.rounds, "count")
    return compare.absolute(metric.kind, values)


def _compared(table: Table, arm: str, against: str, metric: Metric) -> Iterator[Estimate]:
    """Difference and ratio of the quantity itself; nothing when only one of the two arms has it."""
    if metric not in table.readings[against] or metric.kind == "count":
        return
    for value, interval in _pair(table, arm, against, metric):
        yield _row(table, metric, value, interval, arm, against, "total")


def _pair(table: Table, arm: str, against: str, metric: Metric) -> Iterator[tuple[str, Interval | str]]:
    mine, theirs = values_of(table, arm, metric), values_of(table, against, metric)
    if isinstance(mine, str) or isinstance(theirs, str):
        note = mine if isinstance(mine, str) else str(theirs)
        yield from (("difference", note), ("ratio", note))
    elif metric.kind == "share":
        shares = compare.share(mine, table.due), compare.share(theirs, table.due)
        yield "difference", compare.share_difference(*shares)
    else:
        yield "difference", compare.difference(metric.kind, mine, theirs)
        found = compare.ratio(metric.kind, mine, theirs)
        yield "ratio", found or "a value isn't positive, so there is no ratio"


def _added(table: Table, arm: str, against: str, metric: Metric) -> Iterator[Estimate]:
    """The ratio of what two arms add to the reference; nothing when one of the three doesn't have the quantity."""
    asked = (arm, against, table.reference)
    if metric.kind in ("share", "count") or len(set(asked)) < 3 or any(metric not in table.readings[a] for a in asked):
        return
    mine, theirs, bare = (values_of(table, name, metric) for name in asked)
    if isinstance(mine, str) or isinstance(theirs, str) or isinstance(bare, str):
        found: Interval | str = next(note for note in (mine, theirs, bare) if isinstance(note, str))
    else:
        found = compare.added_ratio(metric.kind, mine, theirs, bare)
    yield _row(table, metric, "ratio", found, arm, against, "added")


def _row(table: Table, metric: Metric, value: str, found: Interval | str, arm: str, *other: str) -> Estimate:
    interval = absent(found, table.rounds) if isinstance(found, str) else found
    return row(table.cell, metric, value, interval, arm, *other)


def values_of(table: Table, arm: str, metric: Metric) -> Floats | str:
    """One number per round, or why there is none: a round that says nothing can't be left out, it may be the worst."""
    readings = table.readings[arm][metric]
    if len(readings) < table.rounds:
        return f"measured in {len(readings)} of {table.rounds} rounds"
    for reading in readings:
        if reading.value is None:
            return reading.note
    return np.array([reading.value for reading in readings], dtype=np.float64)


def row(
    cell: Cell,
    metric: Metric,
    value: str,
    interval: Interval,
    arm: str,
    against: str | None = None,
    of: str | None = None,
) -> Estimate:
    """One entry of `estimates`, see docs/results.md."""
    return {
        "arm": arm,
        "topology": cell.topology,
        "load": cell.load,
        "fault": None,
        "scope": metric.scope,
        "subject": metric.subject,
        "metric": metric.metric,
        "statistic": metric.statistic,
        "unit": "1" if value == "ratio" else metric.unit,
        "value": value,
        "against": against,
        "of": of,
        **figures(interval),
        "confidence": CONFIDENCE,
        "rounds": interval.rounds,
        "method": interval.method,
        "note": interval.note,
    }


def figures(interval: Interval) -> dict[str, float | None]:
    """Estimate and ends; JSON knows no NaN."""
    found = {"estimate": interval.estimate, "low": interval.low, "high": interval.high}
    return {name: None if figure is None or math.isnan(figure) else figure for name, figure in found.items()}
