"""The generator under its own rules: punctual when it has its CPU, found invalid when it hasn't, and silent about nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from harness.analysis.histogram import exact_quantiles
from harness.analysis.requests import latencies
from harness.load.control import EngineReport
from harness.load.validity import generator_reasons
from harness.model.mesh import Arm
from harness.model.run import Load
from harness.model.topology import Topology
from harness.selftest.arithmetic import Finding
from harness.selftest.freezing import leaf, serving
from harness.trial import Bench

LATENESS_P99_US = 200.0
PUNCTUAL = Load(rate_rps=1000.0, warmup_s=1.0, window_s=5.0)
STARVED = Load(rate_rps=1000.0, warmup_s=0.5, window_s=2.0)
CUT_OFF = Load(rate_rps=500.0, warmup_s=0.5, window_s=2.0, drain_s=0.5)
HOGS = 6
_SPIN = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    for _ in range(1000000): pass"


def punctual(bench: Bench, arm: Arm, topology: Topology) -> Finding:
    """At 1,000/s the generator wakes for 99 % of the requests within LATENESS_P99_US."""
    with serving(bench, arm, leaf(topology), PUNCTUAL, "punctual") as (_, engine, _):
        seen = engine.wait().generator.lateness_us["p99"]
    return Finding(
        "lateness p99 at 1,000/s", seen <= LATENESS_P99_US, f"at most {LATENESS_P99_US:.0f} µs", f"{seen:.1f} µs"
    )


def starved(bench: Bench, arm: Arm, topology: Topology) -> Finding:
    """With other programs on the generator's CPU the run must come out invalid."""
    with hogs(bench.placement.load), serving(bench, arm, leaf(topology), STARVED, "starved") as (_, engine, _):
        reasons = generator_reasons(engine.wait().generator)
    return Finding(
        f"generator beside {HOGS} busy programs on its CPU", bool(reasons), "invalid", "; ".join(reasons) or "valid"
    )


@contextmanager
def hogs(cpus: tuple[int, ...]) -> Iterator[None]:
    """Programs that take all they get of these CPUs, and end with us."""
    running = [subprocess.Popen([sys.executable, "-S", "-c", _SPIN]) for _ in range(HOGS * len(cpus))]
    try:
        for hog in running:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(hog.pid, cpus)
        yield
    finally:
        for hog in running:
            hog.kill()
            hog.wait()


def cut_off(bench: Bench, arm: Arm, topology: Topology) -> Finding:
    """A server that stops and never answers again: every request is accounted for, and no tail is made up."""
    with serving(bench, arm, leaf(topology), CUT_OFF, "cut-off") as (deployment, engine, window):
        pid = deployment.units["leaf-0"].pid
        bench.sleep_until_ns(window.start_ns + round(CUT_OFF.window_s * 5e8))
        os.kill(pid, signal.SIGSTOP)
        try:
            report = engine.wait()
        finally:
            os.kill(pid, signal.SIGCONT)
    return judge_cut_off(report)


def judge_cut_off(report: EngineReport) -> Finding:
    """Answered, failed and censored make up what was due, and the p99 that lies among the unanswered is no number."""
    generator = report.generator
    times = latencies(report.rows)
    p99 = exact_quantiles(times.response_ns, times.unanswered, (0.99,))[0.99]
    whole = generator.done + generator.errors + generator.censored == generator.due
    return Finding(
        "server that never answers again",
        whole and generator.censored > 0 and p99 is None,
        "done + errors + censored = due; no p99",
        f"{generator.done} + {generator.errors} + {generator.censored} of {generator.due}; p99 {p99 or 'none'}",
    )


def scheduled(report: EngineReport) -> Finding:
    """The rule of the scheduled count, on the record of a run from which 2 % were not sent for the generator's own fault."""
    short = replace(report.generator, unsent_own_fault=report.generator.due // 50)
    reasons = generator_reasons(short)
    return Finding(
        "2 % of the schedule not sent by the generator's fault", bool(reasons), "invalid", "; ".join(reasons) or "valid"
    )
