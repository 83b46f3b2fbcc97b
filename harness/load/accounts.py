"""What the kernel says about this process: its clock, the CPU time it used, and the time it waited for a CPU."""

import os
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.model.run import ClockDomain


@dataclass(frozen=True, slots=True)
class Edge:
    """What this process has used up to a time (its only thread)."""

    at_ns: int
    cpu_ns: int
    run_delay_ns: int


def edge() -> Edge:
    """Now."""
    delay = Path("/proc/self/schedstat").read_bytes().split()[1]
    return Edge(time.monotonic_ns(), time.process_time_ns(), int(delay))


def give_way() -> None:
    """Don't take the CPU from whoever uses it when we wake up: for those who sit beside a generator. Children inherit it."""
    with suppress(OSError):  # a sandbox may forbid it; then we are a little less polite
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


AHEAD = -15
"""The nice value of a generator that has CPUs of its own: other programs of the machine shouldn't make it late."""


def insist(*, apart: bool) -> None:
    """Undo what we inherited of `give_way`: a generator takes the CPU when a request is due.

    On CPUs `apart` from those of the system under test also from programs that aren't ours, as far as the kernel lets us (root, or
    a limit on `nice`).
    """
    if apart:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, 0, AHEAD)
    if os.sched_getscheduler(0) == os.SCHED_BATCH:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def clock_domain() -> ClockDomain:
    """Which clock our stamps belong to."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return ClockDomain(boot_id, time.monotonic_ns(), time.time_ns())
