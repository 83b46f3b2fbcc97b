"""Platform: the only thing that starts a plan. Deployment: a plan that is running."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.model.mesh import PlatformFacts
from harness.model.plan import Plan, Role


@dataclass(frozen=True, slots=True)
class Usage:
    """What one unit (all processes of it) has used up to `at_ns` (CLOCK_MONOTONIC). Counters count from its start.

    `run_delay_ns` is time spent runnable but waiting for a CPU. The last five are a container's only: of `periods` in which it had
    a quota and ran, it was halted in `throttled_periods`; `oom_kills` are processes that the kernel killed for its memory limit.
    """

    at_ns: int
    cpu_ns: int
    run_delay_ns: int
    rss_bytes: int
    pss_bytes: int
    uss_bytes: int
    voluntary_switches: int
    involuntary_switches: int
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0
    working_set_bytes: int = 0
    oom_kills: int = 0


@dataclass(frozen=True, slots=True)
class RunningUnit:
    """A unit as it runs: `pid` is for people and faults; `log` is its output."""

    name: str
    role: Role
    service: str
    host: str
    address: str
    pid: int
    log: Path


@dataclass(frozen=True, slots=True)
class Placement:
    """CPUs of the system under test and of the load generator (with the harness). Equal when there is only one."""

    system: tuple[int, ...]
    load: tuple[int, ...]

    @property
    def apart(self) -> bool:
        """Whether the load can't take CPU from the system under test."""
        return not set(self.system) & set(self.load)


class Disturbing(Protocol):
    """What faults may do to the units of a deployment. Stamps are CLOCK_MONOTONIC ns.

    Pauses and kills end by themselves after `for_s`, also when the harness has died. While a unit is killed its end is no failure.
    """

    def pause(self, unit: str, for_s: float) -> int:
        """Stop it, as a stalled machine would; when it was done."""
        ...

    def stopped(self, unit: str) -> bool:
        """Whether the unit is paused now, as the system tells it."""
        ...

    def resume(self, unit: str) -> int:
        """Let it go on, if it hasn't yet; when it did."""
        ...

    def kill(self, unit: str, for_s: float) -> int:
        """Kill it; when it was done. It is gone when this returns."""
        ...

    def restart(self, unit: str) -> tuple[int, int]:
        """Wait until it has been started again and is ready: when each was. EnvironmentFailure if it doesn't get ready."""
        ...

    def connections(self, unit: str) -> int:
        """Open TCP connections to the unit's ports."""
        ...


Endpoint = tuple[str, int]
"""An IP address of this machine, and a port."""


class Deployment(Protocol):
    """A running plan. `close` ends every unit and is idempotent."""

    @property
    def plan(self) -> Plan: ...
    @property
    def placement(self) -> Placement: ...
    @property
    def units(self) -> Mapping[str, RunningUnit]: ...
    @property
    def disturb(self) -> Disturbing: ...

    def entry_url(self) -> str:
        """Where load enters, `http://address:port`."""
        ...

    def address(self, host: str) -> str:
        """The IP address of a host."""
        ...

    def inbound(self, host: str) -> Endpoint:
        """Where a call from outside meets the host's sidecar; without one nobody listens at INBOUND_PORT there."""
        ...

    def outbound(self, host: str, callee: str) -> Endpoint:
        """Where a call goes, with the callee's name as its `Host`, that is to be like one of the host's own app to that service."""
        ...

    def log(self, unit: str) -> str:
        """What the unit has written so far."""
        ...

    def usage(self, unit: str, *, memory: bool = True) -> Usage:
        """What the unit used until now; without `memory` the three sizes are 0 (reading them costs a millisecond)."""
        ...

    def machine_cpu_ns(self) -> tuple[int, int]:
        """(busy, all) CPU time of the CPUs of `placement.system` since boot, kernel work that belongs to no process included."""
        ...

    def platform_cpu_ns(self) -> Mapping[str, int]:
        """CPU time until now of what carries the units and is none of them, by name (`kubernetes`); empty if nothing does."""
        ...

    def check(self) -> None:
        """Raises EnvironmentFailure, with the last log lines, if a unit died."""
        ...

    def identity_dir(self, name: str) -> Path:
        """The folder of an identity the plan asked for (`cert.pem`, `key.pem`, `ca.pem`)."""
        ...

    def close(self) -> None: ...


class Platform(Protocol):
    """Starts plans. Everything it started is gone when the deployment closes or the harness ends, however it ends."""

    name: str
    facts: PlatformFacts

    def launch(self, plan: Plan, workspace: Path) -> AbstractContextManager[Deployment]:
        """Resolve the plan's references, start its units in order, wait until each is ready.

        Unit folders and logs go below `workspace`. Raises EnvironmentFailure: a port taken, a program missing, a unit that
        died or isn't ready in time (with its last log lines).
        """
        ...

    def rendered(self, plan: Plan) -> list[dict[str, str]]:
        """Every file of the plan as it will be (unit, file, digest, content), with secrets and keys left as references."""
        ...
