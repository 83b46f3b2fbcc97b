"""Every thread and child of a process ends up on the CPUs asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.platforms.confine import confine

THREADS = """
import subprocess, sys, threading
stop = threading.Event()
for _ in range(3):
    threading.Thread(target=stop.wait, daemon=True).start()
child = subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.read()
child.kill()
"""


@pytest.mark.system
def test_threads_and_children_are_confined() -> None:
    cpu = max(os.sched_getaffinity(0))
    words = [sys.executable, "-S", "-c", THREADS]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        confine(parent.pid, (cpu,))

        threads = [int(task.name) for task in Path(f"/proc/{parent.pid}/task").iterdir()]
        assert len(threads) == 4
        assert all(os.sched_getaffinity(thread) == {cpu} for thread in (*threads, child))
        parent.communicate("")


def test_a_process_that_is_gone_is_no_error() -> None:
    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    confine(ended.pid, (0,))
