"""The table of the sidecars' comparison: what is taken off, which way a bar points, and when there is no interval."""

import pytest

from benchmarks.proxy.table import BUILTIN, DIRECT, ENVOY, Bar, features, figure, lines, met, ratio
from harness.analysis.intervals import Interval

ROUNDS = 8


def turns(direct: float, ours: float, theirs: float) -> list[dict[str, dict[str, float]]]:
    sides = {DIRECT: direct, BUILTIN: ours, ENVOY: theirs}
    return [{side: {"x": value * (1 + n / 1000)} for side, value in sides.items()} for n in range(ROUNDS)]


def test_an_added_figure_is_what_the_sidecars_add() -> None:
    found = figure(Bar("m", "x", "what", "µs", 0.7, added=True), turns(100, 160, 200))
    assert found["ratio"]["estimate"] == pytest.approx(0.6)
    assert found["builtin"]["estimate"] == pytest.approx(60, rel=0.01)
    assert found["met"] is True


@pytest.mark.parametrize(
    ("least", "estimate", "told"), [(False, 0.7, True), (False, 0.71, False), (True, 1.5, True), (True, 1.4, False)]
)
def test_a_bar_points_one_way(least: bool, estimate: float, told: bool) -> None:
    bar = Bar("m", "x", "what", "µs", 1.5 if least else 0.7, least=least)
    assert met(bar, Interval(estimate, None, None, ROUNDS, "it")) is told


def test_an_absolute_bar_is_of_our_own_figure() -> None:
    bar = Bar("m", "x", "what", "ms", 300.0, absolute=True)
    assert figure(bar, turns(0, 200, 100))["met"] is True
    assert figure(bar, turns(0, 400, 900))["met"] is False


def test_a_difference_that_is_not_positive_has_no_interval() -> None:
    found = ratio([1.0, -0.1, *[1.0] * 6], [2.0] * 8)
    assert (found.low, found.note) == (None, "an added time isn't positive in every round")


def test_a_feature_costs_what_it_adds() -> None:
    rounds = [
        {
            on: {side: {"cpu_us": 100.0 + 7 * on * (side == BUILTIN)} for side in (BUILTIN, ENVOY)}
            for on in (False, True)
        }
    ]
    (found,) = features({"retries": rounds * ROUNDS})
    assert (found[BUILTIN]["estimate"], found[ENVOY]["estimate"]) == (7.0, 0.0)


def test_the_table_says_what_is_missed() -> None:
    document = {"figures": [figure(Bar("m", "x", "a thing", "B", 0.5), turns(0, 3e6, 4e6))], "alone": []}
    (told,) = [line for line in lines(document) if "a thing" in line]
    assert told.endswith("| 0.75× [0.75, 0.75] | ≤ 0.5× | **missed** |")
    assert "3.01 MB [3, 3.02]" in told
