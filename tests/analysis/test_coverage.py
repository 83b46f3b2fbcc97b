"""A quick look at what `python -m benchmarks.coverage` shows in full: intervals hold the truth about as often as they say.

250 experiments tell 95 % from less than 91 % or more than 99.5 %; seeds are fixed.
"""

import math
from collections.abc import Iterator

import numpy as np
import pytest

from harness.analysis.coverage import (
    NOISES,
    SKEWED,
    TWO_MODES,
    Coverage,
    Figure,
    coverages,
    measure,
    pseudomedian,
    windows,
)
from harness.analysis.intervals import hodges_lehmann

EXPERIMENTS = 250


@pytest.fixture(scope="module")
def found() -> list[Coverage]:
    return list(_all())


def _all() -> Iterator[Coverage]:
    for noise in NOISES:
        truth = windows(noise, 3000, 1000, np.random.default_rng(5))
        yield from coverages(noise, 8, EXPERIMENTS, 1000, truth, seed=8)


def test_intervals_hold_the_truth_as_often_as_they_say(found: list[Coverage]) -> None:
    wrong = [f"{c.figure.metric} {c.figure.name}: {c.share:.3f}" for c in found if not 0.90 <= c.share <= 0.995]
    assert not wrong


def test_every_kind_of_figure_is_covered(found: list[Coverage]) -> None:
    kinds = {(c.figure.metric, c.figure.name) for c in found}
    for metric in ("p50", "p99", "cpu", "mean"):
        assert {name for of, name in kinds if of == metric} >= {"absolute", "difference", "ratio", "added ratio"}


def test_an_interval_that_promises_too_much_is_caught() -> None:
    """The same simulation with an 80 % interval that claims 95 %."""
    narrow = Figure(
        "narrow",
        "p50",
        lambda v: hodges_lehmann(v["far"] - v["bare"], confidence=0.8),
        lambda v: pseudomedian(v["far"] - v["bare"]),
    )
    random = np.random.default_rng(3)
    data, truth = windows(SKEWED, 8 * EXPERIMENTS, 100, random), windows(SKEWED, 3000, 100, random)
    assert measure(narrow, data["p50"], truth["p50"], 8).share < 0.88


def test_an_estimate_with_a_bias_is_caught() -> None:
    """A tenth too much of one arm: the truth slips out of the intervals."""
    biased = Figure(
        "biased",
        "p50",
        lambda v: hodges_lehmann(1.1 * v["far"] - v["bare"]),
        lambda v: pseudomedian(v["far"] - v["bare"]),
    )
    random = np.random.default_rng(3)
    data, truth = windows(SKEWED, 12 * EXPERIMENTS, 100, random), windows(SKEWED, 3000, 100, random)
    assert measure(biased, data["p50"], truth["p50"], 12).share < 0.88


def test_simulated_windows_are_skewed_and_have_two_modes() -> None:
    skewed, two = (windows(noise, 400, 1000, np.random.default_rng(1)) for noise in (SKEWED, TWO_MODES))
    assert np.mean(skewed["mean"]["bare"]) > 1.05 * np.mean(skewed["p50"]["bare"])
    drift = two["p50"]["far"]
    assert np.sum((drift > 1450) & (drift < 1500)) < 0.1 * len(drift)
    for values in (skewed, two):
        assert np.corrcoef(values["p50"]["far"], values["p50"]["bare"])[0, 1] > 0.5


def test_a_pseudomedian_by_hand() -> None:
    """Of 0 and 1 with probability ¾ and ¼ the halved sums are 0 (9/16), ½ (6/16) and 1: the median is 0."""
    assert pseudomedian(np.array([0.0, 0, 0, 1])) == 0.0
    normal = np.random.default_rng(1).normal(5, 1, 50_000)
    assert math.isclose(pseudomedian(normal), 5, abs_tol=0.02)
