"""The intervals against exhaustive enumeration, published tables, and an independent implementation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.analysis import intervals
from harness.analysis.intervals import (
    Floats,
    Interval,
    bootstrap_t,
    critical_rank,
    equivalent,
    hodges_lehmann,
    holm,
    mean_t,
    signed_rank_null,
    signed_rank_p,
)

values = st.lists(st.floats(-1e6, 1e6).map(lambda x: round(x, 3)), min_size=6, max_size=12)


def enumerated_p(data: Floats) -> float:
    """Two-sided p from every assignment of signs to the mid-ranks."""
    data = data[data != 0]
    ranks = stats.rankdata(np.abs(data))
    seen = ranks[data > 0].sum()
    sums = np.array([np.dot(signs, ranks) for signs in itertools.product((0, 1), repeat=len(data))])
    return float(min(1.0, 2 * min((sums <= seen).mean(), (sums >= seen).mean())))


@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_the_null_distribution_is_that_of_all_sign_assignments(n: int) -> None:
    sums = [sum(rank for rank, taken in enumerate(signs, 1) if taken) for signs in itertools.product((0, 1), repeat=n)]
    expected = np.bincount(sums, minlength=n * (n + 1) // 2 + 1) / 2**n
    assert signed_rank_null(n) == pytest.approx(expected)


def test_the_null_distribution_of_many_rounds_is_still_a_distribution() -> None:
    assert signed_rank_null(200).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("n", "rank"), [(5, 0), (6, 1), (7, 3), (8, 4), (9, 6), (10, 9), (12, 14), (20, 53), (25, 90)])
def test_critical_ranks_are_those_of_the_tables(n: int, rank: int) -> None:
    """Tables give the greatest T with two-sided p of 0.05 or less: 0, 2, 3, 5, 8, 13, 52, 89 from n = 6; C is one more."""
    assert critical_rank(n) == rank


def test_hodges_lehmann_of_a_small_sample_by_hand() -> None:
    found = hodges_lehmann([1, 2, 4, 8, 16, 32])
    assert found == Interval(8.5, 1.0, 32.0, 6, "hodges-lehmann")


def test_hodges_lehmann_takes_the_order_statistics_of_the_walsh_averages() -> None:
    data = np.array([3.0, -1.0, 4.0, 1.5, -5.0, 9.0, 2.0, 6.0])
    averages = sorted((data[i] + data[j]) / 2 for i in range(8) for j in range(i, 8))
    found = hodges_lehmann(data)
    assert (found.low, found.high) == (averages[3], averages[-4])
    assert found.estimate == pytest.approx((averages[17] + averages[18]) / 2)


@pytest.mark.parametrize("n", [1, 5])
def test_too_few_rounds_give_an_estimate_without_interval(n: int) -> None:
    for method in (hodges_lehmann, mean_t, bootstrap_t):
        found = method([2.0] * n)
        assert (found.estimate, found.low, found.high) == (2.0, None, None)
        assert f"{n} rounds" in found.note


@given(values)
def test_p_is_exact_also_with_ties_and_zeros(data: list[float]) -> None:
    rounded = np.round(np.array(data) / 1e5)
    assert signed_rank_p(rounded) == pytest.approx(enumerated_p(rounded) if rounded.any() else 1.0)


@given(st.integers(6, 20), st.integers(0, 10_000))
def test_p_agrees_with_scipy(n: int, seed: int) -> None:
    data = np.random.default_rng(seed).normal(0.3, 1, n)
    assert signed_rank_p(data) == pytest.approx(stats.wilcoxon(data, method="exact").pvalue)


@given(st.integers(6, 14), st.integers(0, 10_000), st.floats(-2, 2))
def test_interval_and_test_say_the_same(n: int, seed: int, shift: float) -> None:
    data = np.random.default_rng(seed).normal(shift, 1, n)
    found = hodges_lehmann(data)
    assert found.low is not None
    assert found.high is not None
    assert (found.low > 0 or found.high < 0) == (signed_rank_p(data) <= 0.05)


@given(values, st.floats(-100, 100), st.sampled_from([0.5, 2.0, 1000.0]))
def test_hodges_lehmann_moves_and_scales_with_the_data(data: list[float], shift: float, scale: float) -> None:
    found, moved = hodges_lehmann(data), hodges_lehmann(np.array(data) * scale + shift)
    for before, after in ((found.estimate, moved.estimate), (found.low, moved.low), (found.high, moved.high)):
        assert before is not None
        assert after == pytest.approx(before * scale + shift, rel=1e-6, abs=1e-3)


@given(values)
def test_no_order_of_rounds_changes_anything(data: list[float]) -> None:
    assert hodges_lehmann(data) == hodges_lehmann(data[::-1])


def test_ties_widen_or_keep_the_interval() -> None:
    found = hodges_lehmann([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    assert (found.low, found.high) == (0.0, 1.0)


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert hodges_lehmann([5.0] * 8) == Interval(5.0, 5.0, 5.0, 8, "hodges-lehmann")


def test_mean_t_agrees_with_scipy() -> None:
    data = [1.0, 2.5, 3.0, 4.5, 7.0, 7.5]
    found = mean_t(data)
    expected = stats.ttest_1samp(data, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_bootstrap_t_is_student_s_where_the_noise_is_even_and_wider_where_it_isnt() -> None:
    even, skewed = (
        np.linspace(-1, 1, 12),
        np.array([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09, 0.5, 1.0]),
    )
    assert _width(bootstrap_t(even)) == pytest.approx(_width(mean_t(even)), rel=0.1)
    assert _width(bootstrap_t(skewed)) > 1.2 * _width(mean_t(skewed))


def test_one_slow_round_doesnt_blow_the_interval_up() -> None:
    data = [1.0, 1.001, 1.002, 1.001, 1.0, 1.002, 1.001, 2.0]
    assert _width(bootstrap_t(data)) == pytest.approx(intervals.WIDEST * _width(mean_t(data)))


@given(values)
def test_bootstrap_t_is_never_narrower_than_student_s(data: list[float]) -> None:
    assert _width(bootstrap_t(data)) >= _width(mean_t(data)) * (1 - 1e-9)
    assert bootstrap_t(data) == bootstrap_t(data)


def test_bootstrap_t_of_equal_values() -> None:
    found = bootstrap_t([0.1] * 8)
    assert (found.estimate, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def _width(interval: Interval) -> float:
    assert interval.low is not None
    assert interval.high is not None
    return interval.high - interval.low


@pytest.mark.parametrize(
    ("low", "high", "answer"), [(-5.0, 5.0, True), (-5.1, 2.0, False), (-2.0, 5.1, False), (None, None, None)]
)
def test_equivalence_needs_the_whole_interval_inside(
    low: float | None, high: float | None, answer: bool | None
) -> None:
    assert equivalent(Interval(0.0, low, high, 8, "t"), 5.0) is answer


def test_holm_by_hand() -> None:
    """0.01·4, 0.02·3, 0.03·2 → kept at 0.06, 0.5·1."""
    found = holm({"c": 0.03, "a": 0.01, "d": 0.5, "b": 0.02})
    assert found == pytest.approx({"c": 0.06, "a": 0.04, "d": 0.5, "b": 0.06})
    assert list(found) == ["c", "a", "d", "b"]


def test_holm_never_exceeds_one() -> None:
    assert holm({"a": 0.9, "b": 0.8}) == {"a": 1.0, "b": 1.0}


@pytest.mark.parametrize("bad", [[], [1.0, math.nan], [math.inf] * 8])
def test_a_number_is_never_made_from_none(bad: list[float]) -> None:
    with pytest.raises(ValueError, match="one finite number per round"):
        hodges_lehmann(bad)


def test_minimum_rounds_is_where_an_interval_begins() -> None:
    assert critical_rank(intervals.MIN_ROUNDS) > 0
    assert critical_rank(intervals.MIN_ROUNDS - 1) == 0
