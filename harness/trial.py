"""The recipe of one trial, top to bottom. No step knows which mesh it is."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.analysis.faults import unproven
from harness.injecting import inject, plan_with
from harness.limits import limit_reasons
from harness.load.control import Engine, EngineReport
from harness.load.rows import Rows
from harness.load.schedule import due_offsets_ns
from harness.load.users import engine as engine_for
from harness.load.users import lead_more_ns
from harness.load.validity import generator_reasons
from harness.model.fault import FaultSpec, Injection
from harness.model.mesh import Arm, Traffic
from harness.model.platform import Deployment, Placement, Platform
from harness.model.run import Load, Parity, Run, UnitUsage, Validity
from harness.model.topology import Topology
from harness.probes import hops, parity
from harness.probes.usage import WindowUsage
from harness.rounds import Trial

NS_PER_S = 1_000_000_000
LEAD_NS = 50_000_000
"""Between giving the engine its start and the first due time: enough for a pipe, nothing to wait for."""


@dataclass(frozen=True, slots=True)
class Bench:
    """What every trial of an experiment shares. `clock_ns` is CLOCK_MONOTONIC; `sleep_until_ns` returns at that time.

    `engine` makes the engine for a load, with the CPUs that it has; `lead_more_ns` is how much longer than on this machine its start takes to reach it.
    """

    platform: Platform
    placement: Placement
    traffic: Traffic
    workspace: Path
    clock_ns: Callable[[], int] = time.monotonic_ns
    engine: Callable[[Load, Sequence[int]], Engine] = engine_for
    lead_more_ns: int = 0

    def sleep_until_ns(self, due_ns: int) -> None:
        """Give up the CPU until `due_ns`."""
        time.sleep(max(0, due_ns - self.clock_ns()) / NS_PER_S)


@dataclass(frozen=True, slots=True)
class Window:
    """The measured part of a trial, on whole seconds of CLOCK_MONOTONIC, because services count by second."""

    warmup_start_ns: int
    start_ns: int
    end_ns: int


def window_of(load: Load, now_ns: int) -> Window:
    """The first window that a warm-up starting now can precede."""
    earliest = now_ns + LEAD_NS + lead_more_ns(load) + round(load.warmup_s * NS_PER_S)
    start = -(-earliest // NS_PER_S) * NS_PER_S
    return Window(start - round(load.warmup_s * NS_PER_S), start, start + round(load.window_s * NS_PER_S))


def run_trial(
    bench: Bench,
    trial: Trial,
    arm: Arm,
    topology: Topology,
    load: Load,
    experiment: str,
    specs: Sequence[FaultSpec] = (),
) -> tuple[Run, Rows]:
    """Launch, prove, warm up, measure with the faults inside the window, collect.

    EnvironmentFailure if the machine let us down; doubt goes into `validity`.
    """
    plan = plan_with(arm, topology, bench.traffic, bench.platform.facts, specs)
    cpus = bench.placement.load
    with bench.platform.launch(plan, bench.workspace / trial.id) as deployment, bench.engine(load, cpus) as engine:
        proofs = parity.quick(deployment, arm.features)
        engine.prepare(deployment.entry_url(), load, run_id=trial.id)
        hops.reset(deployment)
        usage = WindowUsage(deployment)
        usage.idle()
        window = window_of(load, bench.clock_ns() + bench.lead_more_ns)
        engine.start(window.warmup_start_ns, load)
        injections = _measure(bench, window, usage, deployment, specs, topology)
        report = engine.wait()
        usage.loaded()
        deployment.check()
        counts = hops.collect(deployment, topology, window.start_ns, window.end_ns)
    busy_ns, all_ns = usage.machine_ns()
    run = Run(
        id=trial.id,
        experiment=experiment,
        arm=trial.arm,
        topology=topology.name,
        round=trial.round,
        order=trial.order,
        load=load,
        load_name=trial.load,
        window_start_ns=window.start_ns,
        window_end_ns=window.end_ns,
        generator=report.generator,
        hops=counts,
        units=usage.units(),
        machine_busy_ns=busy_ns,
        machine_all_ns=all_ns,
        parity=proofs,
        validity=validity(report, proofs, load, window, usage.units()),
        samples=usage.samples(),
        faults=injections,
        take=trial.take,
        platform_cpu_ns=usage.platform_ns(),
    )
    return judged(run, report.rows), report.rows


def _measure(
    bench: Bench,
    window: Window,
    usage: WindowUsage,
    deployment: Deployment,
    specs: Sequence[FaultSpec],
    topology: Topology,
) -> tuple[Injection, ...]:
    """Reads the counters at the window's two edges; between them the harness sleeps, but for the faults it is to apply."""
    bench.sleep_until_ns(window.start_ns)
    usage.open()
    try:
        edges = (window.start_ns, window.end_ns)
        injections = tuple(inject(deployment, specs, topology, edges, bench.sleep_until_ns))
        bench.sleep_until_ns(window.end_ns)
    finally:
        usage.close()
    return injections


def judged(run: Run, rows: Rows) -> Run:
    """The run, invalid if a fault isn't proven to have acted."""
    reasons = (*run.validity.reasons, *unproven(run, rows))
    return replace(run, validity=replace(run.validity, valid=not reasons, reasons=reasons))


def validity(
    report: EngineReport, proofs: tuple[Parity, ...], load: Load, window: Window, units: Sequence[UnitUsage] = ()
) -> Validity:
    """Every reason for which this trial's numbers may not be used."""
    reasons = (
        *report.reasons,
        *generator_reasons(report.generator),
        *followed(report.rows, load, window.warmup_start_ns),
        *parity.failed(proofs),
        *limit_reasons(units),
    )
    return Validity(valid=not reasons, reasons=reasons)


def followed(rows: Rows, load: Load, start_ns: int) -> tuple[str, ...]:
    """The rows' due times must be the schedule's, to the nanosecond: one that waits for answers, or is shifted, is found here.

    Closed-loop users have no schedule: they do wait for answers.
    """
    if load.workload.loop == "closed":
        return ()
    planned = start_ns + due_offsets_ns(load.rate_rps, load.warmup_s + load.window_s, load.arrivals, load.seed)
    if np.array_equal(rows.due, planned):
        return ()
    return (
        f"the {len(rows)} due times of the rows are not the schedule's {len(planned)} (seed {load.seed}, {load.rate_rps:g}/s): "
        "the engine is broken, don't use it",
    )
