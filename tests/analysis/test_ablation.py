"""The ablation of a result whose truth is known: each feature's cost, their sum, what they cost together beyond it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from harness.analysis import ablation
from harness.analysis.ablation import adds_up
from harness.analysis.intervals import Interval
from harness.analysis.summary import summarise
from harness.model.run import Run, Validity
from tests.analysis.synthetic import MIB, Planted, Synthetic, result

SCHEMA = Path(__file__).parents[2] / "harness" / "schemas" / "summary.schema.json"
BASE = Planted(300.0, 150.0, 1.2, 3, 30 * MIB)
ARMS = {
    "baseline": Planted(),
    "builtin[mtls]": BASE,
    "builtin[mtls,retries]": replace(BASE, request_us=340.0, cpu_s=1.3, pss_bytes=31 * MIB),
    "builtin[access-log,mtls]": replace(BASE, request_us=400.0, cpu_s=1.5, pss_bytes=33 * MIB),
    "builtin[access-log,mtls,retries]": replace(BASE, request_us=640.0, cpu_s=1.6, pss_bytes=34 * MIB),
}
BASE_ID, RETRIES, LOG, ALL = list(ARMS)[1:]
DOCUMENT = {
    "base": BASE_ID,
    "steps": [
        {"feature": "retries", "arm": RETRIES, "against": BASE_ID},
        {"feature": "access-log", "arm": LOG, "against": BASE_ID},
    ],
    "together": ALL,
}
Row = dict[str, Any]  # Any: JSON values


def made(rounds: int = 8, document: dict[str, Any] | None = None) -> Synthetic:
    found = result(ARMS, rounds)
    found.manifest |= {"ablation": [document or DOCUMENT], "contrasts": []}
    return found


@pytest.fixture(scope="module")
def measured() -> Synthetic:
    return made()


@pytest.fixture(scope="module")
def rows(measured: Synthetic) -> list[Row]:
    return list(ablation.ablation(measured))


def one(rows: list[Row], step: str, metric: str, feature: str = "") -> Row:
    (found,) = (r for r in rows if (r["step"], r["metric"], r["feature"]) == (step, metric, feature))
    return found


@pytest.mark.parametrize(
    ("step", "feature", "us", "cpu_s", "mib"),
    [
        ("base", "", 300.0, 1.2, 30.0),
        ("feature", "retries", 40.0, 0.1, 1.0),
        ("feature", "access-log", 100.0, 0.3, 3.0),
        ("sum", "", 140.0, 0.4, 4.0),
        ("together", "", 340.0, 0.4, 4.0),
        ("interaction", "", 200.0, 0.0, 0.0),
    ],
)
def test_what_was_planted_is_found(
    rows: list[Row], step: str, feature: str, us: float, cpu_s: float, mib: float
) -> None:
    for metric, truth, room in (
        ("response", us, 40.0),
        ("cpu_s_per_1000_requests", cpu_s, 0.06),
        ("memory_per_sidecar_bytes", mib * MIB, 1.0),
    ):
        found = one(rows, step, metric, feature)
        assert found["rounds"] == 8
        assert found["low"] - room / 4 <= truth <= found["high"] + room / 4
        assert found["estimate"] == pytest.approx(truth, abs=room)


def test_whether_they_add_up_is_said_of_the_interaction_only(rows: list[Row]) -> None:
    assert one(rows, "interaction", "response")["adds_up"] == "more"
    assert one(rows, "interaction", "cpu_s_per_1000_requests")["adds_up"] == "no departure seen"
    assert {row["adds_up"] for row in rows if row["step"] != "interaction"} == {None}


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [(0.1, 2.0, "more"), (-2.0, -0.1, "less"), (-1.0, 1.0, "no departure seen"), (0.0, 1.0, "no departure seen"),
     (None, None, "unknown")],
)  # fmt: skip
def test_the_judgement_follows_the_interval(low: float | None, high: float | None, told: str) -> None:
    assert adds_up(Interval(0.5, low, high, 8, "m")) == told


def test_sum_and_interaction_are_together_in_every_round(measured: Synthetic, rows: list[Row]) -> None:
    """Costs are means over rounds, so there the three lines agree to the last digit."""
    cpu = {step: one(rows, step, "cpu_s_per_1000_requests")["estimate"] for step in ("sum", "interaction", "together")}
    assert cpu["sum"] + cpu["interaction"] == pytest.approx(cpu["together"], abs=1e-12)


def spoil(measured: Synthetic, arm: str, rounds: int) -> Synthetic:
    def edit(run: Run) -> Run:
        return replace(run, validity=Validity(False, ("late",))) if run.arm == arm and run.round <= rounds else run

    return measured.edited(edit)


def test_a_void_trial_takes_only_its_own_comparisons_with_it(measured: Synthetic) -> None:
    found = list(ablation.ablation(spoil(measured, LOG, 2)))
    assert one(found, "feature", "response", "retries")["rounds"] == 8
    assert one(found, "feature", "response", "access-log")["rounds"] == 6
    assert one(found, "together", "response")["rounds"] == 8
    assert one(found, "sum", "response")["rounds"] == one(found, "interaction", "response")["rounds"] == 6


def test_an_ablation_is_valid_as_long_as_each_comparison_has_its_rounds(measured: Synthetic) -> None:
    spread = spoil(spoil(measured, LOG, 1).edited(lambda run: run), RETRIES, 2)
    spread = spread.edited(
        lambda run: replace(run, validity=Validity(False, ("late",))) if (run.arm, run.round) == (LOG, 8) else run
    )
    summary = summarise(spread)
    assert len(summary["rounds"][0]["valid"]) == 5
    assert summary["validity"]["valid"]

    broken = summarise(spoil(measured, LOG, 3))
    assert not broken["validity"]["valid"]
    assert broken["validity"]["reasons"] == [
        f"{LOG} against {BASE_ID}: chain-3 at r400: 5 of 8 rounds are valid, 6 are needed: run it again"
    ]


def test_without_any_round_a_line_has_a_reason_instead_of_a_figure(measured: Synthetic) -> None:
    found = one(list(ablation.ablation(spoil(measured, LOG, 8))), "feature", "response", "access-log")
    assert (found["estimate"], found["low"], found["rounds"]) == (None, None, 0)
    assert found["note"] == "no round is valid in both arms"


def test_few_rounds_have_no_interval_and_no_judgement() -> None:
    found = list(ablation.ablation(made(rounds=3)))
    assert one(found, "feature", "response", "retries")["low"] is None
    assert one(found, "interaction", "response")["adds_up"] == "unknown"


def test_one_feature_alone_has_nothing_to_add_up() -> None:
    found = list(ablation.ablation(made(document=DOCUMENT | {"steps": DOCUMENT["steps"][:1], "together": RETRIES})))
    assert {row["step"] for row in found} == {"base", "feature"}


def test_each_window_is_read_once(measured: Synthetic) -> None:
    asked: list[str] = []

    class Counting(Synthetic):
        def rows(self, run_id: str) -> Any:  # Any: as the base class
            asked.append(run_id)
            return super().rows(run_id)

    list(ablation.ablation(Counting(measured.manifest, measured.runs, measured.all_rows)))
    assert len(asked) == len(set(asked)) == len(measured.runs)


def test_the_summary_is_as_its_schema_says(measured: Synthetic) -> None:
    summary = summarise(measured)
    jsonschema.validate(json.loads(json.dumps(summary)), json.loads(SCHEMA.read_text()))
    assert len(summary["ablation"]) == 3 * 6
    assert summarise(result(rounds=6))["ablation"] == []
