"""What is said of faults, held against an exact queue: times, counts, evidence, closed forms, and what may not be said."""

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from fixtures.faulted import DELAY_S, FOR_S, NS, RATE_RPS, SERVE_NS, START_UP_NS, faulted
from fixtures.recorded import Recorded
from harness.analysis.fault_forms import forms
from harness.analysis.fault_summary import fault_summary
from harness.analysis.fault_timeline import timeline
from harness.analysis.faults import LATE_FLOOR_NS, Outcome, judge, outcomes, steady, unproven, usual
from harness.analysis.summary import summarise
from harness.load.rows import Rows
from harness.model.run import Run
from harness.runner import conclude
from harness.store import open_result


@pytest.fixture(scope="module")
def result() -> Recorded:
    return faulted()


def run_of(result: Recorded, arm: str = "builtin[mtls]") -> tuple[Run, Rows]:
    run = next(run for run in result.runs if run.arm == arm)
    return run, result.rows(run.id)


def first(result: Recorded, kind: str) -> Outcome:
    return next(each for each in outcomes(*run_of(result)) if each.injection.kind == kind)


def changed(rows: Rows, **columns: object) -> Rows:
    return replace(rows, **columns)  # type: ignore[arg-type]  # columns of Rows


def test_usual_is_the_steady_second_before_each_fault(result: Recorded) -> None:
    found = usual(*run_of(result))
    assert found.middle_ns == SERVE_NS["builtin[mtls]"] + 1_000_000
    assert found.late_ns == LATE_FLOOR_NS


def test_a_pause_is_noticed_when_the_first_request_is_late_and_over_when_the_queue_is_empty(result: Recorded) -> None:
    found = first(result, "pause")
    held = RATE_RPS * FOR_S
    drained_s = held * SERVE_NS["builtin[mtls]"] / NS / (1 - RATE_RPS * SERVE_NS["builtin[mtls]"] / NS)
    assert (found.lost, found.steady_before, found.unproven) == (0, True, ())
    assert found.detect_s == pytest.approx(LATE_FLOOR_NS / NS, abs=1 / RATE_RPS)
    assert found.recover_s == pytest.approx(drained_s, abs=1.5 / RATE_RPS)
    assert held <= found.touched <= held + 1
    assert found.late == pytest.approx(held + drained_s * RATE_RPS, abs=2)


def test_a_dead_unit_loses_everything_until_it_is_back(result: Recorded) -> None:
    found = first(result, "kill")
    assert found.lost == pytest.approx(RATE_RPS * (FOR_S + START_UP_NS / NS), abs=1)
    assert found.late == 0
    assert found.detect_s == pytest.approx(300_000 / NS, abs=1 / RATE_RPS)
    assert found.recover_s == pytest.approx(START_UP_NS / NS, abs=1 / RATE_RPS)


def test_a_control_plane_that_is_down_touches_nobody_and_is_over_when_all_follow_again(result: Recorded) -> None:
    found = first(result, "control-down")
    assert (found.lost, found.late, found.touched, found.detect_s) == (0, 0, 0, None)
    assert found.recover_s == START_UP_NS / NS


@pytest.mark.parametrize("arm", SERVE_NS)
def test_closed_forms_hold_in_an_exact_queue(result: Recorded, arm: str) -> None:
    run, rows = run_of(result, arm)
    judged = judge(run, rows)
    found = [form for each in outcomes(run, rows) for form in forms(judged, each, RATE_RPS)]
    assert {form.figure for form in found} == {
        "requests held", "longest extra wait", "mean extra wait", "requests lost", "shift of the median",
    }  # fmt: skip
    for form in found:
        step = 1.0 / RATE_RPS if form.unit == "s" else 1.0
        assert form.measured == pytest.approx(form.expected, rel=0.02, abs=1.5 * step), form


