"""A made-up result judged by rules: which interval each rule asks about, p by inversion, and what has nothing to be judged."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

import jsonschema
import numpy as np
import pytest

from fixtures.recorded import CHAIN, Recorded, invalid, recorded
from harness.analysis.checks import asked_in, checks, notes, rounds_needed
from harness.analysis.intervals import hodges_lehmann, signed_rank_p
from harness.analysis.pairing import Cell
from harness.analysis.rule_intervals import p_above, p_below
from harness.analysis.summary import summarise
from harness.model.errors import UsageError
from harness.model.rules import REGISTRY, VALIDITY, Asked
from tests.report.judged import GO, HOLD, NO_GO, judged, result, under

ARMS = ("envoy[mtls]", "builtin[mtls]")
EVERY: dict[str, Any] = {"p50-added": "9ms", "p99-added": "9ms"}


def outcomes(summary: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(each["rule"], each["arm"]): each["outcome"] for each in summary["verdicts"]}


@pytest.mark.parametrize(("rules", "verdict"), [(GO, "GO"), (HOLD, "HOLD"), (NO_GO, "NO-GO")])
def test_one_result_under_three_budgets(rules: dict[str, Any], verdict: str) -> None:
    assert judged(rules)["verdict"] == verdict


def test_which_checks_fail_by_the_defaults() -> None:
    failed = {key for key, outcome in outcomes(judged(NO_GO)).items() if outcome == "fail"}
    assert failed == {("sidecar-cpu", ARMS[0]), ("sidecar-cpu", ARMS[1]), ("sidecar-memory", ARMS[0])}


def test_the_document_is_what_the_schema_says() -> None:
    schema = json.loads((files("harness.schemas") / "summary.schema.json").read_text())
    for rules in (GO, NO_GO, EVERY):
        jsonschema.validate(json.loads(json.dumps(judged(rules), allow_nan=False)), schema)
    manifest = json.loads((files("harness.schemas") / "manifest.schema.json").read_text())["properties"]["rules"]
    jsonschema.validate(under(result(), EVERY).manifest["rules"], manifest)


def test_each_rule_asks_about_the_figure_that_the_summary_has() -> None:
    """The same numbers as the estimates, so that page and verdict can't disagree."""
    summary = judged(EVERY)
    same = {
        "p50-per-hop": {"subject": "per-hop mean", "metric": "hop", "statistic": "p50", "value": "difference"},
        "p50-added": {"subject": "entry", "metric": "response", "statistic": "p50", "value": "difference"},
        "p99-added": {"subject": "entry", "metric": "response", "statistic": "p99", "value": "difference"},
        "p99-ratio": {"subject": "entry", "metric": "response", "statistic": "p99", "value": "ratio"},
        "errors-equal": {"metric": "errors", "value": "difference"},
        "utilisation": {"scope": "machine", "metric": "utilisation", "value": "absolute"},
    }
    for each in summary["verdicts"]:
        if wanted := same.get(each["rule"]):
            (found,) = (
                row
                for row in summary["estimates"]
                if row["arm"] == each["arm"]
                and row["against"] in (None, "baseline")
                and all(row[key] == value for key, value in wanted.items())
            )
            assert [each[key] for key in ("estimate", "low", "high")] == [
                found[key] for key in ("estimate", "low", "high")
            ]
    assert {each["rule"] for each in summary["verdicts"]} == {rule.name for rule in REGISTRY}


def test_sidecars_are_compared_with_the_apps_beside_them() -> None:
    found = {(each["rule"], each["arm"]): each["estimate"] for each in judged(NO_GO)["verdicts"]}
    assert found["sidecar-cpu", ARMS[0]] == pytest.approx(168 / 71, rel=0.03)
    assert found["sidecar-memory", ARMS[1]] == pytest.approx(12.1 / 13.7, rel=0.01)


def test_an_invalid_result_is_inconclusive_whatever_its_figures() -> None:
    broken = result()
    for run in result().runs[:12]:
        broken = invalid(broken, run.id, "the generator was late")
    summary = judged(GO, broken)
    assert summary["verdict"] == "INCONCLUSIVE"
    assert set(outcomes(summary).values()) == {"invalid"}


def test_too_few_rounds_give_no_interval_and_no_verdict() -> None:
    summary = judged(GO, recorded(rounds=5, rate_rps=60.0, window_s=1.0))
    assert (summary["validity"]["valid"], summary["verdict"]) == (True, "INCONCLUSIVE")
    told = {each["rule"]: each["why"] for each in summary["verdicts"]}
    assert told["p50-per-hop"].startswith("no interval: ")
    assert told["utilisation"] == "no interval: 5 rounds: an interval needs 6 or more"
    assert (
        "5 rounds give no interval, so the verdict can only be INCONCLUSIVE: use 10 or more"
        in summary["validity"]["warnings"]
    )


