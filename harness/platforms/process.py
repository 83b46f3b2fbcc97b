"""The process platform: a plan as plain processes on loopback, no root, no cluster. Ends everything it started, whatever happens."""

import secrets
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from harness.model.errors import EnvironmentFailure
from harness.model.mesh import PlatformFacts
from harness.model.plan import INBOUND_PORT, OUTBOUND_PORT, Plan, Unit
from harness.model.platform import Endpoint, Placement, RunningUnit, Usage
from harness.platforms import counters, programs
from harness.platforms.addresses import AddressBlock
from harness.platforms.confine import confine
from harness.platforms.disturbed import Disturbed
from harness.platforms.issuing import issue
from harness.platforms.ports import check_free
from harness.platforms.readiness import is_ready
from harness.platforms.references import resolve_unit
from harness.platforms.supervised import Supervised

POLL_S = 0.004
LOG_LINES = 15
EXIT_TOLD_WITHIN_S = 1.0
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
"""Units get this and what their plan says, never the user's environment."""


class ProcessPlatform:
    """Starts plans under one supervisor, at addresses of one block. `authority` is the folder of the run's CA."""

    name = "process"
    facts = PlatformFacts("process", interception=False)

    def __init__(self, supervised: Supervised, addresses: AddressBlock, placement: Placement, authority: Path) -> None:
        self._supervised = supervised
        self._addresses = addresses
        self._placement = placement
        self._authority = authority

    @contextmanager
    def launch(self, plan: Plan, workspace: Path) -> "Iterator[ProcessDeployment]":
        """See harness.model.platform.Platform."""
        addresses = self._addresses.assign(plan.hosts())
        check_free(plan, addresses)
        workspace.mkdir(mode=0o700, parents=True)
        issue(plan, self._authority, workspace / "identities")
        deployment = ProcessDeployment(plan, self._placement, addresses, workspace, self._supervised)
        try:
            deployment.start(_lookup(addresses, workspace, self._authority))
            yield deployment
        finally:
            deployment.close()

    def rendered(self, plan: Plan) -> list[dict[str, str]]:
        """Every file of the plan as it will be, with secrets, keys and folders left as references: safe to publish."""
        addresses = self._addresses.assign(plan.hosts())
        files = []
        for unit in plan.units:
            shown = resolve_unit(
                unit, lambda kind, name: addresses.get(name) if kind == "address" else f"${{{kind}.{name}}}"
            )
            files += [
                {
                    "unit": unit.name,
                    "file": file.name,
                    "digest": sha256(file.content.encode()).hexdigest()[:16],
                    "content": file.content,
                }
                for file in shown.files
            ]
        return files


