"""What the kernel counts for a unit: all its processes and threads. Reads /proc and CPU clocks; interprets nothing.

CPU time comes from the per-process CPU clocks, in nanoseconds (a clock's id is derived from the pid, see clock_getcpuclockid(3)),
not from the 10 ms ticks of /proc/<pid>/stat; threads that have ended are in it. A child that has ended is in none of the counters:
units don't work in children. Run delay and context switches are per thread only (/proc/<pid>/schedstat is the main thread's), so
those of ended threads are lost. Files are read by descriptor, since `Path.read_text` costs four times as much and units have many threads.
"""

import os
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.model.platform import Usage
from harness.platforms.supervisor import descendants

PROC = Path("/proc")
NS_PER_TICK = 10_000_000
_CPUCLOCK_SCHED = 2
_FILE_BYTES = 1 << 16
_SOCKET = re.compile(r"socket:").match
_SWITCHES = re.compile(rb"^voluntary_ctxt_switches:\s+(\d+)\nnonvoluntary_ctxt_switches:\s+(\d+)$", re.MULTILINE)
_SIZE = re.compile(rb"^(Rss|Pss|Private_Clean|Private_Dirty):\s+(\d+) kB$", re.MULTILINE)


def usage(pid: int, *, memory: bool) -> Usage:
    """Sums over the process and everything below it; the sizes are 0 without `memory`.

    OSError if the process itself can't be read (ProcessLookupError: it has ended); what ends below it meanwhile is left out.
    """
    at_ns = time.monotonic_ns()
    return _sums(at_ns, [_process(pid, memory), *_counts(_below(pid), memory)])


def usage_of(pids: Iterable[int], *, memory: bool) -> Usage:
    """Sums over these processes; those that have ended are left out."""
    at_ns = time.monotonic_ns()
    return _sums(at_ns, list(_counts(pids, memory)))


def _counts(pids: Iterable[int], memory: bool) -> "Iterator[_Counts]":
    for pid in pids:
        with suppress(ProcessLookupError, FileNotFoundError):
            yield _process(pid, memory)


def _sums(at_ns: int, counts: "Sequence[_Counts]") -> Usage:
    return Usage(
        at_ns=at_ns,
        cpu_ns=sum(each.cpu_ns for each in counts),
        run_delay_ns=sum(each.run_delay_ns for each in counts),
        rss_bytes=sum(each.rss_bytes for each in counts),
        pss_bytes=sum(each.pss_bytes for each in counts),
        uss_bytes=sum(each.uss_bytes for each in counts),
        voluntary_switches=sum(each.voluntary for each in counts),
        involuntary_switches=sum(each.involuntary for each in counts),
    )


def sockets(pid: int) -> frozenset[str]:
    """Names of the open sockets of a process and everything below it; those of a process that ends meanwhile are left out."""
    found: set[str] = set()
    for each in (pid, *_below(pid)):
        with suppress(ProcessLookupError, FileNotFoundError):
            found.update(filter(_SOCKET, map(_target, _descriptors(each))))
    return frozenset(found)


def machine_cpu_ns(cpus: Iterable[int], lines: str) -> tuple[int, int]:
    """(busy, all) CPU time of these CPUs from the text of /proc/stat, whose resolution is 10 ms. Steal counts as busy.

    Most kernels charge a whole tick to whatever runs when it comes. On a CPU half loaded by a chain of services it was within 4 %
    of cgroup v1's nanosecond counter over 5 s; there is no finer counter that every kernel has (cgroup v2 has none at its root).
    """
    busy_ticks = all_ticks = 0
    wanted = {f"cpu{cpu}" for cpu in cpus}
    for line in lines.splitlines():
        name, *fields = line.split()
        if name in wanted:
            ticks = [int(field) for field in fields[:8]]
            all_ticks += sum(ticks)
            busy_ticks += sum(ticks) - ticks[3] - ticks[4]
    return busy_ticks * NS_PER_TICK, all_ticks * NS_PER_TICK


@dataclass(frozen=True, slots=True)
class _Counts:
    """One process."""

    cpu_ns: int
    run_delay_ns: int
    voluntary: int
    involuntary: int
    rss_bytes: int
    pss_bytes: int
    uss_bytes: int


def _process(pid: int, memory: bool) -> _Counts:
    cpu_ns = _cpu_ns(pid)
    run_delay_ns, voluntary, involuntary = (sum(column) for column in zip(*_threads(pid), strict=True))
    rss_bytes, pss_bytes, uss_bytes = _sizes(pid) if memory else (0, 0, 0)
    return _Counts(cpu_ns, run_delay_ns, voluntary, involuntary, rss_bytes, pss_bytes, uss_bytes)


def _below(pid: int) -> list[int]:
    """Descendants, if it has any: that costs one small file per thread. Kernels without those files cost a walk over /proc."""
    try:
        has = any(_read(f"{task}/children") for task in _tasks(pid))
    except (FileNotFoundError, ProcessLookupError):
        has = True
    return sorted(descendants(pid)) if has else []


def _cpu_ns(pid: int) -> int:
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED)
    except OSError as error:
        raise ProcessLookupError(f"process {pid} has ended") from error


def _threads(pid: int) -> Sequence[tuple[int, int, int]]:
    """(run delay, voluntary, involuntary switches) of each; one that ends meanwhile hides no other, but all of them can't."""
    threads = []
    failure: OSError = ProcessLookupError(f"process {pid} has ended")
    for task in _tasks(pid):
        try:
            threads.append(_thread(task))
        except (FileNotFoundError, ProcessLookupError) as error:
            failure = error
    if not threads:
        raise failure
    return threads


def _tasks(pid: int) -> list[str]:
    with os.scandir(f"{PROC}/{pid}/task") as threads:
        return [thread.path for thread in threads]


def _descriptors(pid: int) -> list[str]:
    with os.scandir(f"{PROC}/{pid}/fd") as descriptors:
        return [descriptor.path for descriptor in descriptors]


def _target(link: str) -> str:
    try:
        return os.readlink(link)  # noqa: PTH115 - there are many
    except FileNotFoundError:
        return ""


def _thread(task: str) -> tuple[int, int, int]:
    run_delay_ns = int(_read(f"{task}/schedstat").split()[1])
    switches = _SWITCHES.search(_read(f"{task}/status"))
    if switches is None:
        raise ProcessLookupError(f"{task} has ended")
    return run_delay_ns, int(switches[1]), int(switches[2])


def _sizes(pid: int) -> tuple[int, int, int]:
    """RSS, PSS and USS in bytes."""
    kib = {name: int(size) for name, size in _SIZE.findall(_read(f"{PROC}/{pid}/smaps_rollup"))}
    return kib[b"Rss"] * 1024, kib[b"Pss"] * 1024, (kib[b"Private_Clean"] + kib[b"Private_Dirty"]) * 1024


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _FILE_BYTES)
    finally:
        os.close(descriptor)