def test_a_quantile_that_the_rows_dont_give_is_said() -> None:
    summary = judged(GO, recorded(rounds=6, rate_rps=60.0, window_s=2.0))
    told = next(each["why"] for each in summary["verdicts"] if each["rule"] == "p99-ratio")
    assert told.startswith("no interval: p99 needs 1000 rows, the window has ")


def test_a_rule_about_hops_doesnt_apply_where_there_are_none() -> None:
    alone = replace(CHAIN, name="alone", services=(replace(CHAIN.services[0], script=()),))
    single = recorded(rounds=10, topology=alone)
    summary = judged(GO | {"p50-added": "9ms"}, single)
    assert outcomes(summary)["p50-per-hop", ARMS[0]] == "not-applicable"
    assert summary["verdict"] == "GO"


def test_an_arm_without_sidecars_has_none_that_could_cost_too_much() -> None:
    bare = replace_units(result())
    found = outcomes(judged(NO_GO, bare))
    assert found["sidecar-cpu", ARMS[0]] == found["sidecar-memory", ARMS[0]] == "not-applicable"


def replace_units(found: Recorded) -> Recorded:
    runs = tuple(replace(run, units=tuple(unit for unit in run.units if unit.role == "app")) for run in found.runs)
    return replace(found, runs=runs)


def test_a_cell_in_which_no_round_counts_has_checks_without_interval() -> None:
    asked = (Asked("p99-ratio", None, 2.0, ARMS),)
    found = list(checks(asked, [Cell("chain-4", "r1")], []))
    assert [check.why for check in found] == ["no round counts"] * 2


def test_a_budget_with_a_floor_catches_traffic_that_misses_the_mesh() -> None:
    summary = judged(GO | {"p50-per-hop": {"min": "400us", "max": "1ms"}})
    assert outcomes(summary)["p50-per-hop", "builtin[mtls]"] == "fail"
    assert summary["verdict"] == "NO-GO"


def test_figures_without_rules_are_not_judged() -> None:
    summary = summarise(result())
    assert (summary["verdict"], summary["verdicts"]) == (None, [])


def test_p_is_the_exact_one_of_the_test_that_the_interval_inverts() -> None:
    random = np.random.default_rng(4)
    for rounds in (6, 8, 10, 12):
        values = random.normal(0.8, 1.0, rounds)
        found = p_above(lambda c, values=values: hodges_lehmann(values, c), 0.0)  # type: ignore[misc]
        exact = signed_rank_p(values) / 2
        if float(np.median(values)) > 0 and exact < 0.4:
            assert found == pytest.approx(exact, abs=2**-20)
        mirrored = p_below(lambda c, values=values: hodges_lehmann(-values, c), 0.0)  # type: ignore[misc]
        assert mirrored == pytest.approx(found, abs=2**-20)


def test_p_of_what_is_inside_is_one() -> None:
    values = np.arange(1.0, 11.0)
    assert p_above(lambda c: hodges_lehmann(values, c), 100.0) == 1.0
    assert p_below(lambda c: hodges_lehmann(values, c), -100.0) == 1.0
    assert p_above(lambda c: hodges_lehmann(values, c), 0.0) == pytest.approx(2**-10, abs=2**-20)


def test_a_rule_of_a_newer_hoptax_is_never_left_out() -> None:
    with pytest.raises(
        UsageError, match=r"^manifest.json asks for rule 'blast-radius', which this hoptax doesn't know"
    ):
        asked_in({"rules": [{"rule": "blast-radius", "min": None, "max": 1, "arms": []}]})
    with pytest.raises(UsageError, match=r"^manifest.json: rules can't be read"):
        asked_in({"rules": [{"rule": "p99-ratio"}]})


def test_what_is_said_of_the_rules_beforehand() -> None:
    loose = Asked("p50-per-hop", None, 5000.0, ARMS)
    assert list(notes([loose], 12, 1)) == [
        "p50-per-hop: a budget of 5 ms is more than 3 ms, the loosest that common advice allows"
    ]
    assert list(notes([replace(loose, most=3000.0)], 12, 1)) == []
    (few,) = notes([replace(loose, most=1000.0)], 8, 10)
    assert few.startswith("8 rounds are few for 20 checks: a single one that fails may be left undecided")
    assert list(notes([Asked(VALIDITY, None, None, ())], 1, 1)) == [
        "1 round gives no interval, so the verdict can only be INCONCLUSIVE: use 10 or more"
    ]
    assert list(notes([], 1, 1)) == []


def test_rounds_that_a_single_failure_needs() -> None:
    """2⁻ⁿ times the checks has to be 0.05 or less."""
    assert [rounds_needed(count) for count in (0, 1, 12, 51, 52, 104)] == [10, 10, 10, 10, 11, 12]