class ProcessDeployment:
    """A plan that runs as processes; see harness.model.platform.Deployment."""

    def __init__(
        self, plan: Plan, placement: Placement, addresses: Mapping[str, str], workspace: Path, supervised: Supervised
    ) -> None:
        self.plan = plan
        self.placement = placement
        self.units: dict[str, RunningUnit] = {}
        self._addresses = addresses
        self._workspace = workspace
        self._supervised = supervised
        self.disturb = Disturbed(plan, self.units, supervised, placement.system, self.check)

    def start(self, lookup: "References") -> None:
        """Start each unit as soon as those before it (`after`) are ready; return when all are.

        Starting is work for all CPUs; once all are ready, every unit is confined to those of the system under test.
        """
        waiting, starting = list(self.plan.units), deque[tuple[Unit, float]]()
        ready: set[str] = set()
        while waiting or starting:
            for unit in [unit for unit in waiting if set(unit.after) <= ready]:
                waiting.remove(unit)
                self._start(unit, lookup)
                starting.append((unit, time.monotonic() + (unit.ready.within_s if unit.ready else 0)))
            if not starting:
                raise EnvironmentFailure(
                    f"units wait for each other: {', '.join(unit.name for unit in waiting)}; check `after`"
                )
            unit, give_up = starting.popleft()
            if self._is_ready(unit):
                ready.add(unit.name)
            elif time.monotonic() > give_up:
                raise self._late(unit)
            else:
                starting.append((unit, give_up))
                time.sleep(POLL_S / len(starting))
            self.check()
        for running in self.units.values():
            confine(running.pid, self.placement.system)

    def _start(self, unit: Unit, lookup: "References") -> None:
        folder = self._workspace / unit.name
        folder.mkdir(mode=0o700)
        resolved = resolve_unit(unit, lambda kind, name: str(folder) if kind == "dir" else lookup(kind, name))
        for file in resolved.files:
            path = folder / file.name
            path.touch(mode=0o600 if file.private else 0o644)
            path.write_text(file.content)
        argv = (*programs.command(unit.program), *resolved.args)
        log = folder / "log"
        pid = self._supervised.start(
            unit.name,
            argv,
            ENVIRONMENT | dict(resolved.environment),
            Path(unit.folder) if unit.folder else programs.import_folder(unit.program) or folder,
            log,
            sorted({*self.placement.system, *self.placement.load}),
        )
        self.units[unit.name] = RunningUnit(
            unit.name, unit.role, unit.service, unit.host, self._addresses[unit.host], pid, log
        )

    def _late(self, unit: Unit) -> EnvironmentFailure:
        assert unit.ready is not None
        asked = f"GET {unit.ready.path} there doesn't answer 200" if unit.ready.path else "nothing listens there"
        where = f"{self._addresses[unit.host]}:{unit.ready.port}"
        return EnvironmentFailure(
            f"unit {unit.name!r} isn't ready after {unit.ready.within_s} s on {where}: {asked}{self._tail(unit.name)}"
        )

    def _is_ready(self, unit: Unit) -> bool:
        return unit.ready is None or is_ready(self._addresses[unit.host], unit.ready)

    def entry_url(self) -> str:
        return f"http://{self._addresses[self.plan.entry_host]}:{self.plan.entry_port}"

    def address(self, host: str) -> str:
        return self._addresses[host]

    def inbound(self, host: str) -> Endpoint:
        return self._addresses[host], INBOUND_PORT

    def outbound(self, host: str, callee: str) -> Endpoint:  # noqa: ARG002 - a sidecar goes by the name in `Host`
        return self._addresses[host], OUTBOUND_PORT

    def log(self, unit: str) -> str:
        return self.units[unit].log.read_text(errors="replace")

    def usage(self, unit: str, *, memory: bool = True) -> Usage:
        try:
            return self.disturb.usage(unit, memory=memory)
        except OSError as error:
            self._supervised.await_exit(unit, EXIT_TOLD_WITHIN_S)
            self.check()
            raise EnvironmentFailure(f"what unit {unit!r} uses can't be read: {error}; is /proc restricted?") from error

    def platform_cpu_ns(self) -> Mapping[str, int]:
        return {}

    def machine_cpu_ns(self) -> tuple[int, int]:
        return counters.machine_cpu_ns(self.placement.system, Path("/proc/stat").read_text())

    def check(self) -> None:
        self._supervised.poll()
        for name in self.units:
            status = self._supervised.exits.get(name)
            if status is not None and name not in self.disturb.away:
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                raise EnvironmentFailure(f"unit {name!r} ended {how}{self._tail(name)}")

    def identity_dir(self, name: str) -> Path:
        return self._workspace / "identities" / name

    def close(self) -> None:
        self.disturb.undo()
        self._supervised.stop({unit.name: unit.stop_grace_s for unit in self.plan.units if unit.name in self.units})
        self.units.clear()

    def _tail(self, name: str) -> str:
        try:
            lines = self.units[name].log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        except OSError:
            lines = []
        return "; its last lines:\n  " + "\n  ".join(lines) if lines else "; it wrote nothing"


class References:
    """What a launch's references stand for."""

    def __init__(self, addresses: Mapping[str, str], workspace: Path, authority: Path) -> None:
        self._addresses = addresses
        self._workspace = workspace
        self._authority = authority
        self._secrets: dict[str, str] = {}

    def __call__(self, kind: str, name: str) -> str | None:
        match kind:
            case "address":
                return self._addresses.get(name)
            case "identity":
                return _if_there(self._workspace / "identities" / name)
            case "authority":
                return _if_there(self._authority)
            case "secret":
                return self._secrets.setdefault(name, secrets.token_urlsafe(24))
        return None


def _if_there(folder: Path) -> str | None:
    return str(folder) if folder.is_dir() else None


def _lookup(addresses: Mapping[str, str], workspace: Path, authority: Path) -> References:
    return References(addresses, workspace, authority)
