"""Hops on the page: on the picture of the topology, and each hop's parts. It computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.report.charts import Segment, Stack, stacked_bars
from harness.report.elements import (
    NARROW,
    Html,
    arm_legend,
    arm_name,
    element,
    figure_cell,
    joined,
    paragraph,
    picture,
    scrolled,
    section,
    swatch_legend,
    table,
)
from harness.report.figures import PER_HOP, Figures, Subject
from harness.report.layers import Call
from harness.report.numbers import Estimate, Unit, figure, plain, unit_for, value_of
from harness.report.picture import Label, graph, tree
from harness.report.topology_view import calls_of, services_of

US = Unit("µs")
WHOLE = "hop_elapsed"
OWN_PROGRAMS = (
    "A program of the user's own doesn't tell when a call reached it or left it: calls to it are shown as a whole, with what it does "
    "itself, and are marked so; calls by it are not timed."
)
PARTS = (
    ("hop_request", "request leg", "p-leg1"),
    ("hop_callee", "callee", "p-leg2"),
    ("hop_response", "response leg", "p-leg3"),
)
Document = Mapping[str, Any]  # Any: a topology as the manifest holds it


def hops_section(name: str, title: str, figures: Figures, topology: Document) -> Html:
    """The topology with what each hop costs, and the table of the same."""
    services, calls = list(services_of(topology)), list(calls_of(topology))
    if not calls:
        return section(name, title, paragraph("This topology has one service and no hop."))
    labels = {call.id: Label(tuple(_lines(figures, call.id)), _tip(figures, call)) for call in calls}
    named, described = (
        f"Topology {topology['name']}",
        f"{len(services)} services, {len(calls)} hops; the table has the same figures.",
    )
    wide = graph(services, calls, labels).svg(f"{name}-w", named, described, "wide free")
    narrow = tree(services, calls, labels, NARROW + 20).svg(f"{name}-n", named, described, "narrow")
    return section(
        name,
        title,
        paragraph(_told(figures)),
        paragraph(OWN_PROGRAMS) if any(service.get("command") for service in topology["services"]) else "",
        arm_legend(figures.arms),
        scrolled(wide + narrow, named),
        _table(figures, calls),
    )


def _told(figures: Figures) -> str:
    own = "A hop's own time is what the caller waits, less what the callee itself takes: both sidecars, the sockets and the wake-ups."
    if len(figures.arms) == 1:
        return f"At each call: the median of the hop's own time in {figures.reference}, in µs with its 95 % interval. {own}"
    return f"At each call: what the arm adds to the median of the hop's own time over {figures.reference}, in µs with its 95 % interval. {own}"


def _lines(figures: Figures, hop: str) -> Iterator[tuple[int, str]]:
    subject = _subject(figures, hop)
    for style, arm in enumerate(figures.arms):
        if arm == figures.reference and len(figures.arms) > 1:
            continue
        added = arm != figures.reference
        found = figures.added(arm, subject) if added else figures.absolute(arm, subject)
        if found is not None:
            value, interval = figure(found, US, signed=added)
            whole = " (whole)" if subject.metric == WHOLE else ""
            yield style, f"{value} {interval}{whole}" if interval.startswith("[") else f"{value}{whole}"


def _subject(figures: Figures, hop: str) -> Subject:
    """The hop's own time; where only the whole call is known, that."""
    own, whole = (Subject("hop", hop, metric, "p50") for metric in ("hop", WHOLE))

    def known(subject: Subject) -> bool:
        return any(value_of(figures.absolute(arm, subject)) is not None for arm in figures.arms)

    return whole if known(whole) and not known(own) else own


def _tip(figures: Figures, call: Call) -> str:
    lines = [f"{call.id}: {call.caller} calls {call.callee}; means in µs:"]
    for arm in figures.arms:
        parts = [
            (words, value_of(figures.absolute(arm, Subject("hop", call.id, part, "mean")))) for part, words, _ in PARTS
        ]
        told = " + ".join(f"{words} {plain(value)}" for words, value in parts if value is not None)
        lines.append(f"{arm}: {told or 'not measured'}")
    return "\n".join(lines)


