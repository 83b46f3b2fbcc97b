"""Latency and rate over the window on the page. It computes nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.series import ByArm, Over, Series, quantile_over_time, rate_over_time, slot_s
from harness.report.charts import Axis, Line, Spread, line_chart
from harness.report.elements import Html, arm_legend, details, pair, paragraph, picture, section, table
from harness.report.figures import Figures
from harness.report.latency_view import arms_head, range_words, spread_cell
from harness.report.numbers import plain


@dataclass(frozen=True, slots=True)
class _Track:
    """One chart: its key, what it is, its unit, and a line per arm."""

    key: str
    caption: str
    unit: str
    series: tuple[Series, ...]


def time_section(name: str, title: str, figures: Figures, answers: ByArm, window_s: float) -> Html:
    """Median, a high percentile and the rate over the window."""
    width = slot_s(window_s)
    slot = "second" if width == 1 else f"{width} s"
    tracks = [track for track in _tracks(answers, window_s, slot) if any(each.points for each in track.series)]
    return section(
        name,
        title,
        paragraph(
            f"Each point is taken from the rows of one {slot}, round by round: the line is their median, the band the least and the "
            f"greatest round. Percentiles for which the rows of one {slot} don't suffice (10 beyond the percentile) aren't drawn."
        ),
        arm_legend(figures.arms),
        pair(*(_chart(f"{name}-{track.key}", figures, track) for track in tracks)),
        details("The same as tables", *(_table(figures, track) for track in tracks)),
    )


def _tracks(answers: ByArm, window_s: float, slot: str) -> list[_Track]:
    """p50, then p99 or, where its rows don't suffice in every slot, p90, then the rate."""
    quantiles = {q: quantile_over_time(answers, "response", q, window_s) for q in (0.5, 0.9, 0.99)}
    high = 0.99 if _whole(quantiles[0.99]) else 0.9
    tracks = [
        _Track(f"p{100 * q:g}", f"<b>p{100 * q:g}</b> of response time in each {slot}", "µs", quantiles[q])
        for q in (0.5, high)
    ]
    rate = rate_over_time(answers, window_s)
    return [*tracks, _Track("rate", f"<b>Answered requests</b> by due time, in each {slot}", "requests/s", rate)]


def _whole(series: Sequence[Series]) -> bool:
    lengths = {len(each.points) for each in series}
    return len(lengths) == 1 and lengths != {0}


def _chart(name: str, figures: Figures, track: _Track) -> Html:
    lines = [
        Line(figures.arms.index(each.arm), tuple(_point(each.arm, point, track.unit) for point in each.points))
        for each in track.series
        if each.points
    ]
    starts = sorted({point.x for each in track.series for point in each.points})
    ticks = tuple((start, f"{start:g}") for start in starts[:: max(1, math.ceil(len(starts) / 12))])
    x, y = Axis("s since the window's start", ticks), Axis(track.unit, from_zero=True)
    return picture(
        name,
        Html(track.caption),
        f"{track.key} over the window, {track.unit}",
        "One line per arm; the table below has the same figures.",
        lambda width: line_chart(lines, x, y, width, 220),
    )


def _point(arm: str, point: Over, unit: str) -> Spread:
    tip = f"{arm}, from {point.x:g} s: median of {point.rounds} rounds {plain(point.middle)} {unit} ({range_words(point)})"
    return Spread(point.x, point.middle, point.low, point.high, tip)


def _table(figures: Figures, track: _Track) -> Html:
    by_arm = {each.arm: {point.x: point for point in each.points} for each in track.series}
    starts = sorted({point.x for each in track.series for point in each.points})
    rows = [[f"{start:g}", *(spread_cell(by_arm.get(arm, {}).get(start)) for arm in figures.arms)] for start in starts]
    caption = f"{track.key} in {track.unit}: median over rounds (least to greatest round)"
    return table(arms_head("from (s)", figures), rows, caption)
