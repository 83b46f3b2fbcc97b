"""The `faults` of summary.json: per arm and fault, what its repetitions show, with intervals over them. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from harness.analysis.fault_forms import Form, forms
from harness.analysis.faults import Outcome, judge, outcomes, proven
from harness.analysis.intervals import MIN_ROUNDS, hodges_lehmann
from harness.analysis.pairing import standing
from harness.load.rows import Rows
from harness.model.run import Run

AGREEMENT = 0.05
"""A figure agrees with its closed form if it is within this share of it, or its interval holds it."""
Json = dict[str, Any]

FIGURES: Mapping[str, tuple[str, Callable[[Outcome], float | None]]] = {
    "detect": ("s", lambda each: each.detect_s),
    "recover": ("s", lambda each: each.recover_s),
    "lost": ("1", lambda each: float(each.lost)),
    "late": ("1", lambda each: float(each.late)),
    "retries": ("1", lambda each: each.retries_per_request),
}


class Measured(Protocol):
    """What is summed up."""

    @property
    def manifest(self) -> Mapping[str, Any]: ...  # Any: JSON values

    @property
    def runs(self) -> Sequence[Run]: ...

    def rows(self, run_id: str) -> Rows: ...


@dataclass(frozen=True, slots=True)
class _Repetition:
    outcome: Outcome
    forms: tuple[Form, ...]
    late_limit_s: float
    reasons: tuple[str, ...]


def fault_summary(result: Measured) -> list[Json]:
    """One entry per topology, load, arm and fault, in the order of the experiment; empty without faults."""
    manifest = result.manifest
    specs = manifest.get("faults") or ()
    if not specs:
        return []
    entries = []
    for topology in (each["name"] for each in manifest["topologies"]):
        for load in manifest["loads"]:
            found = {arm["id"]: _repetitions(result, topology, load, arm["id"]) for arm in manifest["arms"]}
            entries += [
                {"topology": topology, "load": load, "arm": arm, **_entry(spec, each)}
                for spec in specs
                for arm, each in found.items()
            ]
    return entries


def _repetitions(result: Measured, topology: str, load: str, arm: str) -> list[_Repetition] | None:
    """Of every fault, over all rounds; None if the arm wasn't measured."""
    runs = [run for run in standing(result.runs) if (run.topology, run.load_name, run.arm) == (topology, load, arm)]
    return [each for run in runs for each in _of_run(run, result.rows(run.id))] if runs else None


def _of_run(run: Run, rows: Rows) -> Iterator[_Repetition]:
    judged = judge(run, rows)
    elsewhere = [reason for reason in run.validity.reasons if not reason.startswith("fault ")]
    others = ("its run is invalid for a reason that is told above",) if elsewhere else ()
    for outcome in outcomes(run, rows):
        shapes = forms(judged, outcome, run.load.rate_rps)
        yield _Repetition(outcome, shapes, judged.usual.late_ns / 1e9, others)


def _entry(spec: Mapping[str, Any], found: list[_Repetition] | None) -> Json:
    about = {key: spec[key] for key in ("kind", "target", "for_s", "params")}
    mine = [each for each in found or () if each.outcome.injection.fault == spec["name"]]
    outcome, why = _outcome(found, mine)
    counted = [each for each in mine if each.outcome in proven([each.outcome])]
    return {
        "fault": spec["name"],
        **about,
        "outcome": outcome,
        "why": why,
        "units": mine[0].outcome.injection.units if mine else [],
        "repetitions": len(mine),
        "counted": len(counted) if outcome == "measured" else 0,
        "void": _void(mine),
        "late_limit_s": max((each.late_limit_s for each in mine), default=None),
        "evidence": _evidence(mine),
        **{name: _figure(name, counted if outcome == "measured" else []) for name in FIGURES},
        "forms": _forms(counted) if outcome == "measured" else [],
    }


def _outcome(found: list[_Repetition] | None, mine: Sequence[_Repetition]) -> tuple[str, str]:
    """measured, invalid, not-applicable or not-measured; and why."""
    if found is None:
        return "not-measured", "the arm has no run"
    if not mine:
        return "not-applicable", "the arm's plan has nothing that this fault could touch"
    reasons = dict.fromkeys(reason for each in mine for reason in (*each.reasons, *each.outcome.unproven))
    if reasons:
        return "invalid", "; ".join(reasons)
    if not any(each.outcome.steady_before for each in mine):
        return "invalid", "the system was never steady before the fault"
    return "measured", ""


def _void(mine: Sequence[_Repetition]) -> list[Json]:
    """Repetitions that don't count."""
    return [
        {"repetition": each.outcome.injection.number + 1, "why": "the system wasn't steady before the fault"}
        for each in mine
        if not each.outcome.steady_before
    ]


def _evidence(mine: Sequence[_Repetition]) -> Json:
    """The least that was seen in any repetition, by what must be seen."""
    seen = [{**each.outcome.injection.seen, "touched": each.outcome.touched} for each in mine]
    names = mine[0].outcome.injection.must_see if mine else []
    return {name: min(each.get(name, 0) for each in seen) for name in names}


def _figure(name: str, counted: Sequence[_Repetition]) -> Json:
    unit, value = FIGURES[name]
    values = [value(each.outcome) for each in counted]
    known = [each for each in values if each is not None]
    missing = len(values) - len(known)
    note = f"none in {missing} of {len(values)} repetitions" if missing else ""
    if not known:
        return {
            "unit": unit,
            "estimate": None,
            "low": None,
            "high": None,
            "n": 0,
            "note": note or "nothing was measured",
        }
    return {"unit": unit, **_interval(known, note)}


def _interval(values: Sequence[float], note: str) -> Json:
    """Over repetitions; if some have no value, the others alone would be too good, so there is no interval."""
    found = hodges_lehmann(values)
    low, high = (None, None) if note else (found.low, found.high)
    few = f"{len(values)} repetitions: an interval needs {MIN_ROUNDS} or more" if len(values) < MIN_ROUNDS else ""
    return {"estimate": found.estimate, "low": low, "high": high, "n": len(values), "note": note or few}


def _forms(counted: Sequence[_Repetition]) -> list[Json]:
    """Per figure: expected and measured on average, their ratio with its interval, and whether they agree (None: can't be said)."""
    by_figure: dict[str, list[Form]] = {}
    for each in counted:
        for form in each.forms:
            by_figure.setdefault(form.figure, []).append(form)
    return [_agreement(figure, found) for figure, found in by_figure.items()]


def _agreement(figure: str, found: Sequence[Form]) -> Json:
    ratio = hodges_lehmann([each.measured / each.expected for each in found])
    near = abs(ratio.estimate - 1) <= AGREEMENT
    inside = None if ratio.low is None or ratio.high is None else ratio.low <= 1 <= ratio.high
    return {
        "figure": figure,
        "unit": found[0].unit,
        "expected": sum(each.expected for each in found) / len(found),
        "measured": sum(each.measured for each in found) / len(found),
        "ratio": ratio.estimate,
        "low": ratio.low,
        "high": ratio.high,
        "n": len(found),
        "agrees": True if near else inside,
    }
