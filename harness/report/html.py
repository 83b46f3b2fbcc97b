"""The report as one self-contained page: no script, no network, the same bytes for the same result. It computes nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.analysis.pairing import Cell as Pair
from harness.analysis.pairing import Pairing, pair
from harness.analysis.series import answers_by_arm, role_costs
from harness.analysis.summary import Measured
from harness.report import sides_view
from harness.report.ablation_table import TITLE, ablation_table, without_steps
from harness.report.ablation_view import ablation_section
from harness.report.change_page import changes_part
from harness.report.cost_view import cost_section
from harness.report.elements import Html, element, joined, paragraph
from harness.report.facts_view import machine_section, manifest_section, trust_section
from harness.report.fault_table import fault_headline, of_cell
from harness.report.faults_view import faults_section
from harness.report.figures import Cell, Figures, cells
from harness.report.hops_view import hops_section, parts_section
from harness.report.latency_view import latency_section
from harness.report.overview import headline_section, state
from harness.report.page import document
from harness.report.reading import how_section, limits_section
from harness.report.rounds_view import rounds_section
from harness.report.table import headline
from harness.report.time_view import time_section
from harness.report.verdict_view import verdict_banner, verdict_section

Summary = Mapping[str, Any]  # Any: summary.json


@dataclass(frozen=True, slots=True)
class Part:
    """A section with the name of its anchor and its title."""

    name: str
    title: str
    content: Html


def render(result: Measured, summary: Summary, changes: Summary | None = None) -> str:
    """The page; `summary` is what `summarise(result)` returned. Rows are read from the result, one window after the other.

    `changes` is the comparison of another result with this one, or of two platforms, to be shown beside it.
    """
    manifest = result.manifest
    found = cells(manifest)
    judged = Part("verdict", "Rules", verdict_section("verdict", "Rules", summary))
    parts: list[Part] = []
    for index, cell in enumerate(found):
        suffix = f" · {cell.topology} · {cell.load}" if len(found) > 1 else ""
        parts.extend(_cell_parts(result, summary, cell, index, suffix))
    if changes is not None:
        parts.append(_changes(changes))
    parts.extend(_common_parts(result))
    kept = [part for part in (judged, *parts) if part.content]
    asked = "How a mesh takes faults" if summary.get("faults") else "What a mesh costs"
    title = f"{asked}: {manifest['experiment']}"
    top = [_head(title, manifest, summary), verdict_banner(summary), state(summary), _nav(kept)]
    return document(title, joined([*top, *(part.content for part in kept)]))


def _changes(changes: Summary) -> Part:
    if "sides" in changes:
        return Part("sides", sides_view.TITLE, sides_view.sides_part("sides", changes))
    title = f"What changed since {changes['before']['name']}"
    return Part("changes", title, changes_part("changes", title, changes))


def _head(title: str, manifest: Mapping[str, Any], summary: Summary) -> Html:
    shown = [arm["id"] for arm in without_steps(summary)["arms"]]
    more = len(manifest["arms"]) - len(shown)
    arms = ", ".join(shown) + (f" and {more} arms with one feature more than their base" if more else "")
    topologies = ", ".join(topology["name"] for topology in manifest["topologies"])
    rounds = manifest["rounds"]
    told = f"{arms} on {topologies}; {rounds} round{'' if rounds == 1 else 's'}; started {manifest.get('started_utc', 'at an unknown time')}"
    return joined([element("h1", title), paragraph(told, "lead")])


def _nav(parts: Sequence[Part]) -> Html:
    links = joined(element("a", part.title, href=f"#{part.name}") for part in parts)
    return Html(f'<nav aria-label="Sections">{links}</nav>')


def _cell_parts(result: Measured, summary: Summary, cell: Cell, index: int, suffix: str) -> Iterator[Part]:
    """The sections of one topology under one load."""
    manifest, figures = result.manifest, Figures(without_steps(summary), cell)
    topology = next(each["document"] for each in manifest["topologies"] if each["name"] == cell.topology)
    paired = _paired(result, summary, figures)

    def part(name: str, title: str, draw: Callable[..., Html], *of: object) -> Part:
        return Part(f"{name}-{index}", title + suffix, draw(f"{name}-{index}", title + suffix, *of))

    if summary.get("faults"):
        runs = [run for run in result.runs if (run.topology, run.load_name) == (cell.topology, cell.load)]
        rows = {arm: [(run, result.rows(run.id)) for run in runs if run.arm == arm] for arm in figures.arms}
        shown = fault_headline(manifest, summary, cell)
        yield part("faults", "Faults", faults_section, shown, of_cell(summary, cell), rows)
        return
    yield part(
        "added", "What each arm adds", headline_section, headline(manifest, without_steps(summary), cell), figures
    )
    yield part("ablation", TITLE, ablation_section, ablation_table(summary, cell), figures.arms)
    if not paired.rounds:
        return
    answers = answers_by_arm(paired, result.rows)
    window_s = float(manifest["loads"][cell.load]["window_s"])
    yield part("latency", "Latency by percentile", latency_section, figures, answers)
    yield part("hops", "Hops", hops_section, figures, topology)
    yield part("parts", "Parts of a hop", parts_section, figures, topology)
    yield part("cost", "CPU and memory", cost_section, figures, role_costs(paired))
    yield part("rounds", "Rounds", rounds_section, figures, answers, paired.rounds)
    yield part("time", "Over the window", time_section, figures, answers, window_s)


def _paired(result: Measured, summary: Summary, figures: Figures) -> Pairing:
    """The rounds that count for every arm of the result, with the runs of those arms that the page draws."""
    every = [arm["id"] for arm in summary["arms"]]
    whole = pair(result.runs, Pair(figures.cell.topology, figures.cell.load), every, result.manifest["rounds"])
    return replace(whole, runs={arm: whole.runs[arm] for arm in figures.arms})


def _common_parts(result: Measured) -> Iterator[Part]:
    """The sections about the whole experiment."""
    manifest = result.manifest
    for name, title, draw, of in (
        ("trust", "Reasons to believe it", trust_section, (manifest, result.runs)),
        ("machine", "Machine and placement", machine_section, (manifest,)),
        ("manifest", "What exactly was measured", manifest_section, (manifest,)),
        ("reading", "How to read this", how_section, ()),
        ("limits", "What it can't tell you", limits_section, (manifest,)),
    ):
        yield Part(name, title, draw(name, title, *of))
