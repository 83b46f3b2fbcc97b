"""Quantities as people write them: `30s`, `200us`, `1KiB`, `1%`. Pure parsing; each names what is allowed when it refuses."""

import re

from harness.model.errors import UsageError

_NUMBER = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-zµ%]*)\s*")
_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "kB": 1000, "MB": 1000**2}


def duration_s(text: str) -> float:
    """Seconds of `500ms`, `30s`, `2m`; a unit is needed, because a bare number is read differently by different people."""
    return _parse(text, _SECONDS, "a duration", "30s, 500ms, 200us, 2m")


def size_bytes(text: str) -> int:
    """Bytes of `128B`, `1KiB`, `2MB`."""
    return round(_parse(text, _BYTES, "a size", "128B, 1KiB, 2MB"))


def share(text: str) -> float:
    """A share from 0 to 1 of `1%`, `0.5%`."""
    value = _parse(text, {"%": 0.01}, "a share", "1%, 0.5%")
    if value > 1:
        raise UsageError(f"{text!r} is more than the whole: a share is 0% to 100%")
    return value


def _parse(text: str, units: dict[str, float] | dict[str, int], what: str, examples: str) -> float:
    match = _NUMBER.fullmatch(text)
    if match is None or match[2] not in units:
        raise UsageError(f"{text!r} is not {what}: write a number with a unit, e.g. {examples}")
    return float(match[1]) * units[match[2]]
