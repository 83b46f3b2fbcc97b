"""Did a replay find the same? Each figure that the first result claims against an equivalence margin. Pure.

A result claims what its reference takes and what every other arm adds to it. Each claim's change, with its 95 % interval, is held
against ± margin: of the reference's figure, or of what the arm added. An interval inside is two one-sided tests at 2.5 % each, and
"within" needs them all, so no correction is due.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

Estimate = Mapping[str, Any]  # Any: JSON values
Judged = Literal["within", "outside", "inconclusive"]

CLAIMS = (
    ("request", "entry", "response", "p50"),
    ("role", "total", "cpu_s_per_1000_requests", "mean"),
)
"""Scope, subject, metric and statistic of what is held against the margin."""


def replication(comparison: Mapping[str, Any], margin: float) -> dict[str, Any]:  # Any: JSON values
    """`outcome` over all claims (outside before inconclusive before within), and each claim with its own."""
    claims = list(_claims(comparison["estimates"], comparison["before"]["reference"], margin))
    outcomes = {claim["outcome"] for claim in claims} or {"inconclusive"}
    worst = next(each for each in ("outside", "inconclusive", "within") if each in outcomes)
    return {"margin": margin, "outcome": worst, "claims": claims}


def _claims(estimates: Sequence[Estimate], reference: str, margin: float) -> Iterator[dict[str, Any]]:
    added = {each["arm"] for each in estimates if each["of"] == "added"}
    for each in estimates:
        asked = (each["scope"], each["subject"], each["metric"], each["statistic"])
        of = "added" if each["arm"] in added and each["arm"] != reference else "total"
        if asked in CLAIMS and (each["value"], each["of"]) == ("difference", of):
            yield _claim(each, margin)


def _claim(each: Estimate, margin: float) -> dict[str, Any]:
    first = each["before"]["estimate"]
    allowed = None if first is None else abs(first) * margin
    return {
        **{key: each[key] for key in ("arm", "topology", "load", "metric", "statistic", "of", "unit", "note")},
        **{key: each[key] for key in ("before", "after", "estimate", "low", "high")},
        "margin": allowed,
        "outcome": judged(each["low"], each["high"], allowed),
    }


def judged(low: float | None, high: float | None, margin: float | None) -> Judged:
    """An interval against ± margin; without one of them nothing can be concluded."""
    if low is None or high is None or margin is None:
        return "inconclusive"
    if -margin <= low and high <= margin:
        return "within"
    return "outside" if low > margin or high < -margin else "inconclusive"
