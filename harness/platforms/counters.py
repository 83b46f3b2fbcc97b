"""What the kernel counts for a unit: all its processes and threads. Reads /proc and CPU clocks; interprets nothing.

CPU time comes from the per-process CPU clocks, in nanoseconds (a clock's id is derived from the pid, see clock_getcpuclockid(3)),
not from the 10 ms ticks of /proc/<pid>/stat. A child that has ended is counted by none of them: units don't work in children.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.model.platform import Usage
from harness.platforms.supervisor import descendants

PROC = Path("/proc")
_CPUCLOCK_SCHED = 2


def usage(pid: int, *, memory: bool) -> Usage:
    """Sums over the process and everything below it; the sizes are 0 without `memory`."""
    at_ns = time.monotonic_ns()
    pids = [pid, *_below(pid)]
    threads = [counts for each in pids for counts in _threads(each)]
    sizes = [_sizes(each) for each in pids] if memory else []
    return Usage(
        at_ns=at_ns,
        cpu_ns=sum(_cpu_ns(each) for each in pids),
        run_delay_ns=sum(thread.run_delay_ns for thread in threads),
        rss_bytes=sum(size.rss for size in sizes),
        pss_bytes=sum(size.pss for size in sizes),
        uss_bytes=sum(size.uss for size in sizes),
        voluntary_switches=sum(thread.voluntary for thread in threads),
        involuntary_switches=sum(thread.involuntary for thread in threads),
    )


def machine_cpu_ns(cpus: Iterable[int], lines: str) -> tuple[int, int]:
    """(busy, all) CPU time of these CPUs from the text of /proc/stat, whose resolution is 10 ms. Steal counts as busy."""
    busy_ticks = all_ticks = 0
    wanted = {f"cpu{cpu}" for cpu in cpus}
    for line in lines.splitlines():
        name, *fields = line.split()
        if name in wanted:
            ticks = [int(field) for field in fields[:8]]
            all_ticks += sum(ticks)
            busy_ticks += sum(ticks) - ticks[3] - ticks[4]
    return busy_ticks * NS_PER_TICK, all_ticks * NS_PER_TICK


NS_PER_TICK = 10_000_000


@dataclass(frozen=True, slots=True)
class _Sizes:
    rss: int
    pss: int
    uss: int


@dataclass(frozen=True, slots=True)
class _Thread:
    run_delay_ns: int
    voluntary: int
    involuntary: int


def _below(pid: int) -> list[int]:
    """Descendants, if it has any; the common case of none costs one small file."""
    try:
        has = any((task / "children").read_text() for task in (PROC / str(pid) / "task").iterdir())
    except OSError:
        return []
    return sorted(descendants(pid)) if has else []


def _cpu_ns(pid: int) -> int:
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError:
        return 0


def _threads(pid: int) -> list[_Thread]:
    try:
        tasks = list((PROC / str(pid) / "task").iterdir())
    except OSError:
        return []
    return [thread for thread in map(_thread, tasks) if thread is not None]


def _thread(task: Path) -> _Thread | None:
    """None if it has ended meanwhile; the others still count."""
    try:
        run_delay_ns = int((task / "schedstat").read_text().split()[1])
        status = (task / "status").read_text()
    except OSError:
        return None
    return _Thread(
        run_delay_ns, _field(status, "voluntary_ctxt_switches"), _field(status, "nonvoluntary_ctxt_switches")
    )


def _sizes(pid: int) -> _Sizes:
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:
        return _Sizes(0, 0, 0)
    private = _field(text, "Private_Clean") + _field(text, "Private_Dirty")
    return _Sizes(_field(text, "Rss") * 1024, _field(text, "Pss") * 1024, private * 1024)


def _field(text: str, name: str) -> int:
    line = next(line for line in text.splitlines() if line.startswith(f"{name}:"))
    return int(line.split()[1])
