"""Hops: the counts of all replicas and seconds of a window become one record per hop, and nothing gets lost."""

from typing import Any

import pytest

from harness.model.topology import Call, Service, Step, Topology
from harness.probes import hops
from harness.wire.buckets import index
from tests.probes.fake import APP, observed

HOP = "a#0>b/http"
S = 1_000_000_000


def counts(*transits_ns: int, errors: int = 0, retried: int = 0) -> dict[str, Any]:
    """As `/hops` ships it: every call's request leg is a third of its transit, its callee took 1 µs."""
    measured: dict[str, dict[str, int]] = {part: {} for part in hops.PARTS}
    sums = dict.fromkeys(hops.SUMS, 0)
    for transit in transits_ns:
        values = {
            "elapsed": transit + 1000,
            "request": transit // 3,
            "callee": 1000,
            "response": transit - transit // 3,
        }
        for part, value in {**values, "transit": transit}.items():
            bucket = str(index(value))
            measured[part][bucket] = measured[part].get(bucket, 0) + 1
        for part in hops.SUMS:
            sums[part] += values[part]
    return {
        "calls": len(transits_ns) + errors + retried,
        "errors": errors,
        "retried": retried,
        "sums_ns": sums,
        **measured,
    }


def document(seconds: dict[int, dict[str, Any]]) -> dict[str, Any]:
    return {"kind": "hops", "schema": 1, "seconds": {str(second): {HOP: each} for second, each in seconds.items()}}


def test_seconds_and_replicas_add_up() -> None:
    replicas = [
        document({100: counts(30_000, 30_000, errors=1), 101: counts(60_000)}),
        document({101: counts(60_000, 90_000, retried=2)}),
    ]

    folded = hops.fold(HOP, replicas, first_s=100)

    assert (folded.calls, folded.errors, folded.retried) == (8, 1, 2)
    assert folded.transit == {index(30_000): 2, index(60_000): 2, index(90_000): 1}
    assert sum(folded.elapsed.values()) == 5
    assert folded.sums_ns["elapsed"] == 270_000 + 5 * 1000
    assert folded.sums_ns["elapsed"] == sum(folded.sums_ns[part] for part in ("request", "callee", "response"))


def test_each_second_says_how_many_calls_and_their_middle() -> None:
    replicas = [document({100: counts(30_000, 40_000, 50_000), 102: counts(errors=2)})]

    seconds = hops.fold(HOP, replicas, first_s=100).per_second

    assert [(each["second"], each["calls"], each["errors"]) for each in seconds] == [(0, 3, 0), (2, 2, 2)]
    assert seconds[0]["transit_p50_us"] == pytest.approx(40, rel=0.004)
    assert seconds[1]["transit_p50_us"] is None


def test_a_hop_without_calls_is_there_and_empty() -> None:
    folded = hops.fold("x#0>y/http", [document({100: counts(1)})], first_s=100)

    assert (folded.calls, folded.transit, folded.per_second) == (0, {}, [])


def test_collecting_asks_every_replica_for_the_window_only() -> None:
    topology = Topology("pair", "a", (Service("a", APP, replicas=2, script=(Step((Call("b"),)),)), Service("b", APP)))
    answers = {"a-0": document({7: counts(5)}), "a-1": document({8: counts(6)}), "b-0": document({})}
    with observed({host: {"/hops": answer} for host, answer in answers.items()}) as (deployment, heard):
        (folded,) = hops.collect(deployment, topology, 7 * S, 9 * S)

    assert (folded.hop, folded.calls) == (HOP, 2)
    assert sorted(heard) == [f"{host} GET /hops?from=7&to=9" for host in answers]


def test_a_window_that_cuts_a_second_is_a_mistake_of_the_caller() -> None:
    topology = Topology("one", "a", (Service("a", APP),))
    with (
        observed({"a-0": {"/hops": document({})}}) as (deployment, _),
        pytest.raises(ValueError, match="by the second"),
    ):
        hops.collect(deployment, topology, 7 * S + 1, 9 * S)
