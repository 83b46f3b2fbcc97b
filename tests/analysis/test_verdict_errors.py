"""A quick look at what `python -m benchmarks.verdicts` shows in full: verdicts are wrong no more often than they may be.

Every figure lies exactly on its budget, where errors are likeliest. 200 results tell 5 % from more than 9 %; seeds are fixed.
"""

from collections.abc import Mapping

import numpy as np
import pytest

from harness.analysis import verdict
from harness.analysis.coverage import SKEWED, TWO_MODES, Noise
from harness.analysis.verdict_errors import Rates, drawn, rates, truths

RESULTS = 200
NOISES = (SKEWED, TWO_MODES)


def budgets(noise: Noise) -> Mapping[tuple[str, str], float]:
    return truths(drawn(noise, 4000, 1000, np.random.default_rng(5)))


@pytest.fixture(scope="module", params=NOISES, ids=lambda noise: noise.name)
def on_budget(request: pytest.FixtureRequest) -> Rates:
    return rates(request.param, 10, RESULTS, 1000, budgets(request.param), seed=9)


def test_nothing_that_keeps_its_budgets_is_a_no_go_too_often(on_budget: Rates) -> None:
    assert on_budget.share("NO-GO") <= 0.05


def test_nothing_on_its_budget_passes_too_often(on_budget: Rates) -> None:
    """Where everything else passes, a check that passes is a GO."""
    assert len(on_budget.passed) == 12
    assert all(passed / on_budget.results <= 0.075 for passed in on_budget.passed.values())
    assert on_budget.share("GO") == 0


def test_without_holms_correction_too_many_would_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same results with every check judged as if it stood alone: the bar of this file can be missed."""
    monkeypatch.setattr(verdict, "holm", dict)
    assert rates(SKEWED, 10, RESULTS, 1000, budgets(SKEWED), seed=9).share("NO-GO") > 0.08


def test_what_is_clearly_beyond_its_budget_is_found() -> None:
    beyond = {key: value / 1.25 for key, value in budgets(SKEWED).items()}
    assert rates(SKEWED, 10, 40, 1000, beyond, seed=3).share("NO-GO") >= 0.95


def test_what_is_well_inside_is_a_go() -> None:
    inside = {key: value * (8 if key[0] == "errors-equal" else 2) for key, value in budgets(SKEWED).items()}
    assert rates(SKEWED, 10, 40, 1000, inside, seed=3).share("GO") >= 0.95
