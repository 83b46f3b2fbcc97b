"""The ablation as a table, the same for terminal and page: a line per feature, a column per mesh. It computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.figures import Cell
from harness.report.numbers import Estimate, Unit, figure, interval_of, unit_for, value_of
from harness.report.table import Row, Section, Shown

Summary = Mapping[str, Any]  # Any: summary.json
TITLE = "Enable one feature at a time"
ABOUT = "each feature alone over the same arm without it, paired by round"
METRICS = {
    "response": ("p50 of response time", "added to the median request"),
    "cpu_s_per_1000_requests": ("CPU per 1,000 requests", "added, all processes of the system under test"),
    "memory_per_sidecar_bytes": ("Memory per sidecar, loaded", "added PSS of all processes / sidecars"),
}
"""By metric, its title and what the figures are."""

VERDICTS = {
    "more": "together they cost more than the sum",
    "less": "together they cost less than the sum",
    "no departure seen": "no departure from adding up is seen",
    "unknown": "too few rounds to tell whether they add up",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a metric: its words, and the row of each mesh, None where that mesh has no such line."""

    step: str
    label: str
    found: tuple[Estimate | None, ...]


@dataclass(frozen=True, slots=True)
class Costs:
    """One metric: its lines in order, and the unit in which all of them are written."""

    title: str
    about: str
    unit: Unit
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class AblationTable:
    """Everything of one topology under one load; `arms` heads the columns with the bases' ids."""

    cell: Cell
    arms: tuple[str, ...]
    costs: tuple[Costs, ...]

    @property
    def resting(self) -> str:
        """How many rounds the lines rest on, which is not the same for each."""
        found = [each["rounds"] for costs in self.costs for line in costs.lines for each in line.found if each]
        least, most = min(found), max(found)
        return f"Each line rests on the rounds that are valid in its own arms: {least if least == most else f'{least} to {most}'}."

    @property
    def sections(self) -> tuple[Section, ...]:
        """The lines as a headline table has them."""
        return tuple(_section(costs, self.arms) for costs in self.costs)


def ablation_table(summary: Summary, cell: Cell) -> AblationTable | None:
    """The table of one topology under one load; None for a result without ablation."""
    rows = [row for row in summary.get("ablation", ()) if (row["topology"], row["load"]) == (cell.topology, cell.load)]
    if not rows:
        return None
    bases = tuple(dict.fromkeys(row["base"] for row in rows))
    costs = (
        _costs(words, bases, [row for row in rows if row["metric"] == metric]) for metric, words in METRICS.items()
    )
    return AblationTable(cell, bases, tuple(costs))


def _costs(words: tuple[str, str], bases: Sequence[str], rows: Sequence[Estimate]) -> Costs:
    order = dict.fromkeys((row["step"], row["feature"]) for row in sorted(rows, key=lambda row: _ORDER[row["step"]]))
    found = {(row["base"], row["step"], row["feature"]): row for row in rows}
    singles = sum(step == "feature" for step, _ in order)
    lines = tuple(
        Line(step, _label(step, feature, rows, singles), tuple(found.get((base, step, feature)) for base in bases))
        for step, feature in order
    )
    ends = [end for row in rows for end in (value_of(row), *(interval_of(row) or ())) if end is not None]
    return Costs(*words, unit_for(rows[0]["unit"], ends), lines)


_ORDER = {"base": 0, "feature": 1, "sum": 2, "together": 3, "interaction": 4}


def _label(step: str, feature: str, rows: Sequence[Estimate], singles: int) -> str:
    match step:
        case "base":
            return f"the base, over {next(row['against'] for row in rows if row['step'] == 'base')}"
        case "feature":
            return f"+ {feature}"
        case "sum":
            return f"sum of the {singles}"
        case "together":
            return "all together"
    return "together − sum"


def _section(costs: Costs, arms: Sequence[str]) -> Section:
    rows = tuple(Row(line.label, "", tuple(_shown(each, costs.unit) for each in line.found)) for line in costs.lines)
    return Section(f"{costs.title} ({costs.unit.name})", costs.about, rows, tuple(judgements(costs, arms)))


def _shown(found: Estimate | None, unit: Unit) -> Shown:
    return Shown() if found is None else Shown(*figure(found, unit, signed=True))


def judgements(costs: Costs, arms: Sequence[str]) -> Iterator[str]:
    """Per mesh, whether the features cost together what they cost singly, with the figure it rests on."""
    for line in costs.lines:
        if line.step == "interaction":
            for arm, found in zip(arms, line.found, strict=True):
                if found is not None:
                    yield f"{arm}: {VERDICTS[found['adds_up']]}{_beyond(found, costs.unit)}"


def _beyond(found: Estimate, unit: Unit) -> str:
    if interval_of(found) is None:
        return ""
    value, interval = figure(found, unit, signed=True)
    return f" ({value} {unit.name} {interval})"


def without_steps(summary: Summary) -> dict[str, Any]:
    """The summary with those arms only that the other tables and pictures show: not the single steps of an ablation.

    An arm that is in a contrast stays.
    """
    rows = summary.get("ablation", ())
    steps = {row["arm"] for row in rows if row["step"] == "feature"}
    kept = {row["arm"] for row in rows if row["step"] in {"base", "together"}} | {row["base"] for row in rows}
    kept.update(arm for contrast in summary["contrasts"] for arm in contrast)
    return {**summary, "arms": [arm for arm in summary["arms"] if arm["id"] not in steps - kept]}


def left_out(summary: Summary) -> str:
    """What `without_steps` leaves out, in words; "" if it is nothing."""
    count = len(summary["arms"]) - len(without_steps(summary)["arms"])
    return f"Left to “{TITLE}”: {count} arms that have one feature more than their base." if count else ""
