"""Quantities as isotope reads them, written as ours: sizes by docker's go-units, durations by Go, shares of 0 to 1. Pure."""

import re

from harness.model.errors import UsageError
from harness.yaml_file import short

_SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmgtp]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_MS = {"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "μs": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4, "h": 3.6e6}
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)%")


def size_text(value: object, place: str) -> str:
    """`1 KB`, `10K` and `1024` are all 1,024-based bytes."""
    match = _SIZE.fullmatch(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None
    if match is None:
        raise UsageError(f"{place}: allowed are sizes such as 128, 1 KB or 16K (is {short(value)})")
    return f"{round(float(match[1]) * 1024 ** _POWERS[match[2].lower()])}B"


def ms_text(value: object, place: str) -> str:
    """`100ms`, `1m30s`: Go's durations."""
    text = value if isinstance(value, str) else ""
    parts = _PART.findall(text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise UsageError(f"{place}.sleep: allowed are durations such as 10ms or 1m30s (is {short(value)})")
    return f"{sum(float(number) * _MS[unit] for number, unit in parts):.6f}ms"


def percent_text(value: object, place: str) -> str:
    """`0.1%`, or a share: 0.001."""
    if isinstance(value, str) and (match := _PERCENT.fullmatch(value)) is not None and float(match[1]) <= 100:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1:
        return f"{value * 100:.10f}%"
    raise UsageError(f"{place}: allowed are shares such as 0.1% or 0.001, up to 100% or 1 (is {short(value)})")


def replicas(value: object, place: str) -> int:
    """A whole number above 0."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"{place}: allowed are whole numbers from 1 (is {short(value)})")
    return value
