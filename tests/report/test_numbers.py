"""Figures as they are written: the interval decides the digits, the row decides the unit."""

from typing import Any

import pytest

from harness.report.numbers import Unit, decimals, figure, plain, unit_for, written

US = Unit("µs")


def estimate(
    value: float | None, low: float | None = None, high: float | None = None, rounds: int = 8
) -> dict[str, Any]:
    return {"estimate": value, "low": low, "high": high, "rounds": rounds}


@pytest.mark.parametrize(
    ("value", "low", "high", "expected"),
    [
        (412.37, 397.9, 431.2, ("+412", "[398, 431]")),
        (412.37, 411.9, 413.2, ("+412.4", "[411.9, 413.2]")),
        (1300.0, 1204.0, 1431.0, ("+1,300", "[1,200, 1,430]")),
        (18.099, 18.057, 18.141, ("+18.10", "[18.06, 18.14]")),
        (-2.4, -9.0, 4.0, ("−2", "[−9, 4]")),
        (0.2, -9.0, 9.6, ("0", "[−9, 10]")),
        (0.0, 0.0, 0.0, ("0", "[0, 0]")),
        (7.0, 7.0, 7.0, ("+7.00", "[7.00, 7.00]")),
    ],
)
def test_no_digit_is_shown_that_the_interval_does_not_support(
    value: float, low: float, high: float, expected: tuple[str, str]
) -> None:
    assert figure(estimate(value, low, high), US, signed=True) == expected


def test_without_an_interval_the_reason_stands_in_its_place() -> None:
    assert figure(estimate(412.37, rounds=3), US, signed=True) == ("+412", "no interval (3 rounds)")
    assert figure(estimate(412.37, rounds=1), US) == ("412", "no interval (1 round)")


def test_what_was_not_measured_is_no_number() -> None:
    assert figure(estimate(None) | {"note": "too few rows"}, US) == ("–", "too few rows")
    assert figure(estimate(float("nan")), US) == ("–", "not measured")


@pytest.mark.parametrize(
    ("unit", "values", "expected"),
    [
        ("us", [512.0, 99_999.0], Unit("µs", places=1)),
        ("us", [512.0, 150_000.0], Unit("ms", 1e-3)),
        ("s", [0.4], Unit("ms", 1e3, places=2)),
        ("bytes", [21e6], Unit("MB", 1e-6, places=2)),
        ("us", [float("nan")], Unit("µs", places=1)),
        ("parsec", [3.0], Unit("parsec")),
    ],
)
def test_a_row_has_one_unit_that_fits_all_of_it(unit: str, values: list[float], expected: Unit) -> None:
    assert unit_for(unit, values) == expected


def test_plain_figures_have_three_digits() -> None:
    assert [plain(v) for v in (1234.5, 12.345, 0.012345, 0.0, -5.678)] == ["1,230", "12.3", "0.012", "0", "−5.68"]
    assert written(-0.001, 1) == "0.0"
    assert decimals(1.0, 1.0) == 3
