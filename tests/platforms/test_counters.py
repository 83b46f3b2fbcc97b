"""Counters of processes that are made for the purpose."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.platforms import counters

Spawn = Callable[[str], int]
STAT = """cpu  1000 0 0 0 0 0 0 0 0 0
cpu0 10 20 30 400 50 6 7 8 90 91
cpu1 1 1 1 1 1 1 1 1 0 0
cpu10 5 5 5 5 5 5 5 5 0 0
intr 12345 cpu0
"""


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Runs Python code until it says `up`; returns its pid."""
    with ExitStack() as stack:

        def start(code: str) -> int:
            words = [sys.executable, "-c", f"import os, signal, threading\n{code}"]
            process = stack.enter_context(subprocess.Popen(words, stdout=subprocess.PIPE, start_new_session=True))
            stack.callback(os.killpg, process.pid, signal.SIGKILL)
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            return process.pid

        yield start


def test_the_machines_time_is_of_the_cpus_asked_for_in_nanoseconds() -> None:
    busy_ns, all_ns = counters.machine_cpu_ns([0], STAT)

    assert all_ns == (10 + 20 + 30 + 400 + 50 + 6 + 7 + 8) * 10_000_000
    assert busy_ns == all_ns - (400 + 50) * 10_000_000


def test_cpus_add_up_and_cpu_1_is_not_cpu_10() -> None:
    assert counters.machine_cpu_ns([1], STAT) == (60_000_000, 80_000_000)
    assert counters.machine_cpu_ns([1, 10], STAT) == (360_000_000, 480_000_000)


def test_the_kernel_writes_what_is_read_here() -> None:
    busy_ns, all_ns = counters.machine_cpu_ns(os.sched_getaffinity(0), Path("/proc/stat").read_text())

    assert 0 < busy_ns < all_ns


@pytest.mark.system
def test_children_count_with_their_parent(spawn: Spawn) -> None:
    burn = "sum(range(2_000_000))"
    alone = spawn("print('up', flush=True); signal.pause()")
    family = spawn(
        f"held = [os.pipe() for _ in range(2)]\n"
        f"for read, write in held:\n"
        f"    if not os.fork():\n"
        f"        {burn}; data = bytearray(16 << 20); os.write(write, b'x'); signal.pause()\n"
        f"[os.read(read, 1) for read, _ in held]\n"
        f"print('up', flush=True); signal.pause()"
    )
    one, all_of_them = counters.usage(alone, memory=True), counters.usage(family, memory=True)

    assert all_of_them.uss_bytes - one.uss_bytes > 28 * 2**20
    assert all_of_them.cpu_ns > one.cpu_ns
    assert all_of_them.rss_bytes > 2 * one.rss_bytes
    assert one.rss_bytes >= one.pss_bytes >= one.uss_bytes > 0


@pytest.mark.system
def test_threads_count_with_their_process(spawn: Spawn) -> None:
    pid = spawn(
        "ready = threading.Barrier(4)\n"
        "wait = lambda: [ready.wait(), signal.sigwait({signal.SIGUSR1})]\n"
        "[threading.Thread(target=wait, daemon=True).start() for _ in range(3)]\n"
        "ready.wait(); print('up', flush=True); signal.pause()"
    )

    usage = counters.usage(pid, memory=False)

    assert usage.voluntary_switches >= 4
    assert usage.run_delay_ns > 0


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /proc of files, in which this very process has threads 0, 1, 2; of the middle one only the folder is left."""
    monkeypatch.setattr(counters, "PROC", tmp_path)
    for number in range(3):
        task = tmp_path / str(os.getpid()) / "task" / str(number)
        task.mkdir(parents=True)
        (task / "children").touch()
        if number != 1:
            (task / "schedstat").write_text("1 20 3\n")
            (task / "status").write_text(
                "Name: x\nvoluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t7\nMore: 1\n"
            )
    return tmp_path / str(os.getpid())


def test_a_thread_that_has_ended_meanwhile_hides_no_other(made_up: Path) -> None:
    usage = counters.usage(os.getpid(), memory=False)

    assert (usage.run_delay_ns, usage.voluntary_switches, usage.involuntary_switches) == (40, 10, 14)


def test_a_kernel_that_counts_no_run_delay_is_an_error_and_not_a_zero(made_up: Path) -> None:
    for file in made_up.glob("task/*/schedstat"):
        file.unlink()
    with pytest.raises(FileNotFoundError, match="schedstat"):
        counters.usage(os.getpid(), memory=False)


@pytest.mark.parametrize("memory", [False, True])
def test_a_process_that_has_ended_is_an_error_and_not_a_zero(memory: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with pytest.raises(ProcessLookupError, match=f"process {ended.pid} has ended"):
        counters.usage(ended.pid, memory=memory)


def test_without_lists_of_children_they_are_looked_for(made_up: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in made_up.glob("task/*/children"):
        file.unlink()
    asked: list[int] = []

    def descendants(root: int) -> set[int]:
        asked.append(root)
        return set()

    monkeypatch.setattr(counters, "descendants", descendants)
    counters.usage(os.getpid(), memory=False)

    assert asked == [os.getpid()]
