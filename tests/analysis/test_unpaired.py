"""Unpaired intervals: exact small cases by counting, known truths found as often as promised, and no interval where none can be."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from harness.analysis.intervals import Floats, Interval
from harness.analysis.metrics import Kind
from harness.analysis.unpaired import (
    bootstrap_welch,
    change,
    change_ratio,
    critical_count,
    rank_sum_null,
    rank_sum_shift,
)


def counted(n: int, m: int) -> list[float]:
    """The null distribution of U by listing every choice of ranks."""
    found = [0] * (n * m + 1)
    for chosen in itertools.combinations(range(n + m), m):
        found[sum(rank - place for place, rank in enumerate(chosen))] += 1
    return [count / math.comb(n + m, m) for count in found]


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 3), (4, 4), (6, 5), (1, 6)])
def test_the_null_distribution_is_that_of_counting(n: int, m: int) -> None:
    assert rank_sum_null(n, m) == pytest.approx(counted(n, m))


@pytest.mark.parametrize(("n", "m"), [(6, 6), (8, 8), (8, 12), (12, 6), (40, 30)])
def test_the_interval_keeps_its_level_and_is_no_wider_than_needed(n: int, m: int) -> None:
    below = np.cumsum(rank_sum_null(n, m))
    count = critical_count(n, m)
    assert below[count - 1] <= 0.025 < below[count]
    assert below[-1] == pytest.approx(1.0)


def test_a_shift_is_found_as_the_median_of_all_differences() -> None:
    before, after = np.arange(8.0), np.arange(8.0) + 100
    found = rank_sum_shift(before, after)
    assert (found.estimate, found.rounds, found.method) == (100.0, 8, "rank-sum-shift")
    assert found.low == 100 - (found.high or 0) + 100
    reverse = rank_sum_shift(after, before)
    assert (reverse.low, reverse.high) == (-(found.high or 0), -(found.low or 0))


def test_ratios_are_changes_of_logarithms() -> None:
    before, after = np.linspace(90, 110, 8), np.linspace(180, 220, 8)
    kinds: tuple[Kind, ...] = ("latency", "cost")
    for kind in kinds:
        found = change_ratio(kind, before, after)
        assert found is not None
        assert found.estimate == pytest.approx(2.0)
        assert found.method.endswith("-log-ratio")
    assert change_ratio("cost", before - 100, after) is None


@pytest.mark.parametrize("kind", ["latency", "cost"])
def test_too_few_rounds_on_either_side_give_no_interval(kind: Kind) -> None:
    for n, m in ((5, 12), (12, 5), (1, 1)):
        found = change(kind, np.arange(float(n)), np.arange(float(m)))
        assert (found.low, found.high) == (None, None)
        assert found.note == f"{min(n, m)} rounds: an interval needs 6 or more"


def test_rounds_without_spread_give_an_interval_without_width() -> None:
    found = bootstrap_welch(np.full(8, 3.0), np.full(8, 5.0))
    assert (found.low, found.estimate, found.high) == (2.0, 2.0, 2.0)


def normal(random: np.random.Generator, n: int) -> Floats:
    return random.standard_normal(n)


def skewed(random: np.random.Generator, n: int) -> Floats:
    return random.exponential(1.0, n)


def two_modes(random: np.random.Generator, n: int) -> Floats:
    drawn: Floats = np.where(random.random(n) < 0.3, 8.0, 0.0) + random.standard_normal(n)
    return drawn


@pytest.mark.parametrize("noise", [normal, skewed, two_modes])
@pytest.mark.parametrize("rounds", [(8, 8), (8, 12)])
@pytest.mark.parametrize("method", [rank_sum_shift, bootstrap_welch])
def test_intervals_hold_the_truth_as_often_as_they_say(
    noise: Callable[[np.random.Generator, int], Floats],
    rounds: tuple[int, int],
    method: Callable[[Floats, Floats], Interval],
) -> None:
    """600 pairs of results that differ by 5. A true 95 % would hold fewer than 546 of them (91 %) in one of 100,000 tries."""
    random = np.random.default_rng(11)
    held = 0
    for _ in range(600):
        found = method(noise(random, rounds[0]), noise(random, rounds[1]) + 5.0)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 5.0 <= found.high
    assert 546 <= held <= 598


def test_sides_of_unlike_spread_keep_the_level_of_means() -> None:
    """Where Student's pooled interval fails: few noisy rounds against many quiet ones."""
    random = np.random.default_rng(12)
    held = 0
    for _ in range(600):
        found = bootstrap_welch(random.normal(0, 5, 6), random.normal(0, 1, 20))
        held += (found.low or 0) <= 0 <= (found.high or 0)
    assert 546 <= held <= 598
