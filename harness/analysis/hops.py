"""What one window says of each hop: quantiles from bucket counts, means from exact sums. Pure.

A hop's own time is its transit (elapsed − callee = request + response): the metric `hop`. Means of the parts add up
exactly; quantiles don't, so each has its own histogram.
"""

from collections.abc import Iterator, Sequence
from statistics import fmean

from harness.analysis.histogram import bucket_quantile, rows_needed
from harness.analysis.metrics import QUANTILES, Metric, Reading, quantile_name
from harness.model.run import HopCounts

PER_HOP = "per-hop mean"
"""Subject of the average over all hops: of their means, or of their quantiles (which is no quantile of anything itself)."""

PARTS = {
    "transit": "hop",
    "elapsed": "hop_elapsed",
    "request": "hop_request",
    "callee": "hop_callee",
    "response": "hop_response",
}
"""What a hop's counts call a part, and what results call it."""


def counted(hop: HopCounts, part: str = "elapsed") -> int:
    """Calls that are in a part's histogram: answered at the first attempt, and all but `elapsed` with the callee's stamps."""
    return sum(getattr(hop, part).values())


def mean_ns(hop: HopCounts, part: str) -> float | None:
    """Exact mean of a part in nanoseconds; None without calls."""
    calls = counted(hop, part)
    if not calls:
        return None
    if part == "transit":
        return (hop.sums_ns["request"] + hop.sums_ns["response"]) / calls
    return hop.sums_ns[part] / calls


def hop_readings(hops: Sequence[HopCounts]) -> Iterator[Reading]:
    """Every part of every hop, then the average over hops; microseconds."""
    each = [list(_readings(hop)) for hop in hops]
    for readings in each:
        yield from readings
    for same in zip(*each, strict=True):
        yield _average(same)


def _readings(hop: HopCounts) -> Iterator[Reading]:
    for part, name in PARTS.items():
        mean = mean_ns(hop, part)
        note = "" if mean is not None else _missing(hop)
        yield Reading(Metric("hop", hop.hop, name, "mean", "us", "mean"), _us(mean), note)
        for q in QUANTILES:
            yield _quantile(hop, part, q)


def _missing(hop: HopCounts) -> str:
    if counted(hop):
        return f"{hop.hop} has no stamps of its callee"
    if not hop.calls:
        return f"no call of {hop.hop} was reported"
    return f"no call of {hop.hop} was answered at the first attempt"


def _quantile(hop: HopCounts, part: str, q: float) -> Reading:
    metric = Metric("hop", hop.hop, PARTS[part], quantile_name(q), "us", "latency")
    value = bucket_quantile(getattr(hop, part), q)
    calls = counted(hop, part)
    few = f"{metric.statistic} needs {rows_needed(q)} calls, {hop.hop} has {calls}" if calls else _missing(hop)
    return Reading(metric, _us(value), "" if value is not None else few)


def _average(readings: Sequence[Reading]) -> Reading:
    first = readings[0].metric
    metric = Metric("hop", PER_HOP, first.metric, first.statistic, first.unit, first.kind)
    values = [reading.value for reading in readings if reading.value is not None]
    if len(values) < len(readings):
        return Reading(metric, None, next(reading.note for reading in readings if reading.value is None))
    return Reading(metric, fmean(values))


def _us(ns: float | None) -> float | None:
    return None if ns is None else ns / 1000
