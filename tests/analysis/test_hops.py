"""Hops: exact means whose parts add up, quantiles from buckets, and the average over hops."""

from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.hops import PER_HOP, hop_readings, mean_ns
from harness.model.run import HopCounts
from tests.analysis import synthetic


def hop(name: str = "a#0>b/http", calls: int = 2000, added_us: float = 0.0, seed: int = 1) -> HopCounts:
    return synthetic.hop_counts(name, calls, added_us, 1.0, np.random.default_rng(seed))


def values(*hops: HopCounts) -> dict[tuple[str, str, str], float | None]:
    return {(r.metric.subject, r.metric.metric, r.metric.statistic): r.value for r in hop_readings(hops)}


def test_means_of_parts_add_up_exactly() -> None:
    one = hop(added_us=200)
    request, callee, response, elapsed, transit = (
        mean_ns(one, part) for part in ("request", "callee", "response", "elapsed", "transit")
    )
    assert None not in (request, callee, response, elapsed, transit)
    assert request + callee + response == pytest.approx(elapsed, rel=1e-12)  # type: ignore[operator]
    assert request + response == pytest.approx(transit, rel=1e-12)  # type: ignore[operator]


def test_a_hop_s_own_time_is_its_transit() -> None:
    found = values(hop(added_us=200))
    assert found["a#0>b/http", "hop", "p50"] == pytest.approx(360, rel=0.02)
    assert found["a#0>b/http", "hop_request", "p50"] == pytest.approx(200, rel=0.02)
    assert found["a#0>b/http", "hop_callee", "p50"] == pytest.approx(300, rel=0.02)


def test_the_average_is_over_hops() -> None:
    first, second = hop("a#0>b/http"), hop("b#0>c/http", added_us=100)
    found = values(first, second)
    for statistic in ("mean", "p50", "p99"):
        both = [found[name, "hop", statistic] for name in ("a#0>b/http", "b#0>c/http")]
        assert found[PER_HOP, "hop", statistic] == pytest.approx(np.mean(both))  # type: ignore[arg-type]


def test_few_calls_give_a_mean_but_no_p99() -> None:
    readings = {(r.metric.metric, r.metric.statistic): r for r in hop_readings([hop(calls=50)])}
    assert readings["hop", "p50"].value is not None
    assert readings["hop", "p99"].value is None
    assert "needs 1000 calls" in readings["hop", "p99"].note


def test_a_hop_without_calls_says_so_and_the_average_too() -> None:
    empty = HopCounts(
        "b#0>c/http", 0, 0, 0, dict.fromkeys(("elapsed", "request", "callee", "response"), 0), {}, {}, {}, {}, {}, []
    )
    for reading in hop_readings([hop(), empty]):
        if reading.metric.subject != "a#0>b/http":
            assert reading.value is None
            assert "b#0>c/http" in reading.note


def test_a_callee_that_tells_no_stamps_has_the_whole_call_and_no_parts() -> None:
    whole = replace(hop(), request={}, callee={}, response={}, transit={})
    assert mean_ns(whole, "elapsed") == mean_ns(hop(), "elapsed")
    for reading in hop_readings([whole]):
        assert (reading.value is not None) == (reading.metric.metric == "hop_elapsed")
        assert (reading.value is not None) != (reading.note == "a#0>b/http has no stamps of its callee")


def test_a_topology_without_hops_has_no_readings() -> None:
    assert list(hop_readings([])) == []
