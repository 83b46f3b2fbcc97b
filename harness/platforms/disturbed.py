"""Pauses and kills units of a process deployment, and keeps what killed ones have used. The supervisor does the deeds."""

import time
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Plan
from harness.model.platform import RunningUnit, Usage
from harness.platforms import counters
from harness.platforms.readiness import is_ready
from harness.platforms.supervised import Supervised

POLL_S = 0.004
LONGEST_S = 3600.0
ESTABLISHED = "01"
_NOTHING = Usage(0, 0, 0, 0, 0, 0, 0, 0)
_SIZES = ("rss_bytes", "pss_bytes", "uss_bytes", "working_set_bytes")


class Disturbed:
    """See harness.model.platform.Disturbing. `away` are the units whose end is no failure now."""

    def __init__(
        self,
        plan: Plan,
        units: dict[str, RunningUnit],
        supervised: Supervised,
        cpus: Sequence[int],
        check: Callable[[], None],
    ) -> None:
        self.away: set[str] = set()
        self._plan = plan
        self._units = units
        self._supervised = supervised
        self._cpus = cpus
        self._check = check
        self._paused: set[str] = set()
        self._spent: dict[str, Usage] = {}
        self._counted: dict[str, tuple[frozenset[str], int]] = {}

    def pause(self, unit: str, for_s: float) -> int:
        self._paused.add(unit)
        at_ns = self._supervised.pause(unit, for_s)
        self._check()
        return at_ns

    def stopped(self, unit: str) -> bool:
        try:
            return _state(self._units[unit].pid) == "T"
        except OSError:
            return False

    def resume(self, unit: str) -> int:
        self._supervised.undo(unit)
        self._paused.discard(unit)
        return self._supervised.resumed(unit, 0.0)

    def kill(self, unit: str, for_s: float) -> int:
        self._spent[unit] = self.usage(unit, memory=False)
        self.away.add(unit)
        return self._supervised.kill(unit, for_s, self._cpus)

    def restart(self, unit: str) -> tuple[int, int]:
        started_ns = self._supervised.restarted(unit, LONGEST_S)
        self._units[unit] = replace(self._units[unit], pid=self._supervised.pids[unit])
        self.away.discard(unit)
        ready, address = self._plan.unit(unit).ready, self._units[unit].address
        give_up = time.monotonic() + (ready.within_s if ready else 0.0)
        while ready and not is_ready(address, ready):
            self._check()
            if time.monotonic() > give_up:
                raise EnvironmentFailure(
                    f"unit {unit!r} isn't ready {ready.within_s:g} s after it was killed and started"
                )
            time.sleep(POLL_S)
        return started_ns, time.monotonic_ns()

    def connections(self, unit: str) -> int:
        """Reading the kernel's table takes the CPU for milliseconds, away from the generator: only when the unit's sockets have changed."""
        held = frozenset[str]() if unit in self.away else counters.sockets(self._units[unit].pid)
        before, count = self._counted.get(unit, (None, 0))
        if held != before:
            table = Path("/proc/net/tcp").read_text()
            count = established(table, self._units[unit].address, self._plan.unit(unit).ports)
            self._counted[unit] = held, count
        return count

    def undo(self) -> None:
        """Let paused units go on; killed ones aren't started any more."""
        for unit in {*self._paused, *self.away}:
            self._supervised.undo(unit)
        self._paused.clear()

    def usage(self, unit: str, *, memory: bool) -> Usage:
        """What all its processes, one after the other, have used; a killed one has no memory. OSError if it can't be read."""
        try:
            now = _NOTHING if unit in self.away else counters.usage(self._units[unit].pid, memory=memory)
        except OSError:
            if unit not in self.away:
                raise
            now = _NOTHING  # killed since we looked
        return added(now, self._spent.get(unit, _NOTHING), time.monotonic_ns())


def added(now: Usage, before: Usage, at_ns: int) -> Usage:
    """Counters of both; sizes are those of now."""
    sums = {
        each.name: getattr(now, each.name) + getattr(before, each.name)
        for each in fields(Usage)
        if each.name not in {"at_ns", *_SIZES}
    }
    return replace(now, at_ns=now.at_ns or at_ns, **sums)


def established(table: str, address: str, ports: tuple[int, ...]) -> int:
    """Open connections to these ports of an IPv4 address, from the text of /proc/net/tcp."""
    host = "".join(f"{int(part):02X}" for part in reversed(address.split(".")))
    wanted = {f"{host}:{port:04X}" for port in ports}
    lines = (line.split() for line in table.splitlines()[1:])
    return sum(1 for line in lines if line[1] in wanted and line[3] == ESTABLISHED)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