def test_a_hop_that_is_slower_than_told_is_found_out(result: Recorded) -> None:
    run, _ = run_of(result)
    injections = tuple(
        replace(each, params={"delay_s": DELAY_S / 2}) if each.kind == "latency" else each for each in run.faults
    )
    entry = entry_of(
        replace(result, runs=tuple(replace(r, faults=injections) if r is run else r for r in result.runs)), "latency"
    )
    (form,) = entry["forms"]
    assert form["ratio"] == pytest.approx(2, abs=0.05)
    assert form["agrees"] is False


@pytest.mark.parametrize("kind", ["pause", "kill", "latency", "control-down"])
def test_without_evidence_nothing_is_said_and_the_run_is_invalid(kind: str) -> None:
    result = faulted(times=6, kinds=(kind,), seen=0)
    run, rows = run_of(result)
    (reason,) = unproven(run, rows)
    assert reason.startswith(f"fault '{kind}-it' isn't proven to have acted: ")
    assert reason.endswith("(repetition 1, 2, 3, 4, 5, 6)")
    entry = entry_of(result, kind)
    assert entry["outcome"] == "invalid"
    assert entry["recover"]["estimate"] is None


@pytest.mark.parametrize("kind", ["pause", "kill"])
def test_a_unit_without_traffic_is_invalid_also_where_a_request_is_late_by_chance(kind: str) -> None:
    result = faulted(times=6, kinds=(kind,))
    run, rows = run_of(result)
    undisturbed = np.where(np.arange(len(rows)) % 150 == 0, 20_000_000, 2_000_000)
    calm = changed(rows, done=rows.due + undisturbed, error_kind=np.zeros_like(rows.error_kind))
    (reason,) = unproven(run, calm)
    assert "does the target have traffic?" in reason


