"""Latency on the page: by percentile, over the window, and round by round. It computes nothing."""

import math
from collections.abc import Sequence

from harness.analysis.series import (
    ByArm,
    Over,
    Series,
    latency_curves,
    quantile_over_time,
    rate_over_time,
    slot_s,
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
    tip = f"{arm}, p{100 * point.x:g}: median of {point.rounds} rounds {plain(point.middle)} µs ({_range(point)})"
    return Spread(_nines(point.x), point.middle, point.low, point.high, tip if marked else "")


def _range(point: Over) -> str:
    return f"rounds {plain(point.low)} to {plain(point.high)}"


def _percentile_table(words: str, figures: Figures, curves: Sequence[Series]) -> Html:
    shares = list(dict.fromkeys(point.x for curve in curves for point in curve.points))
    by_arm = {curve.arm: {point.x: point for point in curve.points} for curve in curves}
    rows = [
        [f"p{100 * q:g}", *(_spread_cell(by_arm.get(arm, {}).get(q)) for arm in figures.arms)] for q in sorted(shares)
    ]
    return table(_head("percentile", figures), rows, f"{words} in µs: median over rounds (least to greatest round)")


def _spread_cell(point: Over | None) -> str:
    return f"{plain(point.middle)} ({plain(point.low)} to {plain(point.high)})" if point else "–"


def _head(first: str, figures: Figures) -> list[object]:
    return [first, *(arm_name(style, arm) for style, arm in enumerate(figures.arms))]


def time_section(name: str, title: str, figures: Figures, answers: ByArm, window_s: float) -> Html:
    """Median, a high percentile and the rate over the window."""
    width = slot_s(window_s)
    slot = "second" if width == 1 else f"{width} s"
    median = quantile_over_time(answers, "response", 0.5, window_s)
    high = next(
        ((q, found) for q in (0.99, 0.9) if _whole(found := quantile_over_time(answers, "response", q, window_s))), None
    )
    drawn = [("p50", f"<b>p50</b> of response time in each {slot}", "µs", median)]
    if high:
        drawn.append(
            (f"p{100 * high[0]:g}", f"<b>p{100 * high[0]:g}</b> of response time in each {slot}", "µs", high[1])
        )
    drawn.append(("rate", f"<b>Answered requests</b> in each {slot}", "requests/s", rate_over_time(answers, window_s)))
    pictures = [
        _over_time(f"{name}-{key}", Html(caption), unit, figures, series)
        for key, caption, unit, series in drawn
        if any(s.points for s in series)
    ]
    highest = f"p{100 * high[0]:g}" if high else "p50"
    return section(
        name,
        title,
        paragraph(
            f"Each point is taken from the rows of one {slot}, round by round: the line is their median, the band the least and the "
            f"greatest round. The highest percentile whose rows suffice in one {slot} is {highest}."
        ),
        arm_legend(figures.arms),
        pair(*pictures),
        details("The same as tables", *(_time_table(key, unit, figures, series) for key, _, unit, series in drawn)),
    )


def _whole(series: Sequence[Series]) -> bool:
    lengths = {len(each.points) for each in series}
    return len(lengths) == 1 and lengths != {0}


def _over_time(name: str, caption: Html, unit: str, figures: Figures, series: Sequence[Series]) -> Html:
    lines = [
        Line(figures.arms.index(each.arm), tuple(_second(each.arm, point, unit) for point in each.points))
        for each in series
        if each.points
    ]
    starts = sorted({point.x for each in series for point in each.points})
    ticks = tuple((start, f"{start:g}") for start in starts[:: max(1, math.ceil(len(starts) / 12))])
    x, y = Axis("s since the window's start", ticks), Axis(unit, from_zero=True)
    return picture(
        name,
        caption,
        f"{unit} over the window",
        "One line per arm; the table below has the same figures.",
        lambda width: line_chart(lines, x, y, width, 220),
    )


def _second(arm: str, point: Over, unit: str) -> Spread:
    tip = f"{arm}, from {point.x:g} s: median of {point.rounds} rounds {plain(point.middle)} {unit} ({_range(point)})"
    return Spread(point.x, point.middle, point.low, point.high, tip)


def _time_table(key: str, unit: str, figures: Figures, series: Sequence[Series]) -> Html:
    by_arm = {each.arm: {point.x: point for point in each.points} for each in series}
    starts = sorted({point.x for each in series for point in each.points})
    rows = [[f"{start:g}", *(_spread_cell(by_arm.get(arm, {}).get(start)) for arm in figures.arms)] for start in starts]
    return table(_head("from (s)", figures), rows, f"{key} in {unit}: median over rounds (least to greatest round)")
