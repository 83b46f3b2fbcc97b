"""A synthetic result with planted overheads → the summary: figures, what they are relative to, doubt, schema."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from harness.analysis.summary import summarise
from harness.model.run import Run, Validity
from tests.analysis import synthetic
from tests.analysis.synthetic import MIB, Synthetic

Summary = dict[str, Any]  # Any: JSON values
ENVOY, BUILTIN = "envoy[mtls]", "builtin[mtls]"


@pytest.fixture(scope="module")
def measured() -> Synthetic:
    return synthetic.result()


@pytest.fixture(scope="module")
def summary(measured: Synthetic) -> Summary:
    return summarise(measured)


def find(summary: Summary, **wanted: object) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        row for row in summary["estimates"] if all(row[key] == value for key, value in wanted.items())
    ]
    assert len(found) == 1, f"{len(found)} estimates of {wanted}"
    return found[0]


def check_schema(summary: Summary) -> None:
    schema = json.loads((files("harness.schemas") / "summary.schema.json").read_text())
    jsonschema.validate(json.loads(json.dumps(summary, allow_nan=False)), schema)


def test_it_is_what_the_schema_says(summary: Summary) -> None:
    check_schema(summary)


def test_every_figure_is_there_once(summary: Summary) -> None:
    keys = ("arm", "scope", "subject", "metric", "statistic", "value", "against", "of")
    seen = [tuple(row[key] for key in keys) for row in summary["estimates"]]
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(("arm", "added_us"), [(ENVOY, 400), (BUILTIN, 300)])
@pytest.mark.parametrize("statistic", ["p50", "p90", "mean"])
def test_the_planted_response_time_is_within_the_interval(
    summary: Summary, arm: str, added_us: float, statistic: str
) -> None:
    found = find(
        summary,
        arm=arm,
        scope="request",
        metric="response",
        statistic=statistic,
        value="difference",
        against="baseline",
    )
    assert found["low"] <= added_us <= found["high"]
    assert found["unit"] == "us"
    assert found["rounds"] == 8


def test_the_planted_time_per_hop_is_within_the_interval(summary: Summary) -> None:
    found = find(
        summary,
        arm=ENVOY,
        subject="per-hop mean",
        metric="hop",
        statistic="p50",
        value="difference",
        against="baseline",
    )
    assert found["low"] <= 200 <= found["high"]


def test_the_planted_cpu_and_memory(summary: Summary) -> None:
    cpu = find(
        summary,
        arm=BUILTIN,
        scope="role",
        subject="total",
        metric="cpu_s_per_1000_requests",
        value="difference",
        against="baseline",
    )
    assert cpu["low"] <= 1.2 <= cpu["high"]
    memory = find(summary, arm=BUILTIN, metric="memory_per_sidecar_bytes", statistic="loaded", value="absolute")
    assert memory["estimate"] == 30 * MIB
    sidecars = find(summary, arm=BUILTIN, subject="sidecar", metric="units", value="absolute")
    assert sidecars["estimate"] == 3


def test_contrasts_are_ratios_of_what_both_add(summary: Summary) -> None:
    added = find(summary, arm=BUILTIN, against=ENVOY, metric="response", statistic="p50", value="ratio", of="added")
    assert added["low"] <= 0.75 <= added["high"]
    cpu = find(
        summary,
        arm=BUILTIN,
        against=ENVOY,
        scope="role",
        subject="total",
        metric="cpu_s_per_1000_requests",
        value="ratio",
        of="added",
    )
    assert cpu["low"] <= 0.75 <= cpu["high"]
    memory = find(
        summary, arm=BUILTIN, against=ENVOY, metric="memory_per_sidecar_bytes", statistic="loaded", value="ratio"
    )
    assert (memory["estimate"], memory["of"]) == (pytest.approx(0.5), "total")


def test_the_parts_of_a_mean_hop_add_up(summary: Summary) -> None:
    means = {
        part: find(
            summary,
            arm=ENVOY,
            subject="a#0>b/http",
            metric=part,
            statistic="mean",
            value="difference",
            against="baseline",
        )["estimate"]
        for part in ("hop_elapsed", "hop_request", "hop_callee", "hop_response", "hop")
    }
    assert means["hop_request"] + means["hop_callee"] + means["hop_response"] == pytest.approx(means["hop_elapsed"])
    assert means["hop_request"] + means["hop_response"] == pytest.approx(means["hop"])


def test_a_quantity_that_only_one_arm_has_isnt_compared(summary: Summary) -> None:
    sidecars = [row for row in summary["estimates"] if row["subject"] == "sidecar" and row["against"] == "baseline"]
    assert sidecars == []


def test_few_rounds_have_estimates_without_intervals() -> None:
    summary = summarise(synthetic.result(rounds=3, rows=1000))
    check_schema(summary)
    found = find(summary, arm=ENVOY, metric="response", statistic="p50", value="difference", against="baseline")
    assert found["estimate"] == pytest.approx(400, rel=0.2)
    assert (found["low"], found["high"]) == (None, None)
    assert "3 rounds" in found["note"]
    assert summary["validity"]["valid"]


def test_too_few_rows_leave_p99_out_with_a_reason() -> None:
    summary = summarise(synthetic.result(rounds=6, rows=500))
    check_schema(summary)
    for value in ("absolute", "difference", "ratio"):
        found = [
            row
            for row in summary["estimates"]
            if row["metric"] == "response" and row["statistic"] == "p99" and row["value"] == value
        ]
        assert found
        assert all(
            row["estimate"] is None and row["note"] == "p99 needs 1000 rows, the window has 500" for row in found
        )


def test_one_round_among_the_unanswered_voids_the_figure_instead_of_itself(measured: Synthetic) -> None:
    """Leaving the worst round out would flatter the arm."""
    worst = next(run.id for run in measured.runs if run.arm == ENVOY and run.round == 4)
    rows = synthetic.request_rows(worst, np.full(2000, 1_000_000), unanswered=60)
    summary = summarise(Synthetic(measured.manifest, measured.runs, {**measured.all_rows, worst: rows}))
    check_schema(summary)
    p99 = find(summary, arm=ENVOY, metric="response", statistic="p99", value="difference", against="baseline")
    assert p99["estimate"] is None
    assert "without an answer" in p99["note"]
    assert (
        find(summary, arm=ENVOY, metric="response", statistic="p50", value="difference", against="baseline")["rounds"]
        == 8
    )


def test_an_invalid_trial_voids_its_round_for_all(measured: Synthetic) -> None:
    def edit(run: Run) -> Run:
        return replace(run, validity=Validity(False, ("late",))) if (run.round, run.arm) == (2, ENVOY) else run

    summary = summarise(measured.edited(edit))
    check_schema(summary)
    assert summary["rounds"] == [
        {"topology": "chain-3", "load": "r400", "planned": 8, "valid": [1, 3, 4, 5, 6, 7, 8],
         "void": {"baseline": 0, ENVOY: 1, BUILTIN: 0}, "retaken": dict.fromkeys(("baseline", ENVOY, BUILTIN), 0)}
    ]  # fmt: skip
    assert {row["rounds"] for row in summary["estimates"]} == {7}
    assert summary["validity"]["valid"]


def test_a_result_without_a_valid_round_has_no_figures(measured: Synthetic) -> None:
    summary = summarise(measured.edited(lambda run: replace(run, validity=Validity(False, ("late",)))))
    check_schema(summary)
    assert summary["estimates"] == []
    assert not summary["validity"]["valid"]


def test_the_manifest_s_warnings_are_passed_on(measured: Synthetic) -> None:
    noted = Synthetic({**measured.manifest, "warnings": ["one CPU"]}, measured.runs, measured.all_rows)
    assert summarise(noted)["validity"]["warnings"] == ["one CPU"]


def test_equal_arms_differ_by_nothing() -> None:
    arms = {"baseline": synthetic.Planted(), "baseline#again": synthetic.Planted()}
    summary = summarise(synthetic.result(arms, rounds=12, rows=1000))
    found = find(
        summary, arm="baseline#again", metric="response", statistic="p50", value="difference", against="baseline"
    )
    assert found["low"] <= 0 <= found["high"]


def test_it_says_the_same_every_time(measured: Synthetic, summary: Summary) -> None:
    assert summarise(measured) == summary


def test_an_arm_that_fails_a_proof_makes_the_result_invalid(measured: Synthetic) -> None:
    proofs = {ENVOY: [{"check": "plaintext refused", "passed": False, "seen": "answered 200"}]}
    doubtful = replace(measured, manifest={**measured.manifest, "parity": proofs})

    validity = summarise(doubtful)["validity"]
    assert not validity["valid"]
    assert validity["reasons"][0] == "envoy[mtls] is not what it says: plaintext refused: answered 200"
