"""What the services saw of each hop inside a window: fetched once it is over, folded over seconds and replicas."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.model.platform import Deployment
from harness.model.run import HopCounts
from harness.model.topology import Topology
from harness.probes import observe
from harness.wire import buckets

NS_PER_S = 1_000_000_000
PARTS = ("elapsed", "request", "callee", "response", "transit")
SUMS = PARTS[:4]

Json = Mapping[str, Any]  # Any: JSON values
reset = observe.reset


def collect(deployment: Deployment, topology: Topology, start_ns: int, end_ns: int) -> tuple[HopCounts, ...]:
    """One HopCounts per hop of the topology, also for hops without a call. The window's edges are whole seconds."""
    if start_ns % NS_PER_S or end_ns % NS_PER_S:
        raise ValueError(f"services count by the second: window {start_ns}..{end_ns} ns doesn't begin and end on one")
    first_s, end_s = start_ns // NS_PER_S, end_ns // NS_PER_S
    documents = observe.hops(deployment, first_s, end_s)
    return tuple(fold(hop.id, documents, first_s) for hop in topology.hops())


def fold(hop: str, documents: Iterable[Json], first_s: int) -> HopCounts:
    """One hop out of the `/hops` documents of all replicas; `per_second` counts seconds from `first_s`."""
    by_second: dict[int, list[Json]] = {}
    for second, counts in _seconds(hop, documents):
        by_second.setdefault(second, []).append(counts)
    everything = [counts for _, each in sorted(by_second.items()) for counts in each]
    return HopCounts(
        hop=hop,
        calls=_sum(everything, "calls"),
        errors=_sum(everything, "errors"),
        retried=_sum(everything, "retried"),
        sums_ns={part: sum(counts["sums_ns"][part] for counts in everything) for part in SUMS},
        **{part: _merged(everything, part) for part in PARTS},
        per_second=[_second(second - first_s, each) for second, each in sorted(by_second.items())],
    )


def _seconds(hop: str, documents: Iterable[Json]) -> Iterator[tuple[int, Json]]:
    for document in documents:
        for second, hops in document["seconds"].items():
            if hop in hops:
                yield int(second), hops[hop]


def _second(offset: int, counts: list[Json]) -> dict[str, Any]:  # Any: JSON values
    """Compact, for plots: the transit's median to a bucket's width (0.4 %), or none if no call was measured."""
    middle = _median_ns(_merged(counts, "transit"))
    return {
        "second": offset,
        "calls": _sum(counts, "calls"),
        "errors": _sum(counts, "errors"),
        "retried": _sum(counts, "retried"),
        "transit_p50_us": None if middle is None else middle / 1000,
    }


def _median_ns(counts: Mapping[int, int]) -> float | None:
    """The middle of the bucket that holds the lower median."""
    rank = (sum(counts.values()) + 1) // 2
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0:
            return buckets.low(bucket) + (buckets.width(bucket) - 1) / 2
    return None


def _merged(counts: Iterable[Json], part: str) -> dict[int, int]:
    merged: dict[int, int] = {}
    for each in counts:
        for bucket, number in each[part].items():
            merged[int(bucket)] = merged.get(int(bucket), 0) + number
    return dict(sorted(merged.items()))


def _sum(counts: Iterable[Json], name: str) -> int:
    return sum(each[name] for each in counts)
