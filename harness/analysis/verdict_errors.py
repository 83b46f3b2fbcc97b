"""How often is a verdict wrong? Simulated results of known truth, judged as results are. Pure.

Windows are those of harness.analysis.coverage: skewed rows or two modes, windows of their own mood, rounds that drift. Budgets
are set to a multiple of the truth: at 1 the truth lies exactly on every budget, where an error is likeliest.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.analysis.checks import checks
from harness.analysis.coverage import Noise, Windows, pseudomedian, windows
from harness.analysis.estimates import Table
from harness.analysis.intervals import Floats
from harness.analysis.metrics import Metric, Reading
from harness.analysis.pairing import Cell
from harness.analysis.rule_intervals import CPU, ERRORS, HOP_P50, P50, P99
from harness.analysis.verdict import alone, judge
from harness.model.rules import Asked

CELL = Cell("simulated", "steady")
REFERENCE, ARMS = "bare", ("far", "near")
FAILING = {"bare": 0.002, "far": 0.004, "near": 0.003}
"""Share of requests that fail, before a round's mood."""


@dataclass(frozen=True, slots=True)
class Rates:
    """What became of `results` simulated results: how many had each verdict, and how often each check (rule, arm) passed by itself."""

    results: int
    verdicts: Mapping[str, int]
    passed: Mapping[tuple[str, str], int]

    def share(self, verdict: str) -> float:
        """Of the results, from 0 to 1."""
        return self.verdicts.get(verdict, 0) / self.results


def rates(
    noise: Noise, rounds: int, results: int, rows: int, budgets: Mapping[tuple[str, str], float], seed: int
) -> Rates:
    """Judge `results` results of `rounds` rounds by these budgets, which stand for (rule, arm)."""
    data = drawn(noise, rounds * results, rows, np.random.default_rng(seed))
    asked = [
        Asked(rule, -most if rule == "errors-equal" else None, most, (arm,)) for (rule, arm), most in budgets.items()
    ]
    verdicts: Counter[str] = Counter()
    passed: Counter[tuple[str, str]] = Counter()
    for number in range(results):
        found = list(checks(asked, [CELL], [_table(data, slice(number * rounds, (number + 1) * rounds), rows)]))
        verdicts[judge(found, ()).verdict or ""] += 1
        passed.update(
            (check.asked.rule, check.arm)
            for check in found
            if alone(check.ends, check.asked.least, check.asked.most) == "pass"
        )
    return Rates(results, dict(verdicts), {key: passed[key] for key in budgets})


def drawn(noise: Noise, rounds: int, rows: int, random: np.random.Generator) -> Windows:
    """The windows of harness.analysis.coverage, with the share of requests that failed; failures come in bursts."""
    found = dict(windows(noise, rounds, rows, random))
    mood = random.exponential(1.0, rounds) + 0.5
    shares = {arm: random.binomial(rows, np.minimum(1, share * mood / 1.5)) / rows for arm, share in FAILING.items()}
    return found | {"errors": shares}


def truths(data: Windows) -> dict[tuple[str, str], float]:
    """The true value of each check, from tens of thousands of rounds: what its interval is an interval of."""
    return {(rule, arm): value for arm in ARMS for rule, value in _true(data, arm)}


def _true(data: Windows, arm: str) -> Iterator[tuple[str, float]]:
    def of(metric: str) -> tuple[Floats, Floats]:
        return data[metric][arm], data[metric][REFERENCE]

    p50, p99, cpu, errors = of("p50"), of("p99"), of("cpu"), of("errors")
    yield "p50-per-hop", pseudomedian(p50[0] - p50[1])
    yield "p50-added", pseudomedian(p50[0] - p50[1])
    yield "p99-ratio", float(np.exp(pseudomedian(np.log(p99[0] / p99[1]))))
    yield "p99-added", pseudomedian(p99[0] - p99[1])
    yield "sidecar-cpu", float(np.exp(np.log(cpu[0] / cpu[1]).mean()))
    yield "errors-equal", float(errors[0].mean() - errors[1].mean())


def _table(data: Windows, rounds: slice, rows: int) -> Table:
    """One result. The bare arm's CPU stands for that of the apps, the arm's own for that of its sidecars."""
    readings: dict[str, dict[Metric, list[Reading]]] = {}
    for arm in (REFERENCE, *ARMS):
        values = {HOP_P50: data["p50"][arm], P50: data["p50"][arm], P99: data["p99"][arm], ERRORS: data["errors"][arm]}
        values |= {CPU["sidecar"]: data["cpu"][arm], CPU["app"]: data["cpu"][REFERENCE]}
        readings[arm] = {
            metric: [Reading(metric, float(value)) for value in numbers[rounds]] for metric, numbers in values.items()
        }
    count = rounds.stop - rounds.start
    return Table(CELL, count, readings, REFERENCE, (), due=rows * count)
