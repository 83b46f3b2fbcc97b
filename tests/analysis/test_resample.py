"""Alarm rates on synthetic recordings whose truth is known: equal arms, a bias between arms, a planted delay."""

import numpy as np
import pytest

from harness.analysis.resample import Share, Table, alarms, found, stretches, wrong_alarms

METRICS = ("p50", "p90", "cpu")


def recording(rounds: int, arms: int, seed: int = 1, shift: float = 0.0, correlation: float = 0.0) -> Table:
    """Arms alike but for `shift` in the last; rounds drift together, arms have noise 1 of their own."""
    random = np.random.default_rng(seed)
    table = {}
    for metric in METRICS:
        noise = random.normal(0, 1, (rounds, arms))
        for n in range(1, rounds):
            noise[n] = correlation * noise[n - 1] + np.sqrt(1 - correlation**2) * noise[n]
        noise[:, -1] += shift
        table[metric] = noise + random.normal(100, 10, (rounds, 1))
    return table


def test_alarms_are_corrected_for_the_metrics_compared() -> None:
    """p of eight equal signs is 2/256; two metrics without change leave it alone, three changes share it."""
    up, none = np.arange(1.0, 9.0), np.array([1.0, -2, 3, -4, 5, -6, 7, -8])
    assert alarms({"p50": up, "p90": none, "cpu": none}) == {"p50": 4.5}
    assert alarms({"p50": up, "p90": none, "cpu": none}, level=0.02) == {}
    assert alarms({"p50": -up}) == {"p50": -4.5}


def test_equal_arms_alarm_as_often_as_the_level_says_averaged_over_recordings() -> None:
    shares = [wrong_alarms(recording(40, 2, seed), 8, 50, np.random.default_rng(seed)).value for seed in range(40)]
    assert 0.02 < np.mean(shares) < 0.06


def test_a_bias_between_equal_arms_is_not_hidden() -> None:
    share = wrong_alarms(recording(40, 2, shift=1.5), 8, 300, np.random.default_rng(1))
    assert share.value > 0.3


def test_every_pair_of_arms_has_its_turn() -> None:
    """Only pairs with the third arm differ: two of three."""
    share = wrong_alarms(recording(40, 3, shift=50.0), 8, 300, np.random.default_rng(1))
    assert 0.64 < share.value < 0.72


def test_stretches_take_every_run_of_rounds_and_every_pair() -> None:
    assert stretches(recording(20, 3), 8).draws == 13 * 3


def test_neighbours_that_are_alike_show_in_stretches() -> None:
    alike = [stretches(recording(60, 2, seed, correlation=0.9), 8).value for seed in range(10)]
    apart = [stretches(recording(60, 2, seed), 8).value for seed in range(10)]
    assert np.mean(alike) > 3 * np.mean(apart)


def test_a_planted_delay_is_found_and_only_upwards() -> None:
    random = np.random.default_rng(1)
    assert found(recording(40, 2, shift=10.0), "p50", 8, 200, random).value == 1.0
    assert found(recording(40, 2, shift=-10.0), "p50", 8, 200, random).value == 0.0


def test_draws_are_reproducible() -> None:
    table = recording(30, 2)
    first, second = (wrong_alarms(table, 8, 100, np.random.default_rng(5)) for _ in range(2))
    assert first == second
    assert isinstance(first, Share)


def test_more_rounds_than_recorded_are_refused() -> None:
    with pytest.raises(ValueError, match="9 different rounds can't be drawn from 8"):
        wrong_alarms(recording(8, 2), 9, 1, np.random.default_rng(1))
