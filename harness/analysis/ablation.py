"""What each feature costs alone and all of them together: the `ablation` of `summary.json`. Pure.

A step is compared within the rounds in which its own two arms are valid: it takes no other arm's rounds with it when one is void.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from harness.analysis.cost import ALL_ROLES, cost_readings, memory_per_sidecar
from harness.analysis.estimates import figures
from harness.analysis.intervals import Interval, absent, bootstrap_t, hodges_lehmann
from harness.analysis.metrics import Metric, Reading
from harness.analysis.pairing import Cell, Pairing, experiment_validity, pair
from harness.analysis.requests import SUBJECT, request_readings
from harness.load.rows import Rows
from harness.model.run import Run

Document = Mapping[str, Any]  # Any: JSON values

LATENCY = Metric("request", SUBJECT, "response", "p50", "us", "latency")
CPU = Metric("role", ALL_ROLES, "cpu_s_per_1000_requests", "mean", "s", "cost")
MEMORY = Metric("role", "sidecar", "memory_per_sidecar_bytes", "loaded", "bytes", "cost")
COSTS = (LATENCY, CPU, MEMORY)


class Measured(Protocol):
    """What is summed up, as harness.analysis.summary has it."""

    @property
    def manifest(self) -> Document: ...

    @property
    def runs(self) -> Sequence[Run]: ...

    def rows(self, run_id: str) -> Rows: ...


@dataclass(frozen=True, slots=True)
class Deltas:
    """Arm minus the other of one metric, by round; empty with a reason in `note`."""

    by_round: Mapping[int, float]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of an ablation: what is switched on between two arms."""

    step: str
    feature: str
    arm: str
    against: str


def ablation(result: Measured) -> Iterator[dict[str, Any]]:
    """One entry per mesh, topology, load, line and metric; nothing for an experiment without ablation.

    `step` says which line: `base` (the base over the experiment's reference), `feature` (one alone), `together` (all over the
    base), `sum` (of the single ones) and `interaction` (together minus sum, by round), whose `adds_up` is the judgement.
    """
    windows = _Windows(result)
    for each in result.manifest.get("ablation", ()):
        for cell in _cells(result.manifest):
            for metric in COSTS:
                for row in _metric_rows(windows, each, cell, metric):
                    yield {"mesh": _mesh(result.manifest, each["base"]), "base": each["base"], **row}


def reasons(result: Measured) -> Iterator[str]:
    """Why an ablation may not be used: a comparison of it has too few rounds in which both its arms are valid."""
    pairs = [(arm, against) for each in result.manifest.get("ablation", ()) for arm, against in _pairs(each)]
    for cell in _cells(result.manifest):
        for arm, against in dict.fromkeys(pairs):
            found = experiment_validity([_pair(result, cell, arm, against)])
            yield from (f"{arm} against {against}: {reason}" for reason in found.reasons)


def _pairs(each: Document) -> Iterator[tuple[str, str]]:
    yield from ((line.arm, line.against) for line in _lines(each))


def _lines(each: Document) -> Iterator[Compared]:
    """What is compared on the base: each feature alone, then all together."""
    for step in each["steps"]:
        yield Compared("feature", step["feature"], step["arm"], step["against"])
    if each["together"] and len(each["steps"]) > 1:
        yield Compared("together", "", each["together"], each["base"])


def _metric_rows(windows: "_Windows", each: Document, cell: Cell, metric: Metric) -> Iterator[dict[str, Any]]:
    reference = windows.result.manifest["reference"]
    if each["base"] != reference:
        base = Compared("base", "", each["base"], reference)
        yield _row(base, cell, metric, _interval(metric, windows.deltas(cell, base, metric)))
    lines = list(_lines(each))
    found = [windows.deltas(cell, line, metric) for line in lines]
    for line, deltas in zip(lines, found, strict=True):
        yield _row(line, cell, metric, _interval(metric, deltas))
    if lines[-1].step == "together":
        yield from _summed(lines[-1], cell, metric, found)


