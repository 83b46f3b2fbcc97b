"""Charts over series: latency by percentile, time series, rounds, stacked bars. It draws what it is given and computes nothing
but positions; units and words come from the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.report.svg import DASHES, Canvas, Scale, text_width

ROW = 26
BAR = 16


def round_number(value: float) -> str:
    """A tick's label: no digit that a round number doesn't have."""
    return f"{value:,.10g}".replace("-", "−")


@dataclass(frozen=True, slots=True)
class Spread:
    """One place on the horizontal axis: the middle over rounds, with the least and the greatest round, and a tooltip."""

    x: float
    middle: float
    low: float
    high: float
    tip: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One arm's line; `style` is the arm's place in the experiment and decides colour, dash and marker."""

    style: int
    points: tuple[Spread, ...]


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis with its label (unit included). Without `ticks` round values are found; `written` writes them."""

    label: str
    ticks: tuple[tuple[float, str], ...] = ()
    log: bool = False
    from_zero: bool = False
    written: Callable[[float], str] = round_number


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: `css` is its class, `tip` its tooltip."""

    value: float
    css: str
    tip: str


@dataclass(frozen=True, slots=True)
class Stack:
    """A horizontal bar: its label, the style of its arm, its parts and what stands at its end."""

    label: str
    style: int
    segments: tuple[Segment, ...]
    end: str
    heading: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """An estimate with its interval, drawn across a chart of rounds."""

    style: int
    estimate: float
    low: float | None
    high: float | None


def line_chart(lines: Sequence[Line], x: Axis, y: Axis, width: float, height: float = 300) -> Canvas:
    """Lines with bands from the least to the greatest round; markers where a point has a tooltip."""
    canvas = Canvas(width, height)
    x_scale, y_scale = _frame(canvas, lines, x, y, ())
    for line in lines:
        upper = [(x_scale(p.x), y_scale(p.high)) for p in line.points]
        lower = [(x_scale(p.x), y_scale(p.low)) for p in reversed(line.points)]
        canvas.polygon(upper + lower, f"band f{line.style % 6}")
    for line in lines:
        path = [(x_scale(p.x), y_scale(p.middle)) for p in line.points]
        canvas.polyline(path, f"line s{line.style % 6}", DASHES[line.style % len(DASHES)])
        for point in line.points:
            if point.tip:
                at = (x_scale(point.x), y_scale(point.middle))
                canvas.marker(at, line.style, f"mark f{line.style % 6} s{line.style % 6}", point.tip)
    return canvas


def round_chart(lines: Sequence[Line], levels: Sequence[Level], x: Axis, y: Axis, width: float) -> Canvas:
    """A dot per round and arm, over the estimate and its interval."""
    canvas = Canvas(width, 260)
    extra = [end for level in levels for end in (level.estimate, level.low, level.high) if end is not None]
    x_scale, y_scale = _frame(canvas, lines, x, y, extra)
    for level in levels:
        left, right = x_scale.start, x_scale.end
        if level.low is not None and level.high is not None:
            top, bottom = y_scale(level.high), y_scale(level.low)
            canvas.rect((left - 8, top), (right - left + 16, max(1.0, bottom - top)), f"band f{level.style % 6}")
        at = y_scale(level.estimate)
        canvas.polyline(
            [(left - 8, at), (right + 8, at)], f"thin s{level.style % 6}", DASHES[level.style % len(DASHES)]
        )
    for line in lines:
        for point in line.points:
            at_point = (x_scale(point.x), y_scale(point.middle))
            canvas.marker(at_point, line.style, f"mark f{line.style % 6} s{line.style % 6}", point.tip, 4.5)
    return canvas


def _frame(canvas: Canvas, lines: Sequence[Line], x: Axis, y: Axis, extra: Sequence[float]) -> tuple[Scale, Scale]:
    """Axes, grid and labels; the scales that place what is drawn on them."""
    x_values = [tick for tick, _ in x.ticks] + [point.x for line in lines for point in line.points]
    y_values = [end for line in lines for point in line.points for end in (point.low, point.high)] + list(extra)
    low, high = _padded(y_values, y)
    right, bottom = canvas.width - 14, canvas.height - 44
    rough = Scale(low, high, bottom, 12, y.log)
    left = 34 + max(text_width(y.written(tick), 12) for tick in rough.ticks())
    y_scale, x_scale = rough, Scale(min(x_values), max(x_values), left + 10, right - 8)
    for tick in y_scale.ticks():
        canvas.line((left, y_scale(tick)), (right, y_scale(tick)), "grid")
        canvas.text((left - 6, y_scale(tick) + 4), y.written(tick), "tick", "end")
    for value, label in x.ticks or tuple((tick, x.written(tick)) for tick in x_scale.ticks(8)):
        canvas.line((x_scale(value), bottom), (x_scale(value), bottom + 4), "frame")
        canvas.text((x_scale(value), bottom + 18), label, "tick", "middle")
    canvas.line((left, bottom), (right, bottom), "frame")
    canvas.text(((left + right) / 2, canvas.height - 6), x.label, "axis", "middle")
    canvas.upright_text((13, (bottom + 12) / 2), y.label)
    return x_scale, y_scale


def _padded(values: Sequence[float], axis: Axis) -> tuple[float, float]:
    low, high = min(values), max(values)
    if axis.log:
        return low / 1.12, high * 1.12
    if axis.from_zero:
        return min(0.0, low), high * 1.08 if high > 0 else 1.0
    room = (high - low) * 0.12 or max(abs(high) * 0.1, 1.0)
    return low - room, high + room


def stacked_bars(stacks: Sequence[Stack], label: str, width: float) -> Canvas:
    """Horizontal bars of parts, from zero; a heading starts a group. Labels stand above the bars where room is short."""
    above = width < 500
    step = ROW + (16 if above else 0)
    height = 44 + sum(step + (24 if stack.heading else 0) for stack in stacks)
    canvas = Canvas(width, height)
    left = 8.0 if above else 38 + max(text_width(stack.label) for stack in stacks)
    room = max(text_width(stack.end, 12) for stack in stacks) + 12
    longest = max(sum(segment.value for segment in stack.segments) for stack in stacks)
    scale = Scale(0.0, longest or 1.0, left, width - room)
    top = 4.0
    for tick in scale.ticks(5 if width > 500 else 4):
        canvas.line((scale(tick), top), (scale(tick), height - 38), "grid")
        canvas.text((scale(tick), height - 23), round_number(tick), "tick", "middle")
    canvas.text(((left + width - room) / 2, height - 5), label, "axis", "middle")
    for stack in stacks:
        if stack.heading:
            canvas.text((8, top + 16), stack.heading, "strong")
            top += 24
        _bar(canvas, stack, scale, top, above=above)
        top += step
    canvas.line((left, 4), (left, height - 38), "frame")
    return canvas


def _bar(canvas: Canvas, stack: Stack, scale: Scale, top: float, *, above: bool) -> None:
    name_y = top + (12 if above else 17)
    name_x = 32.0 if above else 26.0
    canvas.marker((name_x - 12, name_y - 4), stack.style, f"mark f{stack.style % 6} s{stack.style % 6}")
    canvas.text((name_x, name_y), stack.label)
    bar_top = top + (16 if above else 4)
    at = 0.0
    for segment in stack.segments:
        start, end = scale(at), scale(at + segment.value)
        canvas.rect((start, bar_top), (max(0.0, end - start), BAR), segment.css, segment.tip)
        at += segment.value
    canvas.text((scale(at) + 6, bar_top + 12), stack.end, "tick")
