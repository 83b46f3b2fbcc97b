"""The fan-out service against its bar: `python -m benchmarks.service [ROUNDS] [SECONDS]`.

A leaf without work over one connection, at 1000 regular requests a second (bar: service p50 at most 120 µs), and the same leaf
with a caller before it, under Poisson arrivals over 16 connections. Rounds alternate; medians. Needs two CPUs: the engine
has one, the services the other. Counting a call is timed alone: beside the CPU per request of a caller it shows its own cost.
"""

import os
import random
import statistics
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from harness import registry
from harness.analysis.histogram import exact_quantile
from harness.analysis.requests import latencies
from harness.load.rows import Rows
from harness.model.run import Load, Run
from harness.model.topology import Call, Service, Step, Topology
from harness.rounds import Trial
from harness.stage import stage
from harness.trial import Bench, run_trial
from workloads.service.recorder import Recorder

ROUNDS, SECONDS = 8, 3
RATE = 1000.0
BAR_US = 120.0
COUNTED = 100_000
ARM = registry.arm("baseline")
PROGRAM = registry.service_program()
LEAF = Topology("leaf", "a", (Service("a", PROGRAM),))
PAIR = Topology("pair", "a", (Service("a", PROGRAM, script=(Step((Call("b"),)),)), Service("b", PROGRAM)))


@dataclass(frozen=True, slots=True)
class Setting:
    """What is measured in each round."""

    name: str
    topology: Topology
    connections: int
    arrivals: str


SETTINGS = (
    Setting("leaf, one connection, uniform", LEAF, 1, "uniform"),
    Setting("caller and leaf, 16 connections, Poisson", PAIR, 16, "poisson"),
)


def figures(run: Run, rows: Rows) -> dict[str, float]:
    """Service p50 and CPU time of each replica per request, in µs; why the trial is invalid goes to stderr."""
    times = latencies(rows)
    p50_ns = exact_quantile(times.service_ns, times.unanswered, 0.5)
    if p50_ns is None or not run.generator.done:
        sys.exit(f"half of the requests have no answer: {times.unanswered} of {len(times)}")
    for reason in run.validity.reasons:
        print(f"round {run.round}: {reason}", file=sys.stderr)
    cpu_us = {unit.unit: unit.cpu_ns / 1e3 / run.generator.done for unit in run.units}
    return {"service p50": p50_ns / 1e3} | {f"CPU per request of {unit}": used for unit, used in cpu_us.items()}


def measure(bench: Bench, setting: Setting, number: int, seconds: float) -> dict[str, float]:
    """One trial of a setting."""
    load = Load(RATE, 1.0, seconds, setting.connections, setting.arrivals, seed=number)
    trial = Trial(number, 0, ARM.id, setting.topology.name, "benchmark", seed=number)
    return figures(*run_trial(bench, trial, ARM, setting.topology, load, "benchmark"))


def counting_us() -> float:
    """CPU time to count one call, of calls whose parts scatter as on a loaded machine (exponential, mean 100 µs)."""
    chance, recorder, starts = random.Random(1), Recorder(), range(0, COUNTED * 1_000_000, 1_000_000)
    offsets = [[int(chance.expovariate(1e-5)) for _ in range(3)] for _ in starts]
    calls = [
        (start, start + a, start + a + b, start + a + b + c) for start, (a, b, c) in zip(starts, offsets, strict=True)
    ]
    began_ns = time.thread_time_ns()
    for call in calls:
        recorder.call("a#0>b/http", *call, 1)
    return (time.thread_time_ns() - began_ns) / 1e3 / COUNTED


def show(found: Mapping[str, list[dict[str, float]]]) -> None:
    """A row per figure: the median over rounds, and every round."""
    table = Table("setting", "figure, µs", "median", "rounds", title=f"fan-out service at {RATE:.0f} requests a second")
    for name, rounds in found.items():
        for figure in rounds[0]:
            values = [each[figure] for each in rounds]
            table.add_row(
                name, figure, f"{statistics.median(values):.1f}", " ".join(f"{value:.0f}" for value in values)
            )
    Console().print(table)


def main() -> None:
    """Every setting once a round; the order turns."""
    words = [int(word) for word in sys.argv[1:]]
    rounds, seconds = (*words, *(ROUNDS, SECONDS)[len(words) :])
    found: dict[str, list[dict[str, float]]] = {setting.name: [] for setting in SETTINGS}
    with stage([ARM]) as (bench, facts):
        for warning in facts.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        for number in range(1, rounds + 1):
            for setting in SETTINGS if number % 2 else SETTINGS[::-1]:
                found[setting.name].append(measure(bench, setting, number, seconds))
    show(found)
    p50_us = statistics.median(each["service p50"] for each in found[SETTINGS[0].name])
    print(f"leaf service p50 {p50_us:.1f} µs: bar {BAR_US:.0f} µs {'met' if p50_us <= BAR_US else 'MISSED'}")
    print(f"counting a call: {statistics.median(counting_us() for _ in range(rounds)):.1f} µs of the caller's CPU")
    print(f"load average: {os.getloadavg()[0]:.2f} on {os.cpu_count()} CPUs (other programs spoil these figures)")


if __name__ == "__main__":
    main()
