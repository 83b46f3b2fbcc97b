"""Charts draw what they are given, inside their canvas, distinguishable without colour."""

import re

import pytest

from harness.report.charts import (
    Axis,
    Level,
    Line,
    Segment,
    Spread,
    Stack,
    line_chart,
    round_chart,
    round_number,
    stacked_bars,
)
from harness.report.svg import Canvas

X, Y = Axis("percentile", ((0.0, "0"), (1.0, "90"), (2.0, "99"))), Axis("µs (log scale)", log=True)


def line(style: int, height: float = 500.0) -> Line:
    return Line(
        style, tuple(Spread(x, height * (1 + x), height, height * (1.5 + x), f"at {x}") for x in (0.0, 1.0, 2.0))
    )


def inside(canvas: Canvas) -> bool:
    svg = "".join(canvas.parts)
    points = [pair.split(",") for found in re.findall(r'points="([^"]*)"', svg) for pair in found.split()]
    return all(0 <= float(x) <= canvas.width and 0 <= float(y) <= canvas.height for x, y in points)


@pytest.mark.parametrize("width", [590.0, 340.0])
def test_a_line_chart_has_bands_dashes_markers_and_both_labels(width: float) -> None:
    canvas = line_chart([line(0), line(1, 800.0)], X, Y, width)
    svg = "".join(canvas.parts)
    assert svg.count("<polygon") == 2
    assert svg.count("stroke-dasharray") == 1
    assert svg.count("<title>at") == 6
    assert ">percentile<" in svg
    assert ">µs (log scale)<" in svg
    assert inside(canvas)


def test_one_point_and_equal_values_can_be_drawn() -> None:
    flat = Line(0, (Spread(1.0, 5.0, 5.0, 5.0, "alone"),))
    assert inside(line_chart([flat], Axis("x"), Axis("y"), 340.0))
    zero = Line(0, (Spread(1.0, 0.0, 0.0, 0.0),))
    assert inside(line_chart([zero], Axis("x"), Axis("y", from_zero=True), 340.0))


def test_a_chart_of_rounds_shows_dots_estimate_and_interval() -> None:
    dots = Line(1, tuple(Spread(float(n), 400.0 + n, 400.0 + n, 400.0 + n, f"round {n}") for n in range(1, 9)))
    svg = "".join(round_chart([dots], [Level(1, 404.0, 401.0, 407.0)], Axis("round"), Axis("µs"), 590.0).parts)
    assert svg.count("<title>round") == 8
    assert svg.count('class="band f1"') == 1
    bare = "".join(round_chart([dots], [Level(1, 404.0, None, None)], Axis("round"), Axis("µs"), 590.0).parts)
    assert "band" not in bare


@pytest.mark.parametrize("width", [900.0, 340.0])
def test_bars_are_as_long_as_their_parts(width: float) -> None:
    parts = (Segment(100.0, "p-leg1", "first"), Segment(300.0, "p-leg2", "second"))
    svg = "".join(stacked_bars([Stack("arm", 0, parts, "400", "a → b")], "mean µs", width).parts)
    first, second = (float(w) for w in re.findall(r'class="p-leg\d" [^>]*width="([\d.]+)"', svg))
    assert second == pytest.approx(3 * first, rel=0.01)
    assert ">400<" in svg
    assert ">a → b<" in svg


def test_no_cost_at_all_is_a_bar_of_no_length() -> None:
    svg = "".join(stacked_bars([Stack("arm", 0, (Segment(0.0, "p-app", ""),), "0")], "ms", 590.0).parts)
    assert 'width="0"' in svg


def test_ticks_have_no_digits_of_binary_fractions() -> None:
    assert [round_number(v) for v in (0.1 + 0.2, 50.0, 12_000.0, -5.0)] == ["0.3", "50", "12,000", "−5"]
