"""Checks → outcomes → one verdict. Pure: it knows intervals, budgets and words, and no file.

A check is one rule asked of one arm in one cell. Its 95 % interval decides: all inside the budget passes, all outside fails, else
it is inconclusive. Passing needs no correction for many checks, because GO needs all of them to pass (an intersection-union test:
R. L. Berger, Technometrics 24, 1982). Failing does, because one failure is enough for NO-GO: a check fails only if its one-sided p,
corrected by Holm for all checks of the result, is at most LEVEL too. So of results in which every arm keeps every budget, at
most one in twenty is a NO-GO, and of results with a figure beyond its budget about one in thirty is a GO (docs/rules.md).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.analysis.intervals import Interval, holm
from harness.model.rules import BY_NAME, VALIDITY, Asked, said

LEVEL = 0.05
"""Of a wrong NO-GO, for all checks of a result together."""

Outcome = Literal["pass", "fail", "inconclusive", "invalid", "not-applicable"]
Verdict = Literal["GO", "HOLD", "NO-GO", "INCONCLUSIVE"]


@dataclass(frozen=True, slots=True)
class Check:
    """One rule asked of one arm in one cell. `p`: how easily chance alone puts the interval outside, one-sided, 1 if it isn't there.

    Without `interval`, `why` says why; not `applicable`: there is nothing that the rule could be about.
    """

    asked: Asked
    arm: str
    topology: str
    load: str
    interval: Interval | None = None
    why: str = ""
    p: float = 1.0
    applicable: bool = True

    @property
    def ends(self) -> tuple[float, float] | None:
        """The interval's, if there is one."""
        if self.interval is None or self.interval.low is None or self.interval.high is None:
            return None
        return self.interval.low, self.interval.high


@dataclass(frozen=True, slots=True)
class Judged:
    """A check with what came of it; `p_holm` is p corrected for all checks."""

    check: Check
    outcome: Outcome
    why: str
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """A result's verdict and its reason; no rules asked for: no checks and no verdict."""

    verdict: Verdict | None
    why: str
    checks: tuple[Judged, ...]


def alone(ends: tuple[float, float] | None, least: float | None, most: float | None) -> Outcome:
    """What an interval says by itself of a budget; ends that lie on it are inside."""
    if ends is None:
        return "inconclusive"
    low, high = ends
    if (most is not None and low > most) or (least is not None and high < least):
        return "fail"
    return "pass" if (most is None or high <= most) and (least is None or low >= least) else "inconclusive"


def judge(checks: Sequence[Check], reasons: Sequence[str]) -> Judgement:
    """The verdict; `reasons` say why the result is invalid, and are empty for a valid one."""
    if not checks:
        return Judgement(None, "", ())
    if reasons:
        judged = tuple(Judged(check, *_invalid(check, reasons)) for check in checks)
        return Judgement("INCONCLUSIVE", f"the result is invalid: {reasons[0]}", judged)
    family = [n for n, check in enumerate(checks) if check.applicable and check.asked.rule != VALIDITY]
    corrected = holm({f"{n:06}": checks[n].p for n in family})
    judged = tuple(_judged(check, corrected.get(f"{n:06}"), len(family)) for n, check in enumerate(checks))
    return Judgement(*_verdict(judged), judged)


def _invalid(check: Check, reasons: Sequence[str]) -> tuple[Outcome, str]:
    if check.asked.rule == VALIDITY:
        return "invalid", "; ".join(reasons)
    return "invalid", "not judged, because the result is invalid"


