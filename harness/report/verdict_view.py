"""The top of the page of a judged result: the verdict, every check against its budget as a picture, and the same as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

from harness.report.elements import Html, element, figure_cell, paragraph, picture, section, table
from harness.report.overview import banner
from harness.report.svg import Canvas, Scale, text_width
from harness.report.verdict_table import Check, by_weight, measured, several_cells, subject

_CSS = {"GO": "good", "NO-GO": "bad", "HOLD": "warn", "INCONCLUSIVE": "warn"}
_SIGN = {"GO": "✓", "NO-GO": "✕", "HOLD": "…", "INCONCLUSIVE": "?"}
_MARK = {"pass": "✓ pass", "fail": "✕ fail", "inconclusive": "? inconclusive", "invalid": "✕ invalid"}
_MEANING = {
    "GO": "Every rule is kept, with each whole 95 % interval inside its budget.",
    "NO-GO": "At least one figure is beyond its budget, by its 95 % interval and corrected for the number of checks.",
    "HOLD": "No rule is broken, but not every interval lies wholly inside its budget. More rounds make intervals narrower.",
    "INCONCLUSIVE": "Something that a rule asks for was not measured well enough to be judged.",
}

ROW, TOP, BOTTOM, GAP, MARGIN = 24.0, 22.0, 40.0, 12.0, 16.0
LEAST, LEAST_OF_TWO_SIDES, MOST = -0.25, -1.25, 2.0
"""Ends of the axis, in budgets; what lies beyond is drawn to the edge, with an arrow."""


def verdict_banner(summary: Mapping[str, Any]) -> Html:
    """The verdict in one word and one sentence; nothing if no rules were asked for."""
    found = summary.get("verdict")
    if not found:
        return Html("")
    why = f"{summary['verdict_why'][:1].upper()}{summary['verdict_why'][1:]}."
    return banner(_CSS[found], f"{_SIGN[found]} {found}", paragraph(why), paragraph(_MEANING[found]))


def verdict_section(name: str, title: str, summary: Mapping[str, Any]) -> Html:
    """Every check, with the budget and what was measured."""
    checks = by_weight(summary["verdicts"])
    if not checks:
        return Html("")
    with_cell = several_cells(checks)
    told = "Brackets are 95 % intervals over rounds. A check passes if its whole interval is allowed, and fails if none of it is."
    return section(name, title, paragraph(told, "muted"), _picture(name, checks, with_cell), _table(checks, with_cell))


def _table(checks: Sequence[Check], with_cell: bool) -> Html:
    head = ["Rule", "Outcome", "Measured", "Allowed", "What it asks, or why it didn't pass"]
    rows = [
        (
            subject(each, cell=with_cell),
            element("span", _MARK.get(each["outcome"], each["outcome"]), f"outcome {each['outcome']}"),
            figure_cell(*measured(each)) if each["estimate"] is not None else "–",
            each["allowed"],
            each["asks"] if each["outcome"] == "pass" else each["why"],
        )
        for each in checks
    ]
    return table(head, rows, "Every check: what was measured, what is allowed, and the outcome", "words")


def _picture(name: str, checks: Sequence[Check], with_cell: bool) -> Html:
    """Intervals in budgets, so that all rules share one axis; rules without an upper bound are only in the table."""
    drawn = [each for each in checks if each["low"] is not None and each["max"] and each["outcome"] != "invalid"]
    if not drawn:
        return Html("")
    return picture(
        name,
        "Measured as a share of what is allowed: the line at 1 is the budget, the shaded side is allowed",
        "Checks against their budgets",
        "One horizontal interval per check; those wholly left of the line at 1 pass. The table below has the figures.",
        lambda width: _bars(drawn, with_cell, width),
        wide=900.0,
    )


def _bars(checks: Sequence[Check], with_cell: bool, width: float) -> Canvas:
    labels = [subject(each, cell=with_cell) for each in checks]
    room = max(text_width(label) for label in labels) + GAP
    beside = room < width / 2
    row = ROW if beside else 2 * ROW - 8
    bottom = TOP + row * len(checks)
    canvas = Canvas(width, bottom + BOTTOM)
    two_sides = any((each["min"] or 0) < 0 for each in checks)
    x = Scale(LEAST_OF_TWO_SIDES if two_sides else LEAST, MOST, room if beside else MARGIN, width - MARGIN)
    for n, each in enumerate(checks):
        start = x(max(x.low, each["min"] / each["max"] if each["min"] else x.low))
        canvas.rect((start, TOP + n * row + 1), (x(1) - start, row - 2), "allowed")
    _axis(canvas, x, bottom)
    for n, (each, label) in enumerate(zip(checks, labels, strict=True)):
        top = TOP + n * row
        canvas.text((room - GAP, top + 16) if beside else (MARGIN, top + 15), label, "", "end" if beside else "start")
        _bar(canvas, each, x, top + (12 if beside else 28))
    return canvas


def _axis(canvas: Canvas, x: Scale, bottom: float) -> None:
    for tick in x.ticks(7):
        canvas.line((x(tick), TOP), (x(tick), bottom), "grid")
        canvas.text((x(tick), bottom + 16), f"{tick:g}".replace("-", "−"), "tick", "middle")
    canvas.line((x(1), TOP), (x(1), bottom), "limit")
    canvas.text((x(1), TOP - 8), "budget", "tick strong", "middle")
    canvas.text((x((x.low + x.high) / 2), bottom + 34), "measured ÷ allowed", "axis", "middle")


def _bar(canvas: Canvas, check: Check, x: Scale, y: float) -> None:
    """The interval and the estimate; an end beyond the axis gets an arrow."""
    low, middle, high = (check[key] / check["max"] for key in ("low", "estimate", "high"))
    left, right = (x(min(x.high, max(x.low, end))) for end in (low, high))
    canvas.line((left, y), (max(right, left + 2), y), f"judged {check['outcome']}")
    if x.low <= middle <= x.high:
        canvas.rect(
            (x(middle) - 1.5, y - 6), (3, 12), f"judged-end {check['outcome']}", f"{subject(check)}: {check['why']}"
        )
    if high > x.high:
        canvas.text((x(x.high) + 2, y + 5), "▸", "strong")
    if low < x.low:
        canvas.text((x(x.low) - 2, y + 5), "◂", "strong", "end")
