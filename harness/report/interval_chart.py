"""Estimates with their intervals, one line each, from zero to both sides. It draws what it is given and computes nothing but positions."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.charts import round_number
from harness.report.svg import Canvas, Scale, text_width

LINE = 17
GAP = 12
BOTTOM = 44


@dataclass(frozen=True, slots=True)
class Mark:
    """An estimate; `style` is the arm's place and decides colour and sign; without an interval `low` and `high` are None."""

    style: int
    value: float
    low: float | None
    high: float | None
    tip: str


@dataclass(frozen=True, slots=True)
class Group:
    """The marks of one line's label, one below the other."""

    label: str
    marks: tuple[Mark, ...]


def interval_chart(groups: Sequence[Group], axis: str, width: float) -> Canvas:
    """Groups from top to bottom; labels stand above their marks where room is short."""
    above = width < 500
    height = BOTTOM + sum(_height(group, above=above) for group in groups)
    canvas = Canvas(width, height)
    left = 8.0 if above else 16 + max(text_width(group.label) for group in groups)
    scale = _scale(groups, left, width - 14)
    bottom = height - BOTTOM + 6
    for tick in scale.ticks(5 if above else 7):
        canvas.line((scale(tick), 4), (scale(tick), bottom), "grid")
        canvas.text((scale(tick), bottom + 15), round_number(tick), "tick", "middle")
    canvas.line((scale(0), 4), (scale(0), bottom), "frame")
    canvas.text(((left + width - 14) / 2, height - 5), axis, "axis", "middle")
    top = 4.0
    for group in groups:
        _draw(canvas, group, scale, top, above=above)
        top += _height(group, above=above)
    return canvas


def _height(group: Group, *, above: bool) -> float:
    return LINE * max(1, len(group.marks)) + GAP + (LINE if above else 0)


def _scale(groups: Sequence[Group], start: float, end: float) -> Scale:
    ends = [end_ for group in groups for mark in group.marks for end_ in (mark.value, mark.low, mark.high)]
    values = [0.0, *(value for value in ends if value is not None)]
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 1.0
    return Scale(low - room, high + room, start + 6, end)


def _draw(canvas: Canvas, group: Group, scale: Scale, top: float, *, above: bool) -> None:
    canvas.text((8, top + (13 if above else LINE * max(1, len(group.marks)) / 2 + 5)), group.label, "halo")
    for index, mark in enumerate(group.marks):
        y = top + LINE * (index + 0.5) + (LINE if above else 0)
        css = mark.style % 6
        if mark.low is not None and mark.high is not None:
            canvas.line((scale(mark.low), y), (scale(mark.high), y), f"line s{css}")
        canvas.marker((scale(mark.value), y), mark.style, f"mark f{css} s{css}", mark.tip)