def _judged(check: Check, corrected: float | None, family: int) -> Judged:
    if check.asked.rule == VALIDITY:
        return Judged(check, "pass", "every arm passed its proofs and enough rounds count")
    if not check.applicable:
        return Judged(check, "not-applicable", check.why)
    assert corrected is not None
    outcome = alone(check.ends, check.asked.least, check.asked.most)
    if outcome != "fail":
        return Judged(check, outcome, _words(check, outcome), corrected)
    chance = f"p {_p_said(corrected)} for {family} check{'s' * (family != 1)}"
    if corrected <= LEVEL:
        return Judged(check, "fail", f"{_words(check, 'fail')} ({chance})", corrected)
    doubt = f"{_words(check, 'fail')}, but that may be chance ({chance}): more rounds would tell"
    return Judged(check, "inconclusive", doubt, corrected)


def _p_said(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def _words(check: Check, outcome: Outcome) -> str:
    """`0.9 ms to 1.2 ms; allowed is at most 1 ms`."""
    if check.ends is None:
        return f"no interval: {check.why or (check.interval.note if check.interval else '')}"
    low, high = (said(end, BY_NAME[check.asked.rule].unit) for end in check.ends)
    open_end = ": more rounds would tell" if outcome == "inconclusive" else ""
    return f"{low} to {high}; allowed is {allowed(check.asked)}{open_end}"


def allowed(asked: Asked) -> str:
    """`at most 1 ms`, `within ±0.1 %`, `50 µs to 1 ms`."""
    rule, least, most = BY_NAME[asked.rule], asked.least, asked.most
    if rule.equal and most is not None:
        return f"within ±{said(most, rule.unit)}"
    if least is None or most is None:
        return f"at most {said(most, rule.unit)}" if most is not None else f"at least {said(least or 0.0, rule.unit)}"
    return f"{said(least, rule.unit)} to {said(most, rule.unit)}"


def _verdict(judged: Sequence[Judged]) -> tuple[Verdict, str]:
    """NO-GO before INCONCLUSIVE before HOLD before GO."""
    asked = [each for each in judged if each.outcome != "not-applicable" and each.check.asked.rule != VALIDITY]
    failing = [each for each in asked if each.outcome == "fail"]
    unmeasured = [each for each in asked if each.check.ends is None]
    between = [each for each in asked if each.outcome == "inconclusive"]
    if failing:
        return "NO-GO", f"{_count(failing, asked)} outside the budget: {_names(failing)}"
    if not asked:
        return "INCONCLUSIVE", "there is nothing that the rules could be about"
    if unmeasured:
        return "INCONCLUSIVE", f"{_count(unmeasured, asked)} without an interval: {_names(unmeasured)}"
    if between:
        return "HOLD", f"{_count(between, asked)} undecided, none failed; more rounds would tell: {_names(between)}"
    return "GO", f"{len(asked)} of {len(asked)} checks passed"


def _count(some: Sequence[Judged], asked: Sequence[Judged]) -> str:
    return f"{len(some)} of {len(asked)} checks {'are' if len(some) > 1 else 'is'}"


def _names(some: Sequence[Judged]) -> str:
    return ", ".join(dict.fromkeys(_name(each.check) for each in some))


def _name(check: Check) -> str:
    return f"{check.asked.rule} of {check.arm}"


def documents(judgement: Judgement) -> Iterator[dict[str, object]]:
    """The `verdicts` of `summary.json`."""
    for each in judgement.checks:
        check, interval = each.check, each.check.interval
        ends = check.ends or (None, None)
        rule = BY_NAME[check.asked.rule]
        yield {
            "rule": rule.name,
            "asks": rule.asks,
            "arm": check.arm or None,
            "topology": check.topology or None,
            "load": check.load or None,
            "outcome": each.outcome,
            "why": each.why,
            "allowed": allowed(check.asked) if rule.unit else "valid",
            "unit": rule.unit or None,
            "min": check.asked.least,
            "max": check.asked.most,
            "estimate": interval.estimate if interval else None,
            "low": ends[0],
            "high": ends[1],
            "rounds": interval.rounds if interval else 0,
            "method": interval.method if interval else "none",
            "p": None if each.p_holm is None else check.p,
            "p_holm": each.p_holm,
        }
