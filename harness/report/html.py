"""The report as one self-contained page: no script, no network, the same bytes for the same result. It computes nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.analysis.pairing import Cell as Pair
from harness.analysis.pairing import Pairing, pair
from harness.analysis.series import answers_by_arm, role_costs
from harness.analysis.summary import Measured
from harness.report.cost_view import cost_section
from harness.report.elements import Html, element, joined, paragraph
from harness.report.facts_view import machine_section, manifest_section, trust_section
from harness.report.figures import Cell, Figures, cells
from harness.report.hops_view import hops_section, parts_section
from harness.report.latency_view import latency_section, rounds_section, time_section
from harness.report.overview import headline_section, state
from harness.report.page import document
from harness.report.reading import how_section, limits_section
from harness.report.table import headline

Summary = Mapping[str, Any]  # Any: summary.json
Part = tuple[str, Html]


def render(result: Measured, summary: Summary) -> str:
    """The page; `summary` is what `summarise(result)` returned. Rows are read from the result, one window after the other."""
    manifest = result.manifest
    found = cells(manifest)
    parts: list[Part] = []
    for index, cell in enumerate(found):
        suffix = f" · {cell.topology} · {cell.load}" if len(found) > 1 else ""
        parts.extend(_cell_parts(result, summary, cell, index, suffix))
    parts.extend(_common_parts(result))
    kept = [(title, content) for title, content in parts if content]
    title = f"What a mesh costs: {manifest['experiment']}"
    return document(
        title, joined([_head(title, manifest), state(summary), _nav(kept), *(content for _, content in kept)])
    )


def _head(title: str, manifest: Mapping[str, Any]) -> Html:
    arms = ", ".join(arm["id"] for arm in manifest["arms"])
    topologies = ", ".join(topology["name"] for topology in manifest["topologies"])
    rounds = manifest["rounds"]
    told = f"{arms} on {topologies}; {rounds} round{'' if rounds == 1 else 's'}; started {manifest.get('started_utc', 'at an unknown time')}"
    return joined([element("h1", title), paragraph(told, "lead")])


def _nav(parts: list[Part]) -> Html:
    links = joined(
        element("a", title, href="#" + content.removeprefix('<section id="').split('"', 1)[0])
        for title, content in parts
    )
    return Html(f'<nav aria-label="Sections">{links}</nav>')


def _cell_parts(result: Measured, summary: Summary, cell: Cell, index: int, suffix: str) -> Iterator[Part]:
    """The sections of one topology under one load."""
    manifest, figures = result.manifest, Figures(summary, cell)
    topology = next(each["document"] for each in manifest["topologies"] if each["name"] == cell.topology)
    paired = _paired(result, figures, cell)
    title = f"What each arm adds{suffix}"
    yield title, headline_section(f"added-{index}", title, headline(manifest, summary, cell), figures)
    if not paired.rounds:
        return
    answers = answers_by_arm(paired, result.rows)
    window_s = float(manifest["loads"][cell.load]["window_s"])
    title = f"Latency by percentile{suffix}"
    yield title, latency_section(f"latency-{index}", title, figures, answers)
    title = f"Hops{suffix}"
    yield title, hops_section(f"hops-{index}", title, figures, topology)
    title = f"Parts of a hop{suffix}"
    yield title, parts_section(f"parts-{index}", title, figures, topology)
    title = f"CPU and memory{suffix}"
    yield title, cost_section(f"cost-{index}", title, figures, role_costs(paired))
    title = f"Rounds{suffix}"
    yield title, rounds_section(f"rounds-{index}", title, figures, answers, paired.rounds)
    title = f"Over the window{suffix}"
    yield title, time_section(f"time-{index}", title, figures, answers, window_s)


def _paired(result: Measured, figures: Figures, cell: Cell) -> Pairing:
    return pair(result.runs, Pair(cell.topology, cell.load), figures.arms, result.manifest["rounds"])


def _common_parts(result: Measured) -> Iterator[Part]:
    """The sections about the whole experiment."""
    manifest = result.manifest
    yield "Reasons to believe it", trust_section("trust", "Reasons to believe it", manifest, result.runs)
    yield "Machine and placement", machine_section("machine", "Machine and placement", manifest)
    yield "Manifest", manifest_section("manifest", "Manifest: what exactly was measured", manifest)
    yield "How to read this", how_section("reading", "How to read this")
    yield "What it can't tell you", limits_section("limits", "What it can't tell you", manifest)
