"""Judgements on the split, and the interval by which they are made."""

import pytest
from scipy.stats import binom

from harness.probes import parity_split


@pytest.mark.parametrize("share", [0.05, 0.2, 1 / 3, 0.5])
@pytest.mark.parametrize("calls", [10, 500])
def test_the_interval_is_the_binomial_one(calls: int, share: float) -> None:
    low, high = parity_split.interval(calls, share)

    for tail in (binom.cdf(low - 1, calls, share), binom.sf(high, calls, share)):
        assert tail <= parity_split.DOUBT / 2
    for tail in (binom.cdf(low, calls, share), binom.sf(high - 1, calls, share)):
        assert tail > parity_split.DOUBT / 2


@pytest.mark.parametrize(
    ("counts", "passed"),
    [
        ((200, 200, 100), True),
        ((201, 202, 97), True),
        ((166, 167, 167), False),
        ((0, 0, 500), False),
        ((200, 199, 100), False),
    ],
    ids=["as asked", "about as asked", "even", "all", "one lost"],
)
def test_the_canary_gets_a_fifth(counts: tuple[int, ...], passed: bool) -> None:
    assert parity_split.shared(counts, on=True).passed is passed


@pytest.mark.parametrize(
    ("counts", "passed"), [((166, 167, 167), True), ((150, 190, 160), True), ((200, 200, 100), False)]
)
def test_without_a_split_the_last_is_one_of_three(counts: tuple[int, ...], passed: bool) -> None:
    assert parity_split.shared(counts, on=False).passed is passed


def test_an_ejected_canarys_share_is_not_lost() -> None:
    assert parity_split.canary_out(20, [200] * 60).passed
    assert not parity_split.canary_out(20, [200] * 50 + [503] * 10).passed
    assert not parity_split.canary_out(3, [200] * 60).passed
