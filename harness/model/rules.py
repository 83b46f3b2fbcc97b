"""The rules by which a result is judged: what each asks, its default budget, and why. Values only; nothing is judged here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Unit = Literal["us", "1", "share", ""]

VALIDITY = "validity"
LOOSEST_US = 3000.0
"""Per hop; what common advice on service meshes calls the most that a hop may add at the median."""
GATED_ROUNDS = 10
"""Fewer rounds leave too little room for Holm's correction: a rank test of n rounds has no p below 2⁻ⁿ."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `asks` goes on after the arm's name: "adds at most … to the median of a hop's own time".

    `default` is the budget in `unit`, None for a rule that is off until it is named. `equal` makes it a margin on both sides of
    zero. `of_reference`: the reference arm has to keep it too.
    """

    name: str
    asks: str
    unit: Unit
    default: float | None
    reason: str
    source: str
    equal: bool = False
    of_reference: bool = False


REGISTRY: tuple[Rule, ...] = (
    Rule(
        VALIDITY,
        "is what it says, in enough rounds, under a load that kept its schedule",
        "",
        None,
        "Figures that can't be trusted are not judged.",
        "design, Load and Parity; docs/trust.md",
    ),
    Rule(
        "p50-per-hop",
        "adds at most this to the median of a hop's own time, as a mean over hops",
        "us",
        1000.0,
        "A request of five hops in a row then waits at most about 5 ms longer; 3 ms is the loosest that common advice allows.",
        "common advice: 1 ms a hop is good, 3 ms is the limit",
    ),
    Rule(
        "p99-ratio",
        "has at most this many times the reference's p99 of the response time",
        "1",
        2.0,
        "Time limits of callers are set by the tail; at twice the tail, limits with the usual headroom begin to cut requests off.",
        "common advice: at most doubled",
    ),
    Rule(
        "errors-equal",
        "fails as many requests as the reference, give or take this share",
        "share",
        0.001,
        "Equal is shown, not assumed: the whole interval of the difference lies within the margin. Fewer failures are a difference "
        "too: then the arms didn't answer the same requests.",
        "equivalence test (D. J. Schuirmann 1987); a margin of 0.1 % is that of an objective of 99.9 %",
        equal=True,
    ),
    Rule(
        "sidecar-cpu",
        "uses at most this many times the CPU of the apps in its sidecars",
        "1",
        1.0,
        "A mesh that needs more CPU than what it carries doubles the bill; with apps that do next to no work, raise it or judge "
        "the CPU in absolute terms.",
        "common advice: the sidecar stays below its app",
    ),
    Rule(
        "sidecar-memory",
        "has sidecars of at most this many times an app's memory (PSS, loaded)",
        "1",
        1.0,
        "The same for memory: a sidecar stands beside every replica.",
        "common advice: the sidecar stays below its app",
    ),
    Rule(
        "utilisation",
        "keeps the CPUs of the system under test below this busy share",
        "share",
        0.75,
        "The wait in a queue grows as u/(1−u): three service times at 75 %. Beyond it, differences measure the queue. The pilot aims at 50 %.",
        "design, Rates; the queue M/M/1",
        of_reference=True,
    ),
    Rule(
        "p50-added",
        "adds at most this to the median response time of a request",
        "us",
        None,
        "For a budget per request instead of per hop; also where services are programs of your own, whose hops nobody reports.",
        "your own objective",
    ),
    Rule(
        "p99-added",
        "adds at most this to the p99 of the response time",
        "us",
        None,
        "For a budget of the tail in absolute terms.",
        "your own objective",
    ),
)

BY_NAME: Mapping[str, Rule] = {rule.name: rule for rule in REGISTRY}


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule with its budget for some arms: the interval has to lie between `least` and `most`, in the rule's unit; ends included."""

    rule: str
    least: float | None
    most: float | None
    arms: tuple[str, ...]


def said(value: float, unit: Unit) -> str:
    """A budget or an end of an interval as people read it: `950 µs`, `1.2 ms`, `0.1 %`, `2×`."""
    factor, name = {"us": (1.0, " µs"), "share": (100.0, " %"), "1": (1.0, "×"), "": (1.0, "")}[unit]
    if unit == "us" and abs(value) >= 1000:
        factor, name = 1e-3, " ms"
    text = f"{value * factor:.4g}"
    if "e" in text:
        text = f"{value * factor:.10f}".rstrip("0").rstrip(".") if abs(value * factor) < 1 else f"{value * factor:.0f}"
    return f"{text}{name}".replace("-", "−")


def default_said(rule: Rule) -> str:
    """`1 ms`, `±0.1 %`; `always` and `off` for the two kinds without."""
    if rule.name == VALIDITY:
        return "always"
    if rule.default is None:
        return "off"
    return ("±" if rule.equal else "") + said(rule.default, rule.unit)


def rules_listed() -> list[dict[str, Any]]:  # Any: JSON values
    """One entry per rule, for `hoptax list rules`."""
    return [
        {
            "name": rule.name,
            "about": f"{rule.asks} (default: {default_said(rule)})",
            "asks": rule.asks,
            "default": rule.default,
            "unit": rule.unit,
            "reason": rule.reason,
            "source": rule.source,
        }
        for rule in REGISTRY
    ]


RULES: Mapping[str, str] = {row["name"]: row["about"] for row in rules_listed()}
"""What `hoptax list rules` prints of each."""
