"""The four figures of paired rounds: what each estimates, and where there is none."""

import numpy as np
import pytest

from harness.analysis import compare
from harness.analysis.metrics import Kind

BARE = np.array([100.0, 120, 90, 110, 105, 95, 130, 85])


@pytest.mark.parametrize("kind", ["latency", "mean", "cost"])
def test_a_drift_that_arms_share_cancels(kind: Kind) -> None:
    added = compare.difference(kind, BARE + 40, BARE)
    assert (added.estimate, added.low, added.high) == pytest.approx((40, 40, 40))
    times = compare.ratio(kind, BARE * 1.5, BARE)
    assert times is not None
    assert (times.estimate, times.low, times.high) == pytest.approx((1.5, 1.5, 1.5))


@pytest.mark.parametrize("kind", ["latency", "mean", "cost"])
def test_added_ratio_is_of_what_both_add(kind: Kind) -> None:
    found = compare.added_ratio(kind, BARE + 30, BARE + 40, BARE)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.75, 0.75, 0.75))


def test_latency_is_robust_and_a_mean_is_a_mean() -> None:
    hiccup = BARE.copy()
    hiccup[0] += 8000
    assert compare.difference("latency", hiccup, BARE).estimate == 0
    assert compare.difference("mean", hiccup, BARE).estimate == 1000


def test_methods_are_named() -> None:
    assert compare.absolute("latency", BARE).method == "hodges-lehmann"
    assert compare.absolute("cost", BARE).method == "bootstrap-t"
    assert compare.difference("cost", BARE, BARE).method == "paired-bootstrap-t"


def test_there_is_no_ratio_with_zero() -> None:
    assert compare.ratio("cost", BARE, np.zeros(8)) is None
    assert compare.ratio("cost", np.zeros(8), BARE) is None


def test_a_share_never_seen_is_not_never() -> None:
    """Of 1,000 requests without failure: up to 1 − 0.025^(1/1000) = 0.37 %."""
    found = compare.share(np.zeros(8), 1000)
    assert (found.estimate, found.low, found.method) == (0.0, 0.0, "clopper-pearson")
    assert found.high == pytest.approx(0.00368, rel=0.01)


def test_a_share_stays_between_none_and_all() -> None:
    found = compare.share(np.array([0.0, 0, 0, 0, 0, 0, 0, 0.4]), 800)
    assert found.estimate == pytest.approx(0.05)
    assert found.low == 0.0
    assert found.high is not None
    assert 0.05 < found.high < 1


def test_a_difference_of_shares_doubts_both() -> None:
    none, some = compare.share(np.zeros(8), 1000), compare.share(np.full(8, 0.1), 1000)
    found = compare.share_difference(some, none)
    assert found.estimate == pytest.approx(0.1)
    assert found.low == pytest.approx(0.1 - 0.00368, rel=0.01)
    assert found.high == pytest.approx(0.1)


def test_shares_of_few_rounds_have_no_interval() -> None:
    one = compare.share(np.zeros(3), 100)
    assert one.low is None
    assert compare.share_difference(one, one).low is None
