"""A chart of changes: an estimate with its interval on each line, against a vertical line that means "no change"."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report.svg import Canvas, Scale, text_width

LINE = 24
TOP = 8.0
BELOW = 42


@dataclass(frozen=True, slots=True)
class Change:
    """One line: `style` decides marker and colour; without an interval there is only the marker. Values in the axis' unit."""

    label: str
    style: int
    estimate: float
    low: float | None
    high: float | None
    heading: str = ""
    tip: str = ""


def forest_chart(changes: Sequence[Change], label: str, width: float) -> Canvas:
    """All lines below one another on one scale, which holds zero; labels stand above their line where room is short."""
    above = width < 500
    step = LINE + (14 if above else 0)
    height = TOP + BELOW + sum(step + (22 if each.heading else 0) for each in changes)
    canvas = Canvas(width, height)
    left = 10.0 if above else 20 + max(text_width(each.label) for each in changes)
    scale = Scale(*_ends(changes), left, width - 12)
    for tick in scale.ticks(5):
        canvas.line((scale(tick), TOP), (scale(tick), height - BELOW + 4), "grid")
        canvas.text((scale(tick), height - 23), f"{tick:+.10g}".replace("-", "−") if tick else "0", "tick", "middle")
    canvas.line((scale(0.0), TOP), (scale(0.0), height - BELOW + 4), "frame")
    canvas.text(((left + width) / 2, height - 5), label, "axis", "middle")
    top = TOP
    for each in changes:
        if each.heading:
            canvas.text((8, top + 15), each.heading, "strong")
            top += 22
        _line(canvas, each, scale, top, above=above)
        top += step
    return canvas


def _ends(changes: Sequence[Change]) -> tuple[float, float]:
    values = [end for each in changes for end in (each.estimate, each.low, each.high, 0.0) if end is not None]
    finite = [value for value in values if math.isfinite(value)]
    room = (max(finite) - min(finite)) * 0.06 or 1.0
    return min(finite) - room, max(finite) + room


def _line(canvas: Canvas, each: Change, scale: Scale, top: float, *, above: bool) -> None:
    canvas.text((8, top + (12 if above else 16)), each.label)
    y = top + (22 if above else 12)
    if each.low is not None and each.high is not None:
        css = f"line s{each.style % 6}"
        canvas.line((scale(each.low), y), (scale(each.high), y), css)
        for end in (each.low, each.high):
            canvas.line((scale(end), y - 4), (scale(end), y + 4), css)
    canvas.marker((scale(each.estimate), y), each.style, f"mark f{each.style % 6} s{each.style % 6}", each.tip)
