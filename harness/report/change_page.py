"""A comparison as one self-contained page, or as sections of a report: no script, no network, the same bytes for the same comparison.

It computes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.report.change_table import Place, Relative, Row, claims, places, reading, sides
from harness.report.elements import (
    Html,
    arm_name,
    element,
    figure_cell,
    joined,
    listed,
    paragraph,
    picture,
    section,
    table,
)
from harness.report.forest import Change, forest_chart
from harness.report.page import document as page
from harness.report.table import Shown

Document = Mapping[str, Any]  # Any: a comparison


def render(document: Document) -> str:
    """The page of what `compare_results` returned."""
    title = f"What changed: {document['before']['experiment']}"
    body = [
        element("h1", title),
        paragraph(f"From {document['before']['name']} to {document['after']['name']}", "lead"),
        _state(document["validity"]),
        _replay(document.get("replay")),
        _sections(document, ""),
        section("reading", "How to read this", listed(reading(document))),
    ]
    return page(title, joined(body))


def changes_part(name: str, title: str, document: Document) -> Html:
    """The comparison inside the report of its second result."""
    return joined(
        [
            section(name, title, _state(document["validity"]), listed(reading(document))),
            _sections(document, f"{name}-"),
        ]
    )


def _sections(document: Document, prefix: str) -> Html:
    changed = (_place_section(document, place, f"{prefix}{index}") for index, place in enumerate(places(document)))
    return joined([*changed, _results_section(document)])


def _state(validity: Document) -> Html:
    if validity["valid"]:
        banner = _banner("good", "✓ Valid", paragraph("Both results may be used, and they may be compared."))
    else:
        banner = _banner("bad", "✕ Invalid: don't use the figures below", listed(validity["reasons"]))
    return (
        joined([banner, _banner("warn", "To keep in mind", listed(validity["warnings"]))])
        if validity["warnings"]
        else banner
    )


def _replay(replay: Document | None) -> Html:
    if replay is None:
        return Html("")
    css = {"within": "good", "outside": "bad", "inconclusive": "warn"}[replay["outcome"]]
    told = f"Every claim is held against ±{100 * replay['margin']:g} % of what it was."
    rows = [[label, _figure(change), margin, outcome] for label, change, margin, outcome in claims(replay)]
    claimed = table(["claim", "change", "margin", "outcome"], rows, "The claims of the first result, measured again")
    return joined([_banner(css, f"Replay: {replay['outcome']}", paragraph(told)), section("claims", "Claims", claimed)])


def _banner(css: str, title: str, *content: object) -> Html:
    return Html(f'<div class="state {css}">{joined([element("strong", title), *content])}</div>')


def _place_section(document: Document, place: Place, index: str) -> Html:
    first, second = sides(document)
    head = ["", first, second, "change" if first == "before" else "difference", "ratio", "95 % interval says"]
    styles = {arm: style for style, arm in enumerate(document["arms"])}
    rows = [row for arm, of in place.arms for row in ([arm_name(styles[arm], arm)], *map(_cells, of))]
    return section(
        f"changes-{index}",
        f"{'Changes' if first == 'before' else f'{first.capitalize()} and {second}'} · {place.topology} · {place.load}",
        paragraph(f"Differences are {second} minus {first}; brackets are 95 % intervals over rounds.", "muted"),
        _picture(f"forest-{index}", place.relative),
        table(head, rows, f"Every arm: {first} and {second}, {place.topology} at {place.load}"),
    )


def _cells(row: Row) -> Sequence[object]:
    return [row.label, *(_figure(each) for each in (row.before, row.after, row.change, row.ratio)), row.words]


def _figure(shown: Shown) -> Html:
    return figure_cell(shown.value, shown.interval)


def _picture(name: str, relative: Sequence[Relative]) -> Html:
    if not relative:
        return Html("")
    changes = [
        Change(
            each.label,
            each.style,
            100 * each.estimate,
            None if each.low is None else 100 * each.low,
            None if each.high is None else 100 * each.high,
            heading=each.arm if index == 0 or relative[index - 1].arm != each.arm else "",
            tip=f"{each.arm}, {each.label}: {100 * each.estimate:+.1f} %",
        )
        for index, each in enumerate(relative)
    ]
    return picture(
        name,
        "How each arm's own figures differ, in per cent of the first",
        "Differences in per cent, with 95 % intervals",
        "One line per arm and figure; an interval that touches the upright line at zero shows none. The table below has the figures.",
        lambda width: forest_chart(changes, "difference, %", width),
        wide=760.0,
    )


def _results_section(document: Document) -> Html:
    before, after, (first, second) = document["before"], document["after"], sides(document)
    differs = [[each["where"], each["before"], each["after"]] for each in document["differs"]]
    return section(
        "results",
        "The two results",
        table(["", first, second], _facts(before, after), "What was compared", "words"),
        table(["differs", first, second], differs, "What differs beside the figures, and may be the cause", "words")
        if differs
        else paragraph("Programs, instrument and machine are the same in both."),
        listed(
            f"only {side}, so not compared: {', '.join(arms)}"
            for side, arms in ((first, document["only_before"]), (second, document["only_after"]))
            if arms
        ),
    )


def _facts(before: Document, after: Document) -> Iterator[list[object]]:
    for label, key in (
        ("result", "name"),
        ("experiment", "experiment"),
        ("started (UTC)", "started_utc"),
        ("instrument", "instrument"),
        ("comparison key", "comparison_key"),
        ("reference", "reference"),
    ):
        yield [label, before[key] or "–", after[key] or "–"]
    yield ["rounds that count", _rounds(before), _rounds(after)]


def _rounds(side: Document) -> str:
    return ", ".join(f"{each['valid']} of {each['planned']}" for each in side["rounds"])
