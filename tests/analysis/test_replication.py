"""Replays: what is held against which margin, and when that says within, outside, or nothing."""

from typing import Any

import pytest

from harness.analysis.comparison import Named, compare_results
from harness.analysis.replication import judged, replication
from tests.analysis import synthetic
from tests.analysis.synthetic import ARMS, Planted, Synthetic


def replayed(second: Synthetic, margin: float = 0.2, first: Synthetic | None = None) -> dict[str, Any]:
    before = first or synthetic.result(rounds=8, rows=1000)
    return replication(compare_results(Named("one", before), Named("two", second), ()), margin)


def test_the_same_again_is_within() -> None:
    found = replayed(synthetic.result(rounds=8, rows=1000, seed=3))
    assert (found["outcome"], found["margin"]) == ("within", 0.2)
    assert all(claim["low"] <= 0 <= claim["high"] for claim in found["claims"])


def test_every_arm_claims_what_it_adds_and_the_reference_what_it_takes() -> None:
    found = replayed(synthetic.result(rounds=8, rows=1000, seed=3))
    claims = [(claim["arm"], claim["of"], claim["metric"]) for claim in found["claims"]]
    assert claims == [
        ("baseline", "total", "response"),
        ("baseline", "total", "cpu_s_per_1000_requests"),
        ("envoy[mtls]", "added", "response"),
        ("envoy[mtls]", "added", "cpu_s_per_1000_requests"),
        ("builtin[mtls]", "added", "response"),
        ("builtin[mtls]", "added", "cpu_s_per_1000_requests"),
    ]
    envoy = found["claims"][2]
    assert envoy["margin"] == pytest.approx(0.2 * envoy["before"]["estimate"])


def test_one_claim_outside_puts_the_replay_outside() -> None:
    slower = {**ARMS, "envoy[mtls]": Planted(600.0, 300.0, 1.6, 3, 60 * synthetic.MIB)}
    found = replayed(synthetic.result(slower, rounds=8, rows=1000, seed=3))
    outcomes = {(claim["arm"], claim["metric"]): claim["outcome"] for claim in found["claims"]}
    assert found["outcome"] == outcomes["envoy[mtls]", "response"] == "outside"
    assert outcomes["builtin[mtls]", "response"] == "within"


def test_a_margin_finer_than_the_noise_concludes_nothing() -> None:
    assert replayed(synthetic.result(rounds=8, rows=1000, seed=3), margin=0.001)["outcome"] == "inconclusive"


def test_without_intervals_nothing_is_concluded() -> None:
    assert replayed(synthetic.result(rounds=3, rows=1000))["outcome"] == "inconclusive"


def test_other_references_leave_own_figures_as_claims() -> None:
    second = synthetic.result(rounds=8, rows=1000, seed=3)
    second.manifest["reference"] = "envoy[mtls]"
    assert {claim["of"] for claim in replayed(second)["claims"]} == {"total"}


@pytest.mark.parametrize(
    ("low", "high", "margin", "said"),
    [
        (-1, 1, 1, "within"),
        (-0.5, 1.1, 1, "inconclusive"),
        (-2, 2, 1, "inconclusive"),
        (1.1, 2, 1, "outside"),
        (-2, -1.1, 1, "outside"),
        (1, 2, 1, "inconclusive"),
        (None, None, 1, "inconclusive"),
        (-1, 1, None, "inconclusive"),
    ],
)
def test_an_interval_against_a_margin(low: float | None, high: float | None, margin: float | None, said: str) -> None:
    assert judged(low, high, margin) == said
