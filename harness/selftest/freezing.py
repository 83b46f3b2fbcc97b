"""A server that is stopped for a tenth of the window, under open-loop load: the recipe, and what its rows say.

The drain rate and the length of the freeze come from stamps of sending and receiving, never from response times, so that the
arithmetic they go into is independent of what it judges.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from harness.analysis.histogram import exact_quantiles
from harness.analysis.requests import latencies
from harness.load.control import Engine, EngineReport
from harness.load.rows import Rows
from harness.model.mesh import Arm
from harness.model.platform import Deployment
from harness.model.run import Load
from harness.model.topology import Service, Topology
from harness.selftest.arithmetic import Finding, Freeze, judge_freeze
from harness.trial import Bench, Window, window_of

LOAD = Load(rate_rps=1000.0, warmup_s=1.0, window_s=10.0, connections=16, arrivals="uniform", drain_s=5.0)
FREEZE_AT_S = 4.0
FREEZE_S = LOAD.window_s / 10
QUANTILES = (0.95, 0.99)
CLEAR_NS = 1_000_000
"""A request that got a connection within a millisecond met no backlog."""

HIDDEN_SHARE = 0.1
"""Counted the closed-loop way, the freeze must be all but invisible: under a tenth of its true size at p99."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """What was done, by the clock: stopped and resumed at."""

    stopped_ns: int
    resumed_ns: int


def leaf(topology: Topology) -> Topology:
    """A topology of one service without work or calls, run by the same program as `topology`."""
    program = topology.services[0].program
    return Topology("leaf", "leaf", (Service("leaf", program),), digest="leaf")


@contextmanager
def serving(
    bench: Bench, arm: Arm, topology: Topology, load: Load, name: str
) -> Iterator[tuple[Deployment, Engine, Window]]:
    """A deployment under load: the engine has its start, the window lies ahead."""
    plan = arm.plan(topology, bench.traffic, bench.platform.facts)
    with bench.platform.launch(plan, bench.workspace / name) as deployment, Engine(bench.placement.load) as engine:
        engine.prepare(deployment.entry_url(), load)
        window = window_of(load, bench.clock_ns())
        engine.start(window.warmup_start_ns, load)
        yield deployment, engine, window


def freeze(bench: Bench, arm: Arm, topology: Topology) -> tuple[EngineReport, Frozen]:
    """Stop the only server at FREEZE_AT_S for FREEZE_S."""
    with serving(bench, arm, leaf(topology), LOAD, "frozen") as (deployment, engine, window):
        pid = deployment.units["leaf-0"].pid
        stop_ns = window.start_ns + round(FREEZE_AT_S * 1e9)
        bench.sleep_until_ns(stop_ns)
        os.kill(pid, signal.SIGSTOP)
        try:
            stopped_ns = bench.clock_ns()
            bench.sleep_until_ns(stop_ns + round(FREEZE_S * 1e9))
        finally:
            resumed_ns = bench.clock_ns()
            os.kill(pid, signal.SIGCONT)
        return engine.wait(), Frozen(stopped_ns, resumed_ns)


def describe(rows: Rows, frozen: Frozen) -> Freeze:
    """The freeze as the arithmetic wants it, from stamps of sending and receiving alone."""
    window = rows.window()
    waited = window.sent - window.ready > CLEAR_NS
    backlog = (window.due > frozen.stopped_ns) & (window.sent > 0)
    met_clear = window.due[backlog & ~waited & (window.due > frozen.resumed_ns)]
    clear_ns = int(met_clear.min()) if len(met_clear) else int(window.done.max())
    drained = int(((window.done > frozen.resumed_ns) & (window.done <= clear_ns)).sum())
    return Freeze(
        freeze_s=(frozen.resumed_ns - frozen.stopped_ns) / 1e9,
        window_s=LOAD.window_s,
        rate_rps=LOAD.rate_rps,
        drain_rps=drained / ((clear_ns - frozen.resumed_ns) / 1e9),
    )


def judge(rows: Rows, frozen: Frozen) -> tuple[Finding, ...]:
    """Response times agree with the arithmetic; service times, which is how a closed loop counts, would have hidden it."""
    times = latencies(rows)
    seen = exact_quantiles(times.response_ns, times.unanswered, QUANTILES)
    truth = describe(rows, frozen)
    agreed = judge_freeze(truth, {q: None if value is None else value / 1e9 for q, value in seen.items()})
    return (*agreed, _hidden(truth, exact_quantiles(times.service_ns, times.unanswered, (0.99,))[0.99]))


def _hidden(truth: Freeze, service_ns: float | None) -> Finding:
    limit_s = HIDDEN_SHARE * truth.response_s(0.99)
    passed = service_ns is not None and service_ns / 1e9 < limit_s
    found = "no value" if service_ns is None else f"{service_ns / 1e6:.1f} ms"
    return Finding(
        "the same rows counted closed-loop: p99 hides the freeze", passed, f"below {limit_s * 1e3:.0f} ms", found
    )