def _summed(line: Compared, cell: Cell, metric: Metric, found: Sequence[Deltas]) -> Iterator[dict[str, Any]]:
    """The single ones added up, and what all together are beyond that, in the rounds in which every arm is valid."""
    *singles, together = found
    note = next((deltas.note for deltas in found if deltas.note), "")
    rounds = sorted(set.intersection(*(set(deltas.by_round) for deltas in found))) if not note else []
    sums = {number: sum(deltas.by_round[number] for deltas in singles) for number in rounds}
    beyond = {number: together.by_round[number] - sums[number] for number in rounds}
    note = note or ("" if rounds else "no round is valid in every arm")
    total, rest = (Compared(step, "", line.arm, line.against) for step in ("sum", "interaction"))
    yield _row(total, cell, metric, _interval(metric, Deltas(sums, note)))
    interaction = _interval(metric, Deltas(beyond, note))
    yield _row(rest, cell, metric, interaction) | {"adds_up": adds_up(interaction)}


def adds_up(interaction: Interval) -> str:
    """Whether features cost together what they cost singly: `more`, `less`, `no departure seen`, or `unknown` without an interval.

    An interval that holds zero doesn't prove that they add up: it says how far from it they can be.
    """
    if interaction.low is None or interaction.high is None:
        return "unknown"
    if interaction.low > 0:
        return "more"
    return "less" if interaction.high < 0 else "no departure seen"


class _Windows:
    """The figures of windows, each read once: a base is compared with every step."""

    def __init__(self, result: Measured) -> None:
        self.result = result
        self._cores = len(result.manifest["placement"]["system"])
        self._read: dict[str, dict[Metric, Reading]] = {}

    def deltas(self, cell: Cell, line: Compared, metric: Metric) -> Deltas:
        """Arm minus the other in every round that is valid in both; a round that says nothing can't be left out."""
        paired = _pair(self.result, cell, line.arm, line.against)
        found: dict[int, float] = {}
        for number, run, other in zip(paired.rounds, paired.runs[line.arm], paired.runs[line.against], strict=True):
            delta = self._delta(metric, run, other)
            if isinstance(delta, str):
                return Deltas({}, delta)
            found[number] = delta
        return Deltas(found, "" if found else "no round is valid in both arms")

    def _delta(self, metric: Metric, run: Run, other: Run) -> float | str:
        if metric == MEMORY:
            reading = memory_per_sidecar(run, other, MEMORY.statistic)
            return reading.note if reading.value is None else reading.value
        mine, theirs = self._reading(metric, run), self._reading(metric, other)
        if mine.value is None or theirs.value is None:
            return mine.note or theirs.note
        return mine.value - theirs.value

    def _reading(self, metric: Metric, run: Run) -> Reading:
        if run.id not in self._read:
            readings = (*request_readings(self.result.rows(run.id)), *cost_readings(run, self._cores))
            self._read[run.id] = {reading.metric: reading for reading in readings if reading.metric in COSTS}
        return self._read[run.id][metric]


def _pair(result: Measured, cell: Cell, arm: str, against: str) -> Pairing:
    return pair(result.runs, cell, [arm, against], result.manifest["rounds"])


def _cells(manifest: Document) -> list[Cell]:
    return [Cell(topology["name"], load) for topology in manifest["topologies"] for load in manifest["loads"]]


def _mesh(manifest: Document, arm_id: str) -> str:
    return next(str(arm["name"]) for arm in manifest["arms"] if arm["id"] == arm_id)


def _interval(metric: Metric, deltas: Deltas) -> Interval:
    if deltas.note:
        return absent(deltas.note)
    values = np.array(list(deltas.by_round.values()), dtype=np.float64)
    if metric.kind == "latency":
        return hodges_lehmann(values)
    return bootstrap_t(values).mapped(float, "paired-bootstrap-t")


def _row(line: Compared, cell: Cell, metric: Metric, found: Interval) -> dict[str, Any]:
    return {
        "topology": cell.topology,
        "load": cell.load,
        "step": line.step,
        "feature": line.feature,
        "arm": line.arm,
        "against": line.against,
        "scope": metric.scope,
        "subject": metric.subject,
        "metric": metric.metric,
        "statistic": metric.statistic,
        "unit": metric.unit,
        **figures(found),
        "confidence": found.confidence,
        "rounds": found.rounds,
        "method": found.method,
        "note": found.note,
        "adds_up": None,
    }
