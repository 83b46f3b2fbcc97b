"""The margin settles at the 95th percentile of late wakes, whatever outliers."""

import numpy as np

from harness.load.margin import Margin


def test_the_margin_settles_where_one_wake_in_twenty_is_later() -> None:
    late_ns = np.random.default_rng(1).exponential(20_000, 40_000)
    margin, later = Margin(1_000_000), 0
    for number, late in enumerate(late_ns):
        later += number >= 20_000 and late > margin.ns
        margin.woke(int(late))
    assert 0.04 < later / 20_000 < 0.06


def test_one_very_late_wake_moves_the_margin_by_one_step() -> None:
    margin = Margin(1_000_000)
    before = margin.ns
    margin.woke(50_000_000)
    assert margin.ns == before + Margin.GROW_NS


def test_the_margin_stays_within_its_bounds() -> None:
    margin = Margin(10_000)
    for late_ns, bound in ((99_999, 10_000), (0, 0)):
        for _ in range(200):
            margin.woke(late_ns)
        assert margin.ns == bound
