"""Quantiles, from rows and from bucket counts, and histograms for other tools. Pure; the home of HdrHistogram.

One definition of a quantile everywhere, the inverse of the distribution function (type 1 of R. J. Hyndman and Y. Fan, Am.
Statist. 50, 1996): of n values the quantile q is the ⌈q·n⌉-th smallest, so it is a value that was seen, and a share q or more
of the values is no greater. A request without an answer is later than every answered one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from hdrh.histogram import HdrHistogram
from numpy.typing import NDArray

from harness.wire.buckets import low, width

LOWEST_NS = 1
HIGHEST_NS = 60_000_000_000
DIGITS = 3


def rows_needed(q: float) -> int:
    """How many values quantile q needs: 10/(1 − q), so that about ten lie beyond it."""
    return math.ceil(10 / (1 - _exact(q)))


def exact_quantile(values: NDArray[np.integer], censored: int, q: float) -> float | None:
    """Quantile q of `values` and of `censored` more that are greater than all of them, in the values' unit.

    None when there are too few (see rows_needed) or when the quantile lies among the censored: never a guess.
    """
    return exact_quantiles(values, censored, (q,))[q]


def exact_quantiles(values: NDArray[np.integer], censored: int, qs: Sequence[float]) -> dict[float, float | None]:
    """Several quantiles of the same values: see exact_quantile."""
    total = len(values) + censored
    ranks = {q: _rank(q, total) for q in qs}
    seen = sorted({rank - 1 for q, rank in ranks.items() if rank <= len(values) and total >= rows_needed(q)})
    if not seen:
        return dict.fromkeys(qs)
    parted = np.partition(values, seen)
    return {
        q: float(parted[rank - 1]) if rank - 1 in seen and total >= rows_needed(q) else None
        for q, rank in ranks.items()
    }


def bucket_quantile(counts: Mapping[int, int], q: float) -> float | None:
    """Quantile q of values of which only bucket counts are known (harness.wire.buckets), at most 0.4 % off.

    The values of a bucket are taken to lie evenly in it. None when there are too few.
    """
    total = sum(counts.values())
    if total < rows_needed(q):
        return None
    rank, before = _rank(q, total), 0
    for bucket in sorted(counts):
        count = counts[bucket]
        if before + count >= rank:
            span = width(bucket)
            return low(bucket) + ((rank - before - 0.5) / count * span if span > 1 else 0.0)
        before += count
    raise AssertionError("unreachable: the rank is at most the sum of the counts")


def merged(histograms: Iterable[Mapping[int, int]]) -> dict[int, int]:
    """Bucket counts of all values together: nothing is lost, because all share one set of buckets."""
    total: dict[int, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


@dataclass(slots=True)
class Recorder:
    """An HdrHistogram (to 60 s, three digits) that counts what it can't hold, where the library drops it silently."""

    histogram: HdrHistogram
    overflow: int = 0

    @classmethod
    def of(cls, values_ns: Iterable[int]) -> "Recorder":
        """A recorder of these values, in nanoseconds."""
        recorder = cls(HdrHistogram(LOWEST_NS, HIGHEST_NS, DIGITS))
        for value in values_ns:
            recorder.record(value)
        return recorder

    def record(self, value_ns: int) -> None:
        """Count one value; below 0 or above 60 s it counts as overflow."""
        in_range = 0 <= value_ns <= HIGHEST_NS
        if not (in_range and self.histogram.record_value(value_ns)):
            self.overflow += 1

    def quantile_ns(self, q: float) -> float | None:
        """Quantile q to three digits; None when there are too few or it lies in the overflow."""
        held = self.histogram.get_total_count()
        total = held + self.overflow
        rank = _rank(q, total)
        if total < rows_needed(q) or rank > held:
            return None
        return float(self.histogram.get_value_at_percentile(100 * rank / held))


def interval_log(start_s: NDArray[np.float64], values_ns: NDArray[np.integer], tag: str, every_s: float = 1.0) -> str:
    """The values as a HdrHistogram interval log (format 1.2, V2 encoding), which other tools read and plot.

    One line per `every_s` of `start_s` (seconds since the window's start, one per value); maxima are in milliseconds.
    What is out of range is said in a comment, because the format can't hold it.
    """
    lines = ["#[Histogram log format version 1.2]"]
    legend = '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"'
    slots = np.floor(start_s / every_s).astype(np.int64)
    body, overflow = [], 0
    for slot in np.unique(slots):
        recorder = Recorder.of(values_ns[slots == slot].tolist())
        overflow += recorder.overflow
        maximum_ms = recorder.histogram.get_max_value() / 1e6
        payload = recorder.histogram.encode().decode("ascii")
        body.append(f"Tag={tag},{slot * every_s:.3f},{every_s:.3f},{maximum_ms:.3f},{payload}")
    lines.append(f"#[Out of range 0 to 60 s: {overflow}]")
    return "\n".join([*lines, legend, *body]) + "\n"


def _exact(q: float) -> Fraction:
    """0.99 as 99/100: binary 0.99 would ask for 1,001 rows and shift ranks by one."""
    if not 0 < q < 1:
        raise ValueError(f"quantile {q}: allowed is more than 0 and less than 1")
    return Fraction(str(q))


def _rank(q: float, total: int) -> int:
    return max(1, math.ceil(_exact(q) * total))
