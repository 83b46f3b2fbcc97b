"""The top of the page: may the figures be used, what did each arm add, and the headline table. It computes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.report.elements import (
    Html,
    arm_name,
    element,
    figure_cell,
    html,
    joined,
    listed,
    paragraph,
    section,
    table,
)
from harness.report.figures import PER_HOP, Figures, Subject
from harness.report.numbers import figure, unit_for, value_of
from harness.report.table import CPU, MEMORY, Contrast, Headline, Section, Shown

_CARD = (
    ("added to the median request", Subject("request", "entry", "response", "p50"), True),
    ("added on each hop (median)", Subject("hop", PER_HOP, "hop", "p50"), True),
    ("CPU added per 1,000 requests", CPU, True),
    ("memory added per sidecar", MEMORY, False),
)


def state(summary: Mapping[str, Any]) -> Html:
    """Validity with its reasons, and the warnings."""
    validity = summary["validity"]
    counted = sum(len(each["valid"]) for each in summary["rounds"])
    planned = sum(each["planned"] for each in summary["rounds"])
    if validity["valid"]:
        told = f"{counted} of {planned} rounds count: in each, every arm passed its proofs and the load generator kept its schedule."
        shown = banner("good", "✓ Valid", paragraph(told), _unjudged(summary))
    else:
        told = f"{counted} of {planned} rounds count. Don't use the figures below: they are shown so that the cause can be found."
        shown = banner("bad", "✕ Invalid", paragraph(told), listed(validity["reasons"]))
    return joined([shown, _warnings(validity["warnings"])])


def _unjudged(summary: Mapping[str, Any]) -> Html:
    if summary["verdicts"]:
        return Html("")
    return paragraph("No rule was asked for, so there is no verdict: the figures describe, they don't judge.")


def banner(css: str, title: str, *content: object) -> Html:
    """A box that says one thing loudly; `css` is good, warn or bad."""
    return Html(f'<div class="state {css}">{joined([element("strong", title), *content])}</div>')


def _warnings(warnings: Sequence[str]) -> Html:
    return banner("warn", "To keep in mind", listed(warnings)) if warnings else Html("")


def headline_section(name: str, title: str, shown: Headline, figures: Figures) -> Html:
    """Cards, contrasts and the table of one cell."""
    return section(
        name,
        title,
        paragraph(f"{shown.load}. Each figure is over rounds; brackets are 95 % intervals.", "muted"),
        paragraph(element("strong", shown.caveat)) if shown.caveat else "",
        _cards(figures),
        joined(_versus(figures, contrast) for contrast in shown.contrasts),
        _table(shown),
        listed((f"{each.title}: {note}" for each in shown.sections for note in each.notes), "muted"),
    )


def _cards(figures: Figures) -> Html:
    cards = []
    for style, arm in enumerate(figures.arms):
        items = joined(_items(figures, arm))
        if arm != figures.reference and items:
            heading = element(
                "h3", joined([arm_name(style, arm), element("span", f" over {figures.reference}", "muted")])
            )
            cards.append(Html(f'<div class="card">{heading}<dl>{items}</dl></div>'))
    return Html(f'<div class="cards">{joined(cards)}</div>') if cards else Html("")


def _items(figures: Figures, arm: str) -> Iterator[Html]:
    for words, subject, added in _CARD:
        found = figures.added(arm, subject) if added else figures.absolute(arm, subject)
        if found is None or (value := value_of(found)) is None:
            continue
        unit = unit_for(found["unit"], [value])
        yield _tile(words, Shown(*figure(found, unit, signed=added)), unit.name)


def _tile(words: str, shown: Shown, unit: str = "") -> Html:
    small = joined([" ", element("small", unit)]) if unit else ""
    big = element("span", joined([shown.value, small]), "big")
    ends = shown.interval.removeprefix("[").removesuffix("]")
    told = f"95 % interval {ends.replace(', ', ' to ')}" if ends != shown.interval else shown.interval
    return Html(f"<div><dt>{html(words)}</dt><dd>{big}<br>{_interval(told)}</dd></div>")


def _interval(text: str) -> Html:
    return element("span", text, "ci")


def _versus(figures: Figures, contrast: Contrast) -> Html:
    """What one arm's additions are of another's, as a card across the page."""
    sign = {arm: arm_name(style, arm) for style, arm in enumerate(figures.arms)}
    words = element("span", " against ", "muted")
    tiles = joined(_tile(label, shown) for label, shown in contrast.parts)
    heading = element("h3", joined([sign[contrast.arm], words, sign[contrast.against]]))
    return Html(f'<div class="card across">{heading}<dl>{tiles}</dl></div>')


def _table(shown: Headline) -> Html:
    head = ["", *(arm_name(style, arm) for style, arm in enumerate(shown.arms))]
    rows: list[list[object]] = []
    for each in shown.sections:
        rows.append([_group(each)])
        rows.extend([row.heading, *(_cell(figure_) for figure_ in row.figures)] for row in each.rows)
    return table(head, rows, "Every arm's figures, with 95 % intervals over rounds")


def _group(shown: Section) -> Html:
    return joined([shown.title, " ", element("span", shown.about, "muted")])


def _cell(shown: Shown) -> Html:
    return figure_cell(shown.value, shown.interval)
