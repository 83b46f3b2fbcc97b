"""Ratios of added quantities: by hand, by brute force over θ, and where there is no ratio."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.intervals import Interval, critical_rank, hodges_lehmann, mean_t
from harness.analysis.ratios import fieller, rank_ratio

Method = Callable[[Sequence[float], Sequence[float]], Interval]


def test_proportional_shifts_have_their_ratio_without_doubt() -> None:
    bottom = np.array([90.0, 100, 110, 95, 105, 102, 98, 101])
    found = rank_ratio(0.8 * bottom, bottom)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.8, 0.8, 0.8))


def test_rank_ratio_of_positive_shifts_is_ordered_ratios_of_walsh_sums() -> None:
    random = np.random.default_rng(7)
    top, bottom = random.normal(80, 10, 8), random.normal(100, 10, 8)
    ratios = sorted((top[i] + top[j]) / (bottom[i] + bottom[j]) for i in range(8) for j in range(i, 8))
    found = rank_ratio(top, bottom)
    assert found.estimate == pytest.approx((ratios[17] + ratios[18]) / 2)
    assert (found.low, found.high) == pytest.approx((ratios[3], ratios[-4]))


@given(st.integers(0, 5_000), st.integers(6, 12), st.floats(-2, 3))
def test_rank_ratio_keeps_every_theta_that_the_test_keeps(seed: int, n: int, theta: float) -> None:
    """Also with some negative denominators: a θ outside the interval is one at which the signed-rank interval leaves out 0."""
    random = np.random.default_rng(seed)
    top, bottom = random.normal(1, 1, n), random.normal(1.5, 1, n)
    found = rank_ratio(top, bottom)
    if found.low is None or found.high is None:
        return
    assert found.low <= found.estimate <= found.high
    at = hodges_lehmann(top - theta * bottom)
    assert at.low is not None
    assert at.high is not None
    if at.low <= 0 <= at.high:
        assert found.low - 1e-9 <= theta <= found.high + 1e-9


@given(st.integers(0, 5_000), st.integers(6, 12))
def test_fieller_ends_where_the_t_interval_touches_zero(seed: int, n: int) -> None:
    random = np.random.default_rng(seed)
    top, bottom = random.normal(4, 1, n), random.normal(5, 1, n)
    found = fieller(top, bottom)
    assert found.low is not None
    assert found.high is not None
    assert mean_t(top - found.low * bottom).low == pytest.approx(0, abs=1e-9)
    assert mean_t(top - found.high * bottom).high == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("method", [rank_ratio, fieller])
def test_there_is_no_ratio_to_nothing(method: Method) -> None:
    found = method([5.0, 6, 5, 6, 5, 6, 5, 6], [1.0, -1, 1, -1, 1, -1, 1, -1])
    assert math.isnan(found.estimate)
    assert found.low is None
    assert "can't be told from zero" in found.note


@pytest.mark.parametrize("method", [rank_ratio, fieller])
def test_few_rounds_have_a_ratio_without_interval(method: Method) -> None:
    found = method([4.0, 8.0], [5.0, 10.0])
    assert found.estimate == pytest.approx(0.8)
    assert found.low is None
    assert "2 rounds" in found.note


def test_rank_ratio_doesnt_break_on_a_denominator_of_zero_in_one_round() -> None:
    found = rank_ratio([8.0] * 11 + [0.0], [10.0] * 11 + [0.0])
    assert critical_rank(12) > 1
    assert (found.estimate, found.low, found.high) == pytest.approx((0.8, 0.8, 0.8))
