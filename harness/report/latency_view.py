"""Latency by percentile on the page. It computes nothing."""

import math
from collections.abc import Sequence

from harness.analysis.series import (
    ByArm,
    Over,
    Series,
    latency_curves,
)
from harness.report.charts import Axis, Line, Spread, line_chart
from harness.report.elements import (
    Html,
    arm_legend,
    arm_name,
    details,
    pair,
    paragraph,
    picture,
    section,
    table,
)
from harness.report.figures import Figures
from harness.report.numbers import plain

_PERCENTILES = ((0.1, "10"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99"))
_CLOCKS = (
    ("response", "Response time", "from when the request was due to its last byte: what a user waits"),
    ("service", "Service time", "from when its bytes were written to its last byte: without waiting for a connection"),
)


def latency_section(name: str, title: str, figures: Figures, answers: ByArm) -> Html:
    """Both times by percentile, each with a table of the same."""
    pictures, tables = [], []
    for clock, words, about in _CLOCKS:
        curves = latency_curves(answers, "response" if clock == "response" else "service")
        if any(curve.points for curve in curves):
            pictures.append(_percentiles(f"{name}-{clock}", words, about, figures, curves))
            tables.append(_percentile_table(words, figures, curves))
    if not pictures:
        return Html("")
    return section(
        name,
        title,
        paragraph(
            "The line is the median over rounds of each round's own percentile; the band reaches from the least to the greatest round (it "
            "is no confidence interval). A line ends where the rows of a round no longer suffice (10 beyond the percentile)."
        ),
        arm_legend(figures.arms),
        pair(*pictures),
        details("The same as tables", *tables),
    )


def _percentiles(name: str, words: str, about: str, figures: Figures, curves: Sequence[Series]) -> Html:
    ends = [curve.points[-1].x for curve in curves if curve.points]
    shown = {q: label for q, label in _PERCENTILES if q <= max(ends)} | {max(ends): f"{100 * max(ends):g}"}
    ticks = tuple((_nines(q), label) for q, label in shown.items())
    lines = [
        Line(
            figures.arms.index(curve.arm),
            tuple(_percentile(curve.arm, point, len(curve.points)) for point in curve.points),
        )
        for curve in curves
        if curve.points
    ]
    x, y = Axis("percentile of requests (scale of nines)", ticks), Axis("µs (log scale)", log=True)
    described = f"One line per arm: {', '.join(figures.arms)}. The table below has the same figures."
    return picture(
        name,
        Html(f"<b>{words}</b>, {about}"),
        f"{words} by percentile",
        described,
        lambda width: line_chart(lines, x, y, width),
    )


def _nines(q: float) -> float:
    """−log10(1 − q): each further nine takes the same room."""
    return -math.log10(1 - q)


def _percentile(arm: str, point: Over, _points: int) -> Spread:
    marked = any(point.x == q for q, _ in _PERCENTILES)
    tip = f"{arm}, p{100 * point.x:g}: median of {point.rounds} rounds {plain(point.middle)} µs ({range_words(point)})"
    return Spread(_nines(point.x), point.middle, point.low, point.high, tip if marked else "")


def range_words(point: Over) -> str:
    """How far the rounds lie apart."""
    return f"rounds {plain(point.low)} to {plain(point.high)}"


def _percentile_table(words: str, figures: Figures, curves: Sequence[Series]) -> Html:
    shares = list(dict.fromkeys(point.x for curve in curves for point in curve.points))
    by_arm = {curve.arm: {point.x: point for point in curve.points} for curve in curves}
    rows = [
        [f"p{100 * q:g}", *(spread_cell(by_arm.get(arm, {}).get(q)) for arm in figures.arms)] for q in sorted(shares)
    ]
    return table(arms_head("percentile", figures), rows, f"{words} in µs: median over rounds (least to greatest round)")


def spread_cell(point: Over | None) -> str:
    """The median over rounds, with the least and greatest."""
    return f"{plain(point.middle)} ({plain(point.low)} to {plain(point.high)})" if point else "–"


def arms_head(first: str, figures: Figures) -> list[object]:
    """A table's head: `first`, then the arms."""
    return [first, *(arm_name(style, arm) for style, arm in enumerate(figures.arms))]
