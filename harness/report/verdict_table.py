"""How checks are written, the same for terminal, page, Markdown and JUnit. It judges nothing."""

from collections.abc import Iterable, Mapping
from typing import Any

from harness.report.numbers import figure, unit_for

Check = Mapping[str, Any]  # Any: one entry of summary.json's `verdicts`

_WEIGHT = ("invalid", "fail", "inconclusive", "pass", "not-applicable")


def by_weight(checks: Iterable[Check]) -> list[Check]:
    """What decides the verdict first; within that as the experiment has them."""
    return sorted(checks, key=lambda each: _WEIGHT.index(each["outcome"]))


def several_cells(checks: Iterable[Check]) -> bool:
    """Whether there is more than one topology or load, so that each check has to say whose it is."""
    return len({(each["topology"], each["load"]) for each in checks if each["arm"]}) > 1


def subject(check: Check, *, cell: bool = True) -> str:
    """`p50-per-hop of envoy[mtls] on chain-4 at auto`; the rule alone where it is about the whole result."""
    if not check["arm"]:
        return str(check["rule"])
    where = f" on {check['topology']} at {check['load']}" if cell else ""
    return f"{check['rule']} of {check['arm']}{where}"


def measured(check: Check) -> tuple[str, str]:
    """The estimate with its unit, and the interval; both "" where there is none."""
    if check["estimate"] is None:
        return "", ""
    ends = [end for end in (check["estimate"], check["low"], check["high"]) if end is not None]
    unit = unit_for(check["unit"], ends)
    value, interval = figure(check, unit)
    name = "×" if check["unit"] == "1" else f" {unit.name}"
    return f"{value}{name}", interval
