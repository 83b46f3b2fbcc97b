"""Confines a running process to CPUs, every thread and every process below it."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from harness.platforms.supervisor import descendants


def confine(pid: int, cpus: Iterable[int]) -> None:
    """Threads inherit from the thread that makes them, so look again until no thread is new."""
    wanted, done = set(cpus), set[int]()
    while new := _threads(pid) - done:
        for thread in new:
            with suppress(ProcessLookupError):
                os.sched_setaffinity(thread, wanted)
        done |= new


def _threads(pid: int) -> set[int]:
    found: set[int] = set()
    for process in (pid, *descendants(pid)):
        with suppress(OSError):
            found |= {int(task.name) for task in Path(f"/proc/{process}/task").iterdir()}
    return found
