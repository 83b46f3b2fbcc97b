"""Reads and disturbs the containers of units in a cluster, through agents on their nodes; keeps what killed ones have used.

The kubelet starts a killed container again, under another id and in the same pod. It knows no kubectl: who places units tells it
their containers, and what is ready.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Plan
from harness.model.platform import Usage
from harness.platforms.disturbed import added

POLL_S = 0.01
FRESH_NS = 50_000_000
KILL_WITHIN_S = 15.0
RETURNS_WITHIN_S = 360.0
"""The kubelet waits up to five minutes before it starts again what ends often."""
READY_WITHIN_S = 30.0
_NOTHING = Usage(0, 0, 0, 0, 0, 0, 0, 0)


class Agent(Protocol):
    """What answers on a unit's node, see harness.platforms.container_ops."""

    def ask(self, op: str, *, within_s: float = ..., **arguments: Any) -> Any:  # Any: JSON values
        """EnvironmentFailure with its words if it has no answer."""
        ...


class ClusterUnits:
    """See harness.model.platform.Disturbing. `away` are the units whose end is no failure now.

    `containers` are their ids by unit; after a restart the unit's new one is put there. `killing` is told before a unit is killed.
    """

    def __init__(
        self,
        plan: Plan,
        containers: dict[str, str],
        agent_of: Callable[[str], Agent],
        ready: Callable[[str], bool],
        check: Callable[[], None],
        killing: Callable[[str], None] = lambda _unit: None,
        fresh_ns: int = FRESH_NS,
    ) -> None:
        self.away: set[str] = set()
        self._plan = plan
        self._containers = containers
        self._agent_of = agent_of
        self._ready = ready
        self._check = check
        self._killing = killing
        self._fresh_ns = fresh_ns
        self._paused: set[str] = set()
        self._spent: dict[str, Usage] = {}
        self._read: dict[tuple[str, bool], Usage] = {}

    def pause(self, unit: str, for_s: float) -> int:
        self._paused.add(unit)
        at_ns: int = self._ask(unit, "pause", for_s=for_s)
        self._check()
        return at_ns

    def stopped(self, unit: str) -> bool:
        return bool(self._ask(unit, "stopped"))

    def resume(self, unit: str) -> int:
        at_ns: int = self._ask(unit, "resume")
        self._paused.discard(unit)
        return at_ns

    def kill(self, unit: str, for_s: float) -> int:
        self._read.clear()
        self._spent[unit] = self.usage(unit, memory=False)
        self.away.add(unit)
        self._killing(unit)
        at_ns: int = self._ask(unit, "kill", within_s=KILL_WITHIN_S, for_s=for_s)
        return at_ns

    def restart(self, unit: str) -> tuple[int, int]:
        container, started_ns = self._successor(unit)
        self._containers[unit] = container
        self._read.clear()
        self.away.discard(unit)
        wanted = self._plan.unit(unit).ready
        within_s = max(READY_WITHIN_S, wanted.within_s if wanted else 0.0)
        give_up = time.monotonic() + within_s
        while not self._ready(unit):
            self._check()
            if time.monotonic() > give_up:
                raise EnvironmentFailure(f"unit {unit!r} isn't ready {within_s:g} s after it was killed and started")
            time.sleep(POLL_S)
        return started_ns, time.monotonic_ns()

    def connections(self, unit: str) -> int:
        return int(self._ask(unit, "connections", ports=list(self._plan.unit(unit).ports)))

    def undo(self) -> None:
        """Let paused units go on; an agent that is gone did so itself."""
        for unit in tuple(self._paused):
            with suppress(EnvironmentFailure):
                self.resume(unit)
        self._paused.clear()

    def usage(self, unit: str, *, memory: bool) -> Usage:
        """What all its containers, one after the other, have used; a killed one has no memory."""
        now = _NOTHING if unit in self.away else self._now(unit, memory)
        return added(now, self._spent.get(unit, _NOTHING), time.monotonic_ns())

    def shares(self, unit: str) -> tuple[int, int, int]:
        """(stamp, CPU time of the unit's whole node, CPU time of all pods on it) in ns."""
        document = self._ask(unit, "shares")
        return document["at_ns"], document["node_cpu_ns"], document["pods_cpu_ns"]

    def _now(self, unit: str, memory: bool) -> Usage:
        """All units of the agent are read at once: each reading is given out once, and none when it is older than `fresh_ns`."""
        found = self._read.pop((unit, memory), None)
        if found is None or time.monotonic_ns() - found.at_ns > self._fresh_ns:
            self._read_all(self._agent_of(unit), memory)
            found = self._read.pop((unit, memory))
        return found

    def _read_all(self, agent: Agent, memory: bool) -> None:
        here = {
            unit: each
            for unit, each in self._containers.items()
            if unit not in self.away and self._agent_of(unit) is agent
        }
        try:
            answer = agent.ask("containers", ids=list(here.values()), memory=memory)
        except EnvironmentFailure:
            self._check()
            raise
        self._read |= {(unit, memory): Usage(**answer[each]) for unit, each in here.items()}

    def _successor(self, unit: str) -> tuple[str, int]:
        give_up = time.monotonic() + RETURNS_WITHIN_S
        while not (life := self._ask(unit, "life"))["container"]:
            if time.monotonic() > give_up:
                raise EnvironmentFailure(
                    f"unit {unit!r} wasn't started again by the kubelet within {RETURNS_WITHIN_S:g} s after it was killed: "
                    "kubectl describe pod tells why"
                )
            time.sleep(POLL_S)
        return life["container"], life["started_ns"]

    def _ask(self, unit: str, op: str, *, within_s: float = 10.0, **arguments: Any) -> Any:  # Any: JSON values
        return self._agent_of(unit).ask(op, within_s=within_s, container=self._containers[unit], **arguments)
