"""Schedules: in order, inside the duration, repeatable, and of the rate and spread they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.schedule import ARRIVALS, NS_PER_S, due_offsets_ns
from harness.model.errors import UsageError

rates = st.floats(0.5, 20_000)
durations = st.floats(0.001, 2)
seeds = st.integers(0, 2**32)


@given(rates, durations, st.sampled_from(ARRIVALS), seeds)
def test_due_times_are_in_order_and_inside_the_duration(rate: float, duration: float, arrivals: str, seed: int) -> None:
    offsets = due_offsets_ns(rate, duration, arrivals, seed)
    assert offsets.dtype == np.int64
    assert (np.diff(offsets) >= 0).all()
    assert ((offsets >= 0) & (offsets < round(duration * NS_PER_S))).all()


@given(rates, durations, st.sampled_from(ARRIVALS), seeds)
def test_the_same_arguments_give_the_same_schedule(rate: float, duration: float, arrivals: str, seed: int) -> None:
    first, second = (due_offsets_ns(rate, duration, arrivals, seed) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@given(rates, durations, seeds)
def test_longer_poisson_schedules_begin_with_the_shorter(rate: float, duration: float, seed: int) -> None:
    short, long = (due_offsets_ns(rate, length, "poisson", seed) for length in (duration, duration * 2))
    np.testing.assert_array_equal(short, long[: len(short)])
    assert (long[len(short) :] >= round(duration * NS_PER_S)).all()


@given(rates, durations)
def test_uniform_gaps_are_equal_and_the_first_request_is_due_at_once(rate: float, duration: float) -> None:
    offsets = due_offsets_ns(rate, duration, "uniform", 1)
    assert offsets[0] == 0
    assert abs(len(offsets) - rate * duration) <= 1
    assert np.abs(np.diff(offsets) - NS_PER_S / rate).max(initial=0) <= 1


def test_poisson_arrivals_have_the_rate_and_the_spread_of_exponential_gaps() -> None:
    offsets = due_offsets_ns(10_000, 20, "poisson", 7)
    gaps = np.diff(offsets, prepend=0)
    assert len(offsets) == pytest.approx(200_000, abs=5 * 200_000**0.5)
    assert gaps.mean() == pytest.approx(1e5, rel=0.02)
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.02)
    assert (gaps > 3e5).mean() == pytest.approx(np.exp(-3), rel=0.05)


def test_another_seed_gives_another_poisson_schedule() -> None:
    one, two = (due_offsets_ns(100, 1, "poisson", seed) for seed in (1, 2))
    assert not np.array_equal(one, two)


def test_a_schedule_longer_than_one_block_of_draws_goes_on() -> None:
    assert due_offsets_ns(100_000, 2, "poisson", 3)[-1] > 1.99 * NS_PER_S


@pytest.mark.parametrize(
    ("rate", "duration", "arrivals", "message"),
    [
        (0, 1, "poisson", "rate 0 requests/s: allowed is a number above 0"),
        (-5, 1, "poisson", "rate -5"),
        (float("nan"), 1, "poisson", "rate nan"),
        (float("inf"), 1, "uniform", "rate inf"),
        (1, 0, "poisson", "duration 0 s: allowed is more than 0"),
        (1, float("inf"), "poisson", "duration inf"),
        (1, 86_401, "poisson", "at most 86400 s"),
        (1, 1, "bursty", "unknown arrivals 'bursty': have poisson, uniform"),
        (1_000_000, 60, "poisson", "60000000 requests, at most 20000000 fit in memory: lower the rate or the duration"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(rate: float, duration: float, arrivals: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        due_offsets_ns(rate, duration, arrivals, 1)
