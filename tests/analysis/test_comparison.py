"""Comparisons: planted changes are found in the right figures, paired inside a result and unpaired between two, and doubts are told."""

import json
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from harness.analysis.change import outcome
from harness.analysis.comparison import Named, compare_results
from harness.analysis.intervals import Interval
from harness.model.errors import UsageError
from harness.model.run import Validity
from tests.analysis import synthetic
from tests.analysis.synthetic import ARMS, Planted, Synthetic

FASTER = {**ARMS, "builtin[mtls]": Planted(200.0, 100.0, 0.8, 3, 30 * synthetic.MIB)}


def compared(before: Synthetic, after: Synthetic) -> dict[str, Any]:
    return compare_results(Named("one", before), Named("two", after), ())


def row(document: Mapping[str, Any], arm: str, metric: str, statistic: str, value: str, of: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        each
        for each in document["estimates"]
        if (each["arm"], each["metric"], each["statistic"], each["value"], each["of"])
        == (arm, metric, statistic, value, of)
        and each["subject"] in ("entry", "total", "sidecar")
        and each["scope"] != "machine"
    ]
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope="module")
def faster() -> dict[str, Any]:
    return compared(
        synthetic.result(rounds=8, rows=1200, seed=1), synthetic.result(FASTER, rounds=10, rows=1200, seed=2)
    )


def test_the_document_is_what_its_schema_says(faster: dict[str, Any]) -> None:
    schema = json.loads((files("harness.schemas") / "comparison.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(json.dumps(faster, allow_nan=False)), schema)


def test_a_planted_change_is_found_where_it_was_planted(faster: dict[str, Any]) -> None:
    added = row(faster, "builtin[mtls]", "response", "p50", "difference", "added")
    assert added["low"] < -100 < added["high"] < 0
    assert (added["outcome"], added["against"], added["method"]) == ("lower", "baseline", "rank-sum-shift")
    assert (added["before"]["rounds"], added["after"]["rounds"], added["rounds"]) == (8, 10, 8)
    assert added["before"]["estimate"] == pytest.approx(300, abs=30)
    assert added["after"]["estimate"] == pytest.approx(200, abs=30)
    cpu = row(faster, "builtin[mtls]", "cpu_s_per_1000_requests", "mean", "difference", "added")
    assert (cpu["outcome"], cpu["method"]) == ("lower", "bootstrap-welch")
    assert cpu["low"] < -0.4 < cpu["high"]


def test_what_did_not_change_is_not_claimed_to(faster: dict[str, Any]) -> None:
    for arm in ("baseline", "envoy[mtls]"):
        assert row(faster, arm, "response", "p50", "ratio", "total")["outcome"] == "unclear"
    assert row(faster, "envoy[mtls]", "response", "p50", "difference", "added")["outcome"] == "unclear"
    assert not [each for each in faster["estimates"] if each["arm"] == "baseline" and each["of"] == "added"]


def test_the_other_way_round_every_change_is_the_opposite(faster: dict[str, Any]) -> None:
    back = compared(
        synthetic.result(FASTER, rounds=10, rows=1200, seed=2), synthetic.result(rounds=8, rows=1200, seed=1)
    )
    asked = ("builtin[mtls]", "response", "p50", "difference", "total")
    one, other = row(faster, *asked), row(back, *asked)
    assert (one["low"], one["high"]) == (-other["high"], -other["low"])
    assert (one["outcome"], other["outcome"]) == ("lower", "higher")


def test_equal_input_gives_equal_bytes(faster: dict[str, Any]) -> None:
    again = compared(
        synthetic.result(rounds=8, rows=1200, seed=1), synthetic.result(FASTER, rounds=10, rows=1200, seed=2)
    )
    assert json.dumps(again) == json.dumps(faster)


def test_few_rounds_on_one_side_leave_figures_without_intervals() -> None:
    found = compared(synthetic.result(rounds=8, rows=200), synthetic.result(rounds=3, rows=200))
    judged = row(found, "baseline", "response", "p50", "difference", "total")
    assert (judged["low"], judged["outcome"]) == (None, "none")
    assert judged["estimate"] is not None
    assert "3 rounds" in judged["note"]


def test_a_machine_that_changed_is_told_by_its_reference() -> None:
    slower = {arm: replace(planted, request_us=planted.request_us + 500) for arm, planted in ARMS.items()}
    found = compared(synthetic.result(rounds=8, rows=200), synthetic.result(slower, rounds=8, rows=200, seed=2))
    (warning,) = found["validity"]["warnings"]
    assert "the reference's own p50 changed by +" in warning
    assert row(found, "envoy[mtls]", "response", "p50", "difference", "added")["outcome"] == "unclear"


def test_arms_of_one_side_only_are_named_and_no_common_arm_is_refused() -> None:
    one = synthetic.result({arm: ARMS[arm] for arm in ("baseline", "envoy[mtls]")}, rounds=6, rows=100)
    two = synthetic.result({arm: ARMS[arm] for arm in ("baseline", "builtin[mtls]")}, rounds=6, rows=100)
    found = compared(one, two)
    assert (found["arms"], found["only_before"], found["only_after"]) == (
        ["baseline"],
        ["envoy[mtls]"],
        ["builtin[mtls]"],
    )
    other = synthetic.result({"builtin[mtls]": ARMS["builtin[mtls]"]}, rounds=6, rows=100)
    other.manifest["reference"] = "builtin[mtls]"
    with pytest.raises(UsageError, match="no arm in common: one has baseline, envoy"):
        compared(one, other)


def test_different_references_leave_only_own_figures() -> None:
    one, two = synthetic.result(rounds=6, rows=100), synthetic.result(rounds=6, rows=100, seed=2)
    two.manifest["reference"] = "envoy[mtls]"
    found = compared(one, two)
    assert not [each for each in found["estimates"] if each["of"] == "added"]
    assert found["validity"]["warnings"] == [
        "the two have different references (baseline, envoy[mtls]): overheads aren't compared"
    ]


def test_an_invalid_result_makes_the_comparison_invalid_and_is_named() -> None:
    bad = synthetic.result(rounds=8, rows=100).edited(
        lambda run: replace(run, validity=Validity(False, ("late",))) if run.round < 5 else run
    )
    found = compared(synthetic.result(rounds=8, rows=100, seed=2), bad)
    assert not found["validity"]["valid"]
    assert all(reason.startswith("two: ") for reason in found["validity"]["reasons"])


@pytest.mark.parametrize(
    ("low", "high", "said"), [(1.1, 2, "higher"), (0.5, 0.9, "lower"), (1.0, 2, "unclear"), (None, None, "none")]
)
def test_an_interval_that_holds_no_change_says_nothing(low: float | None, high: float | None, said: str) -> None:
    assert outcome(Interval(1.0, low, high, 8, "m"), 1.0) == said


def test_quantities_that_a_round_lacks_are_told_not_guessed() -> None:
    one, two = synthetic.result(rounds=6, rows=100), synthetic.result(rounds=6, rows=60, seed=2)
    found = row(compared(one, two), "baseline", "response", "p90", "difference", "total")
    assert found["estimate"] is None
    assert found["note"] == "after: p90 needs 100 rows, the window has 60"
    assert np.isfinite(found["before"]["estimate"])
