"""Whether containers were held back by their limits inside a window, from what the kernel counted. Pure."""

from collections.abc import Sequence

from harness.model.run import UnitUsage

MOST_THROTTLED_SHARE = 0.01
"""Of the periods in which a container ran: one halt moves every request of its period, so more than 1 % reaches p99."""
NS_PER_MS = 1_000_000


def limit_reasons(units: Sequence[UnitUsage]) -> tuple[str, ...]:
    """Why the numbers of this window may not be used; empty if they may. Each is fact, value, allowed."""
    return tuple(filter(None, (reason(unit) for unit in units for reason in (_throttled, _killed))))


def _throttled(unit: UnitUsage) -> str:
    share = unit.throttled_periods / max(unit.periods, 1)
    if share <= MOST_THROTTLED_SHARE:
        return ""
    return (
        f"unit {unit.unit!r} was halted by its CPU limit in {unit.throttled_periods} of {unit.periods} periods, "
        f"{unit.throttled_ns / NS_PER_MS:.0f} ms in all ({share:.1%}, allowed {MOST_THROTTLED_SHARE:.0%}): "
        "raise its limit or lower the rate"
    )


def _killed(unit: UnitUsage) -> str:
    if unit.oom_kills <= 0:
        return ""
    return (
        f"the kernel killed {unit.oom_kills} processes of unit {unit.unit!r} at its memory limit (allowed 0): "
        "raise its limit"
    )
