"""Scales, ticks and escaping: what every picture stands on."""

import math

import pytest

from harness.report.svg import Canvas, Scale, escaped, linear_ticks, log_ticks, number


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0, 7, [0, 2, 4, 6]),
        (398, 431, [400, 410, 420, 430]),
        (-30, 30, [-20, 0, 20]),
        (5, 5, [5]),
    ],
)
def test_linear_ticks_are_round_and_inside(low: float, high: float, expected: list[float]) -> None:
    assert linear_ticks(low, high) == expected


@pytest.mark.parametrize(("low", "high"), [(480, 4300), (100, 110), (1, 1e6), (37, 39), (0.2, 0.9)])
def test_log_ticks_are_inside_increasing_and_enough(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert len(ticks) >= 2
    assert ticks == sorted(set(ticks))
    assert all(low * 0.99 <= tick <= high * 1.01 for tick in ticks)


def test_a_scale_runs_from_end_to_end_also_when_logarithmic_or_constant() -> None:
    assert [Scale(0, 10, 100, 0)(value) for value in (0, 5, 10)] == [100, 50, 0]
    assert Scale(10, 1000, 0, 100, log=True)(100) == pytest.approx(50)
    assert Scale(3, 3, 0, 100)(3) == 50


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, "1"), (1.25, "1.2"), (-0.01, "0"), (0.0, "0"), (-3.04, "-3"), (10.0, "10"), (-10.5, "-10.5")],
)
def test_coordinates_are_short(value: float, expected: str) -> None:
    assert number(value) == expected


def test_text_is_made_harmless_and_encodable() -> None:
    assert escaped("<b a=\"x\" b='y'>&") == "&lt;b a=&quot;x&quot; b=&#x27;y&#x27;&gt;&amp;"
    assert escaped("a\x00b\ud800c\x1bd") == "a\ufffdb\ufffdc\ufffdd"
    escaped("\ud800").encode()


def test_markers_of_arms_differ_in_shape() -> None:
    canvas = Canvas(10, 10)
    for index in range(8):
        canvas.marker((5, 5), index, "mark")
    assert len(set(canvas.parts)) == 8


def test_a_picture_has_title_and_description() -> None:
    svg = Canvas(10, 20).svg("p", "A <title>", "What it shows")
    assert 'aria-labelledby="p-t p-d"' in svg
    assert '<title id="p-t">A &lt;title&gt;</title><desc id="p-d">What it shows</desc>' in svg
    assert math.isclose(float(svg.split('width="')[1].split('"')[0]), 10)
