"""Rounds on the page: each round's paired difference, so that a reader sees of what an estimate is made. It computes nothing."""

import math
from collections.abc import Sequence

from harness.analysis.series import ByArm, RoundShifts, round_shifts
from harness.report.charts import Axis, Level, Line, Spread, round_chart
from harness.report.elements import Html, arm_name, details, joined, pair, paragraph, picture, section, table
from harness.report.figures import Figures, Subject
from harness.report.numbers import interval_of, plain, value_of

_QUANTILES = (0.5, 0.9)


def rounds_section(name: str, title: str, figures: Figures, answers: ByArm, rounds: Sequence[int]) -> Html:
    """A chart per arm and percentile, each with its own scale, over the estimate and its interval."""
    drawn, tables = [], []
    for q in _QUANTILES:
        shifts = round_shifts(answers, rounds, figures.reference, "response", q)
        if shifts:
            drawn.append(pair(*(_chart(name, q, figures, each) for each in shifts)))
            tables.append(_table(q, figures, shifts))
    if not drawn:
        return Html("")
    return section(
        name,
        title,
        paragraph(
            f"A dot is one round's percentile minus that of {figures.reference} in the same round; the line is the estimate, the band its "
            "95 % interval. Every chart has its own scale, so that the spread is seen. A trend or a jump from left to right means that the "
            "machine changed while it was measured."
        ),
        *drawn,
        details("The same as tables", *tables),
    )


def _chart(name: str, q: float, figures: Figures, shifts: RoundShifts) -> Html:
    style, percentile = figures.arms.index(shifts.arm), f"p{100 * q:g}"
    line = Line(style, tuple(_dot(shifts.arm, number, shift) for number, shift in shifts.shifts_us))
    level = _level(figures, shifts.arm, percentile)
    numbers = [number for number, _ in shifts.shifts_us]
    step = max(1, math.ceil(len(numbers) / 12))
    x = Axis("round", tuple((float(number), str(number)) for number in numbers[::step]))
    y = Axis(f"added {percentile}, µs")
    return picture(
        f"{name}-{percentile}-{style}",
        joined([arm_name(style, shifts.arm), f": added to the {percentile} of response time, by round"]),
        f"{shifts.arm}: added {percentile} by round",
        "One dot per round; the table below has the same figures.",
        lambda width: round_chart([line], [level] if level else [], x, y, width),
    )


def _dot(arm: str, number: int, shift: float) -> Spread:
    return Spread(float(number), shift, shift, shift, f"{arm}, round {number}: {plain(shift)} µs")


def _level(figures: Figures, arm: str, percentile: str) -> Level | None:
    found = figures.added(arm, Subject("request", "entry", "response", percentile))
    value = value_of(found)
    if found is None or value is None:
        return None
    low, high = interval_of(found) or (None, None)
    return Level(figures.arms.index(arm), value, low, high)


def _table(q: float, figures: Figures, shifts: Sequence[RoundShifts]) -> Html:
    head = ["round", *(arm_name(figures.arms.index(each.arm), each.arm) for each in shifts)]
    rows = [
        [str(number), *(f"{each.shifts_us[index][1]:,.0f}" for each in shifts)]
        for index, (number, _) in enumerate(shifts[0].shifts_us)
    ]
    return table(head, rows, f"Added p{100 * q:g} of response time by round, µs")