def _table(figures: Figures, calls: Sequence[Call]) -> Html:
    head: list[object] = ["hop"]
    for style, arm in enumerate(figures.arms):
        what = "own time, p50 (µs)" if arm == figures.reference else "added, p50 (µs)"
        head.append(joined([arm_name(style, arm), Html("<br>"), element("span", what, "muted")]))
    rows: list[list[object]] = []
    for hop in [*(call.id for call in calls), PER_HOP]:
        subject = _subject(figures, hop)
        found = [
            figures.absolute(a, subject) if a == figures.reference else figures.added(a, subject) for a in figures.arms
        ]
        signed = [arm != figures.reference for arm in figures.arms]
        rows.append(
            [
                f"{hop} (whole call)" if subject.metric == WHOLE else hop,
                *(_cell(each, US, signed=s) for each, s in zip(found, signed, strict=True)),
            ]
        )
    return table(head, rows, "Each hop's own time, and what an arm adds to it; 95 % intervals over rounds")


def _cell(found: Estimate | None, unit: Unit, *, signed: bool = False) -> Html:
    if found is None:
        return figure_cell("", "")
    return figure_cell(*figure(found, unit, signed=signed))


def parts_section(name: str, title: str, figures: Figures, topology: Document) -> Html:
    """Request leg, callee and response leg of every hop, stacked, with the table."""
    calls = list(calls_of(topology))
    stacks = [stack for call in calls for stack in _stacks(figures, call)]
    if not stacks:
        return Html("")
    told = (
        "Where the caller's wait goes, on average. The legs are the hop's own time and hold both sidecars; the callee's part holds "
        "its own work and everything it calls in turn, so it grows towards the entry. Means add up, percentiles don't."
    )
    return section(
        name,
        title,
        paragraph(told),
        swatch_legend((css, words) for _, words, css in PARTS),
        picture(
            name,
            "",
            "Parts of each hop by arm",
            "Horizontal bars of mean request leg, callee and response leg; the table below has the figures.",
            lambda width: stacked_bars(stacks, "mean µs per call", width),
            wide=900.0,
        ),
        _parts_table(figures, calls),
    )


def _stacks(figures: Figures, call: Call) -> Iterator[Stack]:
    heading = f"{call.caller} → {call.callee}"
    for style, arm in enumerate(figures.arms):
        found = [
            (words, css, figures.absolute(arm, Subject("hop", call.id, part, "mean"))) for part, words, css in PARTS
        ]
        values = [(words, css, value) for words, css, estimate in found if (value := value_of(estimate)) is not None]
        whole = value_of(figures.absolute(arm, Subject("hop", call.id, "hop_elapsed", "mean")))
        if len(values) < len(PARTS) or whole is None:
            continue
        segments = tuple(
            Segment(value, f"part {css}", f"{arm}, {heading}: {words} {plain(value)} µs")
            for words, css, value in values
        )
        yield Stack(arm, style, segments, plain(whole), heading)
        heading = ""


def _parts_table(figures: Figures, calls: Sequence[Call]) -> Html:
    asked = [*((part, words) for part, words, _ in PARTS), ("hop_elapsed", "whole call")]
    rows: list[list[object]] = []
    for call in calls:
        rows.append([call.id])
        for style, arm in enumerate(figures.arms):
            found = [figures.absolute(arm, Subject("hop", call.id, part, "mean")) for part, _ in asked]
            rows.append([arm_name(style, arm), *(_cell(each, unit_for("us", [])) for each in found)])
    return table(
        ["", *(f"{words} (µs)" for _, words in asked)], rows, "Mean parts of each hop; 95 % intervals over rounds"
    )
