"""What a generator finished second by second, as integers that add up over seconds and workers. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.load.rows import ERROR_KINDS
from harness.wire.buckets import EXACT_BELOW, SUB_BITS

ANSWERED_KINDS = ERROR_KINDS.index("status")
"""Up to this number an error kind has a whole answer."""

Int64s = NDArray[np.int64]
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Second:
    """Requests finished in some time: response times (done − due) of the answered ones as bucket counts (harness.wire.buckets),
    their sum and extremes (0 if none), how many failed by kind, and bytes received."""

    buckets: dict[int, int] = field(default_factory=dict)
    sum_ns: int = 0
    min_ns: int = 0
    max_ns: int = 0
    errors: dict[str, int] = field(default_factory=dict)
    bytes_in: int = 0

    @property
    def answered(self) -> int:
        """How many have a whole answer, whatever its status."""
        return sum(self.buckets.values())

    @property
    def finished(self) -> int:
        """Answered or failed."""
        return self.answered + sum(count for kind, count in self.errors.items() if kind != "status")


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of rows that seconds are counted from, one element per request."""

    due: Int64s
    done: Int64s
    error_kind: NDArray[np.uint8]
    bytes_in: Int64s


class Counted:
    """Counts every finished request once, in the second in which it was finished, whenever it was due."""

    def __init__(self) -> None:
        self._unfinished = np.empty(0, np.int64)

    def since(self, first: int, last: int, columns: Columns) -> Second:
        """Of the rows before `last`, of which those from `first` on are new: those that were finished since the last call."""
        candidates = np.concatenate([self._unfinished, np.arange(first, last)])
        finished = columns.done[candidates] > 0
        self._unfinished = candidates[~finished]
        return second_of(candidates[finished], columns)


def second_of(rows: Int64s, columns: Columns) -> Second:
    """The second of these finished rows."""
    kinds = columns.error_kind[rows]
    answered = rows[kinds <= ANSWERED_KINDS]
    response_ns = columns.done[answered] - columns.due[answered]
    failed, counts = np.unique(kinds[kinds > 0], return_counts=True)
    return Second(
        buckets=bucket_counts(response_ns),
        sum_ns=int(response_ns.sum()),
        min_ns=int(response_ns.min()) if len(response_ns) else 0,
        max_ns=int(response_ns.max(initial=0)),
        errors={ERROR_KINDS[kind]: int(count) for kind, count in zip(failed, counts, strict=True)},
        bytes_in=int(columns.bytes_in[rows].sum()),
    )


def bucket_counts(values: Int64s) -> dict[int, int]:
    """How many of these non-negative integers lie in each bucket; as harness.wire.buckets.index counts, for all at once."""
    bits = np.frexp(values.astype(np.float64))[1].astype(np.int64)
    shift = np.maximum(bits - SUB_BITS - 1, 0)
    found = np.where(values < EXACT_BELOW, values, (shift << SUB_BITS) + (values >> shift))
    buckets, counts = np.unique(found, return_counts=True)
    return dict(zip(buckets.tolist(), counts.tolist(), strict=True))


def together(seconds: Iterable[Second]) -> Second:
    """All of them as one: counts are added, so nothing is lost."""
    found = list(seconds)
    timed = [second for second in found if second.buckets]
    return Second(
        buckets=_added(second.buckets for second in found),
        sum_ns=sum(second.sum_ns for second in found),
        min_ns=min((second.min_ns for second in timed), default=0),
        max_ns=max((second.max_ns for second in timed), default=0),
        errors=_added(second.errors for second in found),
        bytes_in=sum(second.bytes_in for second in found),
    )


def _added(counts: Iterable[dict[K, int]]) -> dict[K, int]:
    total: dict[K, int] = {}
    for one in counts:
        for key, count in one.items():
            total[key] = total.get(key, 0) + count
    return total
