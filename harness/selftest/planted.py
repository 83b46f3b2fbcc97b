"""Arms of known truth: the baseline once more, and the baseline with a known delay planted in one hop. Pure.

The delay is a field of the fan-out service's document: the callee burns that long after it has read a request, before it takes its *received* stamp, so
exactly one hop's request leg grows by it, and nothing of the measuring is involved.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.model.mesh import Arm, PlanEdit
from harness.model.plan import File, Plan, Unit
from harness.model.topology import Hop
from harness.selftest.arithmetic import Finding

DELAY_US = 200
HALF_WIDTH_US = 50
MARGIN_US = 30.0
MARGIN_SHARE = 0.05

AGAIN, DELAYED = "again", "delayed"


def plant(callee: str, delay_us: int) -> PlanEdit:
    """An edit that makes every replica of `callee` take its received stamp `delay_us` later."""

    def edit(plan: Plan) -> Plan:
        return replace(
            plan, units=tuple(_delayed(unit, delay_us) if _is(unit, callee) else unit for unit in plan.units)
        )

    return edit


def _is(unit: Unit, callee: str) -> bool:
    return unit.role == "app" and unit.service == callee


def _delayed(unit: Unit, delay_us: int) -> Unit:
    document = json.loads(unit.files[0].content) | {"receive_delay_us": delay_us}
    return replace(unit, files=(File(unit.files[0].name, json.dumps(document, indent=1)), *unit.files[1:]))


def arms(bare: Arm, hop: Hop) -> tuple[Arm, Arm, Arm]:
    """The baseline, the same again, and the same with DELAY_US planted in `hop`."""
    return bare, replace(bare, variant=AGAIN), replace(bare, variant=DELAYED, edit=plant(hop.callee, DELAY_US))


def margin_us(baseline_us: float) -> float:
    """The margin within which two equal arms must lie: 30 µs or 5 % of the baseline, whichever is more."""
    return max(MARGIN_US, MARGIN_SHARE * baseline_us)


@dataclass(frozen=True, slots=True)
class Estimates:
    """The p50 estimates of a self-test's summary, found by arm, scope, subject and kind of value."""

    rows: list[dict[str, Any]]  # Any: JSON values

    def p50(self, arm: str, scope: str, subject: str, metric: str, value: str) -> dict[str, Any]:
        """The one estimate of that description."""
        wanted = {"arm": arm, "scope": scope, "subject": subject, "metric": metric, "statistic": "p50", "value": value}
        return next(row for row in self.rows if wanted.items() <= row.items())


def judge(summary: Mapping[str, Any], bare: Arm, hops: tuple[Hop, ...], delayed: Hop) -> tuple[Finding, ...]:
    """A/A at the entry and in every hop; the planted delay in its hop; nothing in the others."""
    estimates = Estimates(summary["estimates"])
    again, late = f"{bare.id}#{AGAIN}", f"{bare.id}#{DELAYED}"
    subjects = [("request", "entry", "response"), *(("hop", hop.id, "hop") for hop in hops)]
    found = [_equivalent(estimates, bare.id, again, *subject, "A/A") for subject in subjects]
    found.append(_found(estimates, late, delayed))
    others = [("hop", hop.id, "hop") for hop in hops if hop != delayed]
    found += [_equivalent(estimates, bare.id, late, *subject, f"{DELAY_US} µs elsewhere") for subject in others]
    return tuple(found)


def _equivalent(
    estimates: Estimates, bare: str, arm: str, scope: str, subject: str, metric: str, title: str
) -> Finding:
    margin = margin_us(estimates.p50(bare, scope, subject, metric, "absolute")["estimate"])
    shift = estimates.p50(arm, scope, subject, metric, "difference")
    passed = shift["low"] is not None and -margin <= shift["low"] and shift["high"] <= margin
    return Finding(f"{title}: p50 of {subject}", passed, f"within ±{margin:.0f} µs", interval(shift))


def _found(estimates: Estimates, arm: str, hop: Hop) -> Finding:
    shift = estimates.p50(arm, "hop", hop.id, "hop", "difference")
    passed = (
        shift["low"] is not None
        and shift["low"] <= DELAY_US <= shift["high"]
        and shift["high"] - shift["low"] <= 2 * HALF_WIDTH_US
    )
    wanted = f"contains {DELAY_US} µs, at most ±{HALF_WIDTH_US} µs wide"
    return Finding(f"{DELAY_US} µs planted: p50 of {hop.id}", passed, wanted, interval(shift))


def interval(estimate: Mapping[str, Any]) -> str:
    """`+201.3 µs [198.0, 204.1]`, or why there is no interval."""
    if estimate["low"] is None:
        return f"no interval: {estimate['note']}"
    return f"{estimate['estimate']:+.1f} µs [{estimate['low']:.1f}, {estimate['high']:.1f}]"
