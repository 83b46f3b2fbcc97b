"""How figures are written: units for people, and no digit that the interval doesn't support. It knows no arm or metric.

Shown is the first digit of the interval's half width (two if that digit is a 1), and the estimate to the same place: +412.37 in
[397.9, 431.2] is `+412 [398, 431]`. Without an interval three significant digits are shown.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MINUS = "−"
NO_INTERVAL = "no interval"
Estimate = Mapping[str, Any]  # Any: one entry of summary.json's `estimates`


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as people read it, what a value of the summary is multiplied by to be in it, and how many places make sense."""

    name: str
    factor: float = 1.0
    places: int = 3


_UNITS: Mapping[str, tuple[Unit, ...]] = {
    "us": (Unit("µs", places=1), Unit("ms", 1e-3), Unit("s", 1e-6)),
    "s": (Unit("ms", 1e3, places=2), Unit("s")),
    "bytes": (Unit("MB", 1e-6, places=2), Unit("GB", 1e-9, places=2)),
    "share": (Unit("%", 100.0, places=2),),
    "1": (Unit(""),),
    "count": (Unit(""),),
}
_ROOM = 100_000


def unit_for(unit: str, values: Iterable[float]) -> Unit:
    """The unit in which all of `values` have at most five digits before the point, so that a row has one unit."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    choices = _UNITS.get(unit, (Unit(unit),))
    return next((choice for choice in choices if largest * choice.factor < _ROOM), choices[-1])


def decimals(low: float, high: float) -> int:
    """Places after the point (negative: before it) at which the first digit of the half width stands; at most 3."""
    half = (high - low) / 2
    if not half > 0 or not math.isfinite(half):
        return 3
    place = math.floor(math.log10(half))
    leading_one = half / 10.0**place < 2
    return min(3, (1 if leading_one else 0) - place)


def significant(value: float, digits: int = 3) -> int:
    """Places after the point at which `digits` digits of the value itself stand."""
    return min(3, digits - 1 - math.floor(math.log10(abs(value)))) if value and math.isfinite(value) else 0


def written(value: float, places: int, *, signed: bool = False) -> str:
    """With thousands separators and a true minus; what rounds to zero has no sign."""
    rounded = round(value, places)
    text = f"{abs(rounded):,.{max(0, places)}f}"
    if rounded == 0:
        return text
    return (MINUS if rounded < 0 else "+" if signed else "") + text


def plain(value: float) -> str:
    """A figure without an interval: three significant digits."""
    return written(value, significant(value))


def interval_of(estimate: Estimate) -> tuple[float, float] | None:
    """Both ends, or None."""
    low, high = estimate.get("low"), estimate.get("high")
    return None if low is None or high is None else (float(low), float(high))


def value_of(estimate: Estimate | None) -> float | None:
    """The estimate itself, or None where the summary has none."""
    value = None if estimate is None else estimate.get("estimate")
    return None if value is None or not math.isfinite(value) else float(value)


def figure(estimate: Estimate, unit: Unit, *, signed: bool = False) -> tuple[str, str]:
    """(`+412`, `[398, 431]`) without the unit; (`+412`, `no interval (3 rounds)`); (`–`, reason) without an estimate."""
    value, ends = value_of(estimate), interval_of(estimate)
    if value is None:
        return "–", str(estimate.get("note") or "not measured")
    if ends is None:
        places = min(unit.places, significant(value * unit.factor))
        return written(value * unit.factor, places, signed=signed), no_interval(estimate)
    low, high = (end * unit.factor for end in ends)
    places = min(unit.places, decimals(low, high) if high > low else significant(value * unit.factor))
    return written(value * unit.factor, places, signed=signed), f"[{written(low, places)}, {written(high, places)}]"


def no_interval(estimate: Estimate) -> str:
    """Why a figure stands alone."""
    rounds = estimate.get("rounds")
    return f"{NO_INTERVAL} ({rounds} round{'' if rounds == 1 else 's'})"
