"""For each rule, the interval that it asks about, from one cell's table. Pure; it judges nothing.

An interval is given as a function of its confidence: its inversion is the p that Holm's correction needs, so that outcome
and p can't disagree.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from harness.analysis import compare
from harness.analysis.cost import MACHINE
from harness.analysis.estimates import Table, values_of
from harness.analysis.hops import PER_HOP
from harness.analysis.intervals import Floats, Interval
from harness.analysis.metrics import Metric
from harness.analysis.requests import SUBJECT

Finder = Callable[[float], Interval]
"""Confidence → interval, in the unit of the rule."""

HOP_P50 = Metric("hop", PER_HOP, "hop", "p50", "us", "latency")
P50 = Metric("request", SUBJECT, "response", "p50", "us", "latency")
P99 = Metric("request", SUBJECT, "response", "p99", "us", "latency")
ERRORS = Metric("request", SUBJECT, "errors", "mean", "share", "share")
UTILISATION = Metric("machine", MACHINE, "utilisation", "mean", "share", "cost")
CPU = {role: Metric("role", role, "cpu_s_per_1000_requests", "mean", "s", "cost") for role in ("sidecar", "app")}
MEMORY = {role: Metric("role", role, "pss_bytes", "loaded", "bytes", "cost") for role in ("sidecar", "app")}

STEPS = 24
"""Of the bisection: a p is right to 2⁻²⁵."""


@dataclass(frozen=True, slots=True)
class Absent:
    """Why there is no interval; not `applicable`: the arm has nothing that the rule could be about."""

    why: str
    applicable: bool = True


def finder(rule: str, table: Table, arm: str) -> Finder | Absent:
    """The interval that the rule of that name asks of that arm."""
    return _FINDERS[rule](table, arm)


def p_above(find: Finder, budget: float) -> float:
    """The least level at which the one-sided interval lies wholly above the budget; 1 if none below one half does."""
    return _least_level(lambda interval: interval.low is not None and interval.low > budget, find)


def p_below(find: Finder, budget: float) -> float:
    """The same, wholly below."""
    return _least_level(lambda interval: interval.high is not None and interval.high < budget, find)


def _least_level(outside: Callable[[Interval], bool], find: Finder) -> float:
    """By bisection: a wider interval is outside only if a narrower one is."""
    low, high = 0.0, 0.5
    if not outside(find(1e-9)):
        return 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if outside(find(1 - 2 * middle)) else (middle, high)
    return high


def _added(metric: Metric, table: Table, arm: str) -> Finder | Absent:
    found = _two(table, (arm, metric), (table.reference, metric))
    return found if isinstance(found, Absent) else partial(compare.difference, metric.kind, *found)


def _per_hop(table: Table, arm: str) -> Finder | Absent:
    if all(HOP_P50 not in readings for readings in table.readings.values()):
        return Absent("the topology has no hop", applicable=False)
    return _added(HOP_P50, table, arm)


def _over_reference(metric: Metric, table: Table, arm: str) -> Finder | Absent:
    return _ratio(table, (arm, metric), (table.reference, metric))


def _over_app(metrics: Mapping[str, Metric], table: Table, arm: str) -> Finder | Absent:
    if metrics["sidecar"] not in table.readings[arm]:
        return Absent(f"{arm} has no sidecar", applicable=False)
    return _ratio(table, (arm, metrics["sidecar"]), (arm, metrics["app"]))


def _errors(table: Table, arm: str) -> Finder | Absent:
    found = _two(table, (arm, ERRORS), (table.reference, ERRORS))
    if isinstance(found, Absent):
        return found
    mine, theirs = found

    def find(confidence: float) -> Interval:
        shares = (compare.share(values, table.due, confidence) for values in (mine, theirs))
        return compare.share_difference(*shares)

    return find


def _utilisation(table: Table, arm: str) -> Finder | Absent:
    values = _values(table, arm, UTILISATION)
    return values if isinstance(values, Absent) else partial(compare.absolute, UTILISATION.kind, values)


def _ratio(table: Table, top: tuple[str, Metric], bottom: tuple[str, Metric]) -> Finder | Absent:
    found = _two(table, top, bottom)
    if isinstance(found, Absent):
        return found
    over, under = found

    def find(confidence: float) -> Interval:
        interval = compare.ratio(top[1].kind, over, under, confidence)
        assert interval is not None, "both are positive"
        return interval

    return find if (over > 0).all() and (under > 0).all() else Absent("a value isn't positive, so there is no ratio")


def _two(table: Table, first: tuple[str, Metric], second: tuple[str, Metric]) -> tuple[Floats, Floats] | Absent:
    mine, theirs = _values(table, *first), _values(table, *second)
    if isinstance(mine, Absent):
        return mine
    return theirs if isinstance(theirs, Absent) else (mine, theirs)


def _values(table: Table, arm: str, metric: Metric) -> Floats | Absent:
    if metric not in table.readings[arm]:
        return Absent(f"{arm} has no {metric.metric} of {metric.subject}")
    found = values_of(table, arm, metric)
    return Absent(found) if isinstance(found, str) else found


_FINDERS: Mapping[str, Callable[[Table, str], Finder | Absent]] = {
    "p50-per-hop": _per_hop,
    "p99-ratio": partial(_over_reference, P99),
    "errors-equal": _errors,
    "sidecar-cpu": partial(_over_app, CPU),
    "sidecar-memory": partial(_over_app, MEMORY),
    "utilisation": _utilisation,
    "p50-added": partial(_added, P50),
    "p99-added": partial(_added, P99),
}
