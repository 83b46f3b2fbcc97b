"""Faults on the page: what was done, what became of the requests, and how far arithmetic foretold it. It computes nothing."""

from collections.abc import Iterator, Mapping

from harness.analysis.fault_timeline import Timeline, Windows, timeline
from harness.report.elements import (
    Html,
    arm_name,
    details,
    element,
    figure_cell,
    html,
    joined,
    listed,
    pair,
    paragraph,
    picture,
    section,
    swatch_legend,
    table,
)
from harness.report.fault_picture import PARTS, fault_bars
from harness.report.fault_table import Entry, deed, form_words
from harness.report.table import Headline, Section

HOW = (
    "Late is a request whose response time is above twice the p99 of this arm's steady state; lost, one without a good answer. "
    "Noticed: from the fault until a request fails or has waited longer than that. Recovered: from when the cause is gone until the "
    "target is back and requests are steady again (all fine for 0.1 s; for 1 s none lost, at most 5 % late). "
    "Figures are per repetition; brackets are 95 % intervals over repetitions."
)


def faults_section(
    name: str, title: str, shown: Headline, entries: Mapping[str, Mapping[str, Entry]], measured: Mapping[str, Windows]
) -> Html:
    """Every fault of one cell; `entries` by fault and arm, `measured` are each arm's runs with their rows."""
    runs = {arm: tuple(each) for arm, each in measured.items()}
    parts = [
        _fault(f"{name}-{index}", section_, entries[section_.title], shown.arms, runs)
        for index, section_ in enumerate(shown.sections)
    ]
    legend = swatch_legend((css, word) for _, css, word in reversed(PARTS))
    return section(name, title, paragraph(f"{shown.load}. {HOW}", "muted"), legend, *parts)


def _fault(
    name: str, shown: Section, by_arm: Mapping[str, Entry], arms: tuple[str, ...], runs: Mapping[str, Windows]
) -> Html:
    lines = {arm: timeline(runs.get(arm, ()), shown.title) for arm in arms}
    there = {arm: line for arm, line in lines.items() if line is not None}
    return joined(
        [
            element("h3", shown.title),
            paragraph(f"{deed(next(iter(by_arm.values())))}. {_evidence(by_arm)}"),
            _figures(shown, arms),
            listed(shown.notes, "muted"),
            pair(*_pictures(name, there, arms)) if there else "",
            details("The same as tables", *_tables(there, arms)) if there else "",
            _forms(by_arm, arms),
        ]
    )


def _evidence(by_arm: Mapping[str, Entry]) -> str:
    """What proves that it acted: the least of any repetition and arm."""
    told = [f"{arm}: {_counts(entry['evidence'])}" for arm, entry in by_arm.items() if entry["evidence"]]
    return f"Seen of it, at least, in every repetition: {'; '.join(told)}." if told else "It applied to no arm."


def _counts(evidence: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in evidence.items())


def _figures(shown: Section, arms: tuple[str, ...]) -> Html:
    head = ["", *(arm_name(style, arm) for style, arm in enumerate(arms))]
    rows = [
        [row.heading, *(figure_cell(each.value, each.interval) for each in row.figures)]
        for row in shown.rows
        if not row.heading.endswith("measured / expected")
    ]
    return table(head, rows, f"{shown.title}: {shown.about}")


def _pictures(name: str, lines: Mapping[str, Timeline], arms: tuple[str, ...]) -> Iterator[Html]:
    highest = max(slot.fine + slot.late + slot.lost for line in lines.values() for slot in line.slots)
    for arm, line in lines.items():
        style = arms.index(arm)
        yield picture(
            f"{name}-{style}",
            joined([arm_name(style, arm), f" requests due in each 0.1 s, {line.repetitions} repetitions together"]),
            f"Requests around the fault, {arm}",
            "Bars of fine, late and lost requests by when they were due; the table below has the same counts.",
            lambda width, line=line: fault_bars(line, highest, width),  # type: ignore[misc]
        )


def _tables(lines: Mapping[str, Timeline], arms: tuple[str, ...]) -> Iterator[Html]:
    for arm, line in lines.items():
        hit = [slot for slot in line.slots if slot.late or slot.lost]
        rows = [[f"{slot.start_ns / 1e9:.1f}".replace("-", "−"), slot.fine, slot.late, slot.lost] for slot in hit]
        told = f"{arm}: tenths of a second with a late or lost request, from s since the fault; in all others every request was fine"
        yield joined([arm_name(arms.index(arm), arm), table(["from (s)", "fine", "late", "lost"], rows, told)])


def _forms(by_arm: Mapping[str, Entry], arms: tuple[str, ...]) -> Html:
    """What arithmetic foretells, beside what was measured."""
    rows = [
        [
            joined([arm_name(arms.index(arm), arm), f" {figure}"]),
            expected,
            measured,
            figure_cell(ratio.value, ratio.interval),
            agree,
        ]
        for arm, entry in by_arm.items()
        for figure, expected, measured, ratio, agree in form_words(entry)
    ]
    if not rows:
        return html("")
    return table(["", "expected", "measured", "ratio", ""], rows, "What follows from arithmetic, and what was measured")
