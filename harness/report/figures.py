"""Finds a figure in a summary by what it is of. It knows the shape of `summary.json` and computes nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.report.numbers import Estimate

PER_HOP = "per-hop mean"
TOTAL = "total"
SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a figure is of: the fields of an estimate before `value`."""

    scope: str
    subject: str
    metric: str
    statistic: str


@dataclass(frozen=True, slots=True)
class Cell:
    """One topology under one load: arms are compared only within it."""

    topology: str
    load: str


class Figures:
    """The estimates of one cell, by arm and subject. A figure that the summary doesn't have is None, never 0."""

    def __init__(self, summary: Mapping[str, Any], cell: Cell) -> None:
        self.cell = cell
        self.reference: str = summary["reference"]
        self.arms: tuple[str, ...] = tuple(arm["id"] for arm in summary["arms"])
        self.contrasts: tuple[tuple[str, str], ...] = tuple((arm, against) for arm, against in summary["contrasts"])
        self._found = dict(_indexed(summary["estimates"], cell))

    def absolute(self, arm: str, subject: Subject) -> Estimate | None:
        """The arm's own figure."""
        return self._found.get((arm, subject, "absolute", None, "total"))

    def added(self, arm: str, subject: Subject) -> Estimate | None:
        """The arm minus the reference."""
        return self._found.get((arm, subject, "difference", self.reference, "total"))

    def ratio(self, arm: str, against: str, subject: Subject, of: str) -> Estimate | None:
        """Arm over the other: of their whole figures (`total`), or of what both add to the reference (`added`)."""
        return self._found.get((arm, subject, "ratio", against, of))

    def subjects(self, scope: str, metric: str, statistic: str) -> tuple[str, ...]:
        """Every subject that has such a figure, in the order of the summary."""
        found = (subject for _, subject, *_ in self._found)
        return tuple(
            dict.fromkeys(s.subject for s in found if (s.scope, s.metric, s.statistic) == (scope, metric, statistic))
        )


_Key = tuple[str, Subject, str, str | None, str]


def _indexed(estimates: Iterable[Estimate], cell: Cell) -> Iterable[tuple[_Key, Estimate]]:
    for each in estimates:
        if (each["topology"], each["load"]) == (cell.topology, cell.load):
            subject = Subject(each["scope"], each["subject"], each["metric"], each["statistic"])
            yield (each["arm"], subject, each["value"], each.get("against"), each.get("of") or "total"), each


def cells(manifest: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Every topology under every load, in the order of the experiment."""
    return tuple(Cell(topology["name"], load) for topology in manifest["topologies"] for load in manifest["loads"])