def test_a_repetition_without_steady_state_before_it_does_not_count_and_is_named(result: Recorded) -> None:
    run, rows = run_of(result)
    begin = run.faults[0].start_ns
    noisy = np.where((rows.due >= begin) & (rows.due < begin + NS // 10), rows.done + 500_000_000, rows.done)
    entry = entry_of(replace(result, windows=result.windows | {run.id: changed(rows, done=noisy)}), "pause")
    assert (entry["outcome"], entry["repetitions"], entry["counted"]) == ("measured", 7, 6)
    assert entry["void"] == [{"repetition": 1, "why": "the system wasn't steady before the fault"}]


def test_what_never_recovers_has_no_time_and_no_interval(result: Recorded) -> None:
    run, rows = run_of(result)
    fault = next(each for each in run.faults if each.kind == "kill")
    late = (rows.due > fault.back_ns) & (rows.due < fault.end_ns) & (np.arange(len(rows)) % 5 == 0)
    sick = changed(rows, done=np.where(late, rows.done + 100_000_000, rows.done))
    found = next(each for each in outcomes(run, sick) if each.injection.kind == "kill")
    assert found.recover_s is None
    entry = entry_of(replace(result, windows=result.windows | {run.id: sick}), "kill")
    assert entry["recover"]["note"] == "none in 1 of 7 repetitions"
    assert (entry["recover"]["low"], entry["recover"]["high"]) == (None, None)


def test_a_target_that_is_not_back_has_not_recovered(result: Recorded) -> None:
    run, rows = run_of(result)
    gone = tuple(replace(each, back_ns=0) if each.kind == "control-down" else each for each in run.faults)
    assert all(
        each.recover_s is None
        for each in outcomes(replace(run, faults=gone), rows)
        if each.injection.kind == "control-down"
    )


def test_censored_requests_are_lost(result: Recorded) -> None:
    run, rows = run_of(result)
    fault = run.faults[0]
    held = (rows.due >= fault.applied_ns) & (rows.due < fault.healed_ns)
    found = outcomes(run, changed(rows, done=np.where(held, 0, rows.done)))[0]
    assert found.lost == held.sum()
    assert found.detect_s == pytest.approx(LATE_FLOOR_NS / NS, abs=1 / RATE_RPS)


def test_retries_are_counted_per_request(result: Recorded) -> None:
    run, rows = run_of(result)
    second = (run.faults[0].applied_ns - run.window_start_ns) // NS
    told = [
        {"second": second + n, "calls": 100, "errors": 0, "retried": 30, "transit_p50_us": 1.0} for n in (0, 1, 100)
    ]
    hops = (replace(run.hops[0], per_second=told), *run.hops[1:])
    found = outcomes(replace(run, hops=hops), rows)[0]
    assert found.retries_per_request == pytest.approx(60 / (RATE_RPS * 6), abs=0.02)


def entry_of(result: Recorded, kind: str, arm: str = "builtin[mtls]") -> dict[str, Any]:  # Any: JSON values
    return next(each for each in fault_summary(result) if (each["kind"], each["arm"]) == (kind, arm))


def test_every_arm_and_fault_has_an_entry_with_intervals(result: Recorded) -> None:
    found = fault_summary(result)
    assert len(found) == 12
    states = {(each["arm"], each["kind"]): each["outcome"] for each in found}
    assert states["baseline", "control-down"] == states["envoy[mtls]", "control-down"] == "not-applicable"
    assert sum(state == "measured" for state in states.values()) == 10
    pause = entry_of(result, "pause")
    assert pause["recover"]["low"] <= pause["recover"]["estimate"] <= pause["recover"]["high"]
    assert all(form["agrees"] for each in found for form in each["forms"])


def test_fewer_than_six_repetitions_have_no_interval() -> None:
    entry = entry_of(faulted(times=5, kinds=("pause",)), "pause")
    assert entry["detect"]["low"] is None
    assert entry["detect"]["note"] == "5 repetitions: an interval needs 6 or more"


def test_an_arm_that_was_not_measured_says_so(result: Recorded) -> None:
    runs = tuple(run for run in result.runs if run.arm != "baseline")
    found = fault_summary(replace(result, runs=runs))
    assert {each["outcome"] for each in found if each["arm"] == "baseline"} == {"not-measured"}


def test_the_summary_has_faults_and_no_percentiles_of_a_window_with_faults(result: Recorded) -> None:
    summary = summarise(result)
    assert summary["estimates"] == []
    assert summary["validity"]["valid"]
    assert not any("rounds" in warning for warning in summary["validity"]["warnings"])


def test_the_time_line_counts_every_request_of_the_repetitions(result: Recorded) -> None:
    run, rows = run_of(result)
    shown = timeline([(run, rows)], "kill-it")
    assert shown is not None
    assert (shown.repetitions, shown.healed_ns, shown.back_ns) == (7, FOR_S * NS, FOR_S * NS + START_UP_NS)
    assert (shown.slots[0].start_ns, shown.slots[-1].start_ns) == (-10 * NS // 10, 58 * NS // 10)
    lost = {slot.start_ns for slot in shown.slots if slot.lost}
    assert lost == {n * NS // 10 for n in range(13)}
    assert all(slot.fine + slot.late + slot.lost == 70 for slot in shown.slots[1:-1])
    assert timeline([(run, rows)], "nothing") is None


def test_steady_needs_requests(result: Recorded) -> None:
    judged = judge(*run_of(result))
    assert not steady(judged, 0, 1)


@pytest.mark.parametrize("kind", ["manifest", "run", "summary"])
def test_files_with_faults_are_what_their_schemas_say(result: Recorded, tmp_path: Path, kind: str) -> None:
    path = result.write(tmp_path)
    conclude(path)
    schema = json.loads((files("harness.schemas") / f"{kind}.schema.json").read_text())
    documents = list((path / "runs").glob("*.json")) if kind == "run" else [path / f"{kind}.json"]
    for document in documents:
        jsonschema.validate(json.loads(document.read_text()), schema)
    again = open_result(path)
    assert {run.id: run.faults for run in again.runs} == {run.id: run.faults for run in result.runs}
    assert fault_summary(again) == fault_summary(result)
