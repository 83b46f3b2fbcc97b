"""Stops and kills a container's processes from its node, and undoes it in time whether or not anybody asks.

A pause ends by a timer that keeps this program alive until then. A killed container is started again by the kubelet, when it likes;
what it starts before `for_s` is over is stopped before it can serve, and goes on then. Stamps are CLOCK_MONOTONIC ns.
"""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness.platforms import container_reads, counters
from harness.platforms.cgroup_tree import Tree, children, container_of

NS_PER_S = 1_000_000_000
POLL_S = 0.002
GONE_WITHIN_S = 5.0
RETURNS_WITHIN_S = 360.0
"""The kubelet waits up to five minutes before it starts again what ends often."""
RUNTIMES = ("runc", "crun", "youki")
"""While a process is still called so, it is the runtime's own, and the runtime would wait for it."""


@dataclass(slots=True)
class Life:
    """What came after a container that was killed: its id and when it could begin to serve; "" and 0 until it could."""

    container: str = ""
    started_ns: int = 0


@dataclass(slots=True)
class _Pause:
    timer: threading.Timer
    ended_ns: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class ContainerFaults:
    """On the containers of one node."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._pauses: dict[str, _Pause] = {}
        self._lives: dict[str, Life] = {}

    def pause(self, container: str, for_s: float) -> int:
        """When all of its processes had been told to stop."""
        folder = self._tree.folder(container)
        self.resume(container)
        timer = threading.Timer(for_s, self.resume, (container,))
        self._pauses[container] = _Pause(timer)
        timer.start()
        return _signal_all(lambda: self._tree.processes(folder), signal.SIGSTOP)

    def resume(self, container: str) -> int:
        """When it went on, now or before by itself; 0 if it never was paused. A container that has ended needs nothing."""
        pause = self._pauses.get(container)
        if pause is None:
            return 0
        with pause.lock:
            if pause.ended_ns == 0:
                pause.timer.cancel()
                with suppress(LookupError):
                    folder = self._tree.folder(container)
                    _signal_all(lambda: self._tree.processes(folder), signal.SIGCONT)
                pause.ended_ns = time.monotonic_ns()
            return pause.ended_ns

    def kill(self, container: str, for_s: float) -> int:
        """When it was told; it is gone when this returns. TimeoutError if it won't go."""
        folder = self._tree.folder(container)
        before = {each.name for each in children(folder.parent)}
        pids = self._tree.processes(folder)
        killed_ns = _signal_all(lambda: pids, signal.SIGKILL)
        life = self._lives[container] = Life()
        hold = (folder.parent, before, life, killed_ns + round(for_s * NS_PER_S))
        threading.Thread(target=self._hold, args=hold, name="hold", daemon=False).start()
        _await_gone(pids)
        return killed_ns

    def life(self, container: str) -> Life:
        """What came after it; LookupError if it wasn't killed here."""
        if container not in self._lives:
            raise LookupError(f"container {container[:12]!r} wasn't killed by this agent")
        return self._lives[container]

    def _hold(self, pod: Path, before: set[str], life: Life, until_ns: int) -> None:
        give_up_ns = until_ns + round(RETURNS_WITHIN_S * NS_PER_S)
        while time.monotonic_ns() < give_up_ns and pod.exists():
            for folder in children(pod):
                if folder.name not in before and container_of(folder) and (pids := self._begun(folder)):
                    seen_ns = time.monotonic_ns()
                    life.started_ns = _held(pids, until_ns) if seen_ns < until_ns else seen_ns
                    life.container = container_of(folder)
                    return
            time.sleep(POLL_S)

    def _begun(self, folder: Path) -> list[int]:
        """Its processes once none of them is the container runtime's any more."""
        pids = self._tree.processes(folder)
        return [] if any(_name(pid).startswith(RUNTIMES) for pid in pids) else pids


def _held(pids: list[int], until_ns: int) -> int:
    """Stopped until then; when they went on."""
    _signal_all(lambda: pids, signal.SIGSTOP)
    try:
        time.sleep(max(0, until_ns - time.monotonic_ns()) / NS_PER_S)
    finally:
        at_ns = _signal_all(lambda: pids, signal.SIGCONT)
    return at_ns


def _signal_all(pids: Callable[[], list[int]], number: signal.Signals) -> int:
    """To all, and to those that they started meanwhile; when it was done."""
    told: set[int] = set()
    while new := set(pids()) - told:
        for pid in new:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        told |= new
    return time.monotonic_ns()


def _await_gone(pids: list[int]) -> None:
    """A zombie is gone: its files and sockets are closed."""
    give_up = time.monotonic() + GONE_WITHIN_S
    while left := [pid for pid in pids if container_reads.state(pid) not in {"", "Z", "X"}]:
        if time.monotonic() > give_up:
            raise TimeoutError(f"processes {left} are still there {GONE_WITHIN_S:g} s after SIGKILL")
        time.sleep(POLL_S)


def _name(pid: int) -> str:
    try:
        return (counters.PROC / str(pid) / "comm").read_text()
    except OSError:
        return ""
