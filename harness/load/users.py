"""Loads that are locustfiles, seen from the harness: what a file holds, and the engine that runs it. Doesn't import Locust.

Locust patches sockets, threads and subprocesses of whoever imports it, so that happens in processes of their own only.
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness import registry
from harness.load.control import ENGINE, Engine
from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.run import Load, WorkerClock, Workload
from harness.records import from_json

MASTER = (sys.executable, "-m", "harness.load.locust_master")
INSPECTOR = (sys.executable, "-m", "harness.load.locust_file")
INSPECTED_WITHIN_S = 30.0
WORKERS_LEAD_NS = 100_000_000
STEADY = "steady"
"""The built-in locustfile that sends what the engine alone would."""
MAX_WORKERS = 16
"""Each takes a second of CPU time to start, and all must be there within half a minute."""


@dataclass(frozen=True, slots=True)
class Users:
    """The users of a locustfile. `loop` is open or closed; the rest holds for open loops, where the class says it."""

    loop: str
    names: tuple[str, ...]
    rate_rps: float = 0.0
    arrivals: str = "poisson"
    connections: int = 16
    timeout_s: float = 15.0


def find(name: str, workers: int = 1) -> tuple[Workload, Users]:
    """The workload of that built-in name or path, and its users. The file's code is run, in a process of its own.

    UsageError if there is no such file, if it raises (with its line), or if it holds nothing that hoptax can run.
    """
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"{workers} workers: allowed are 1 to {MAX_WORKERS}")
    path = registry.find_file("users", name)
    users = inspected(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return Workload(name, digest, users.loop, workers), users


def inspected(path: Path) -> Users:
    """What a locustfile holds; see `find` for the errors."""
    try:
        asked = subprocess.run(
            [*INSPECTOR, str(path)], capture_output=True, text=True, timeout=INSPECTED_WITHIN_S, check=False
        )
        answer = json.loads(asked.stdout)
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"locustfile {path} isn't loaded after {INSPECTED_WITHIN_S:.0f} s: does it wait for something when imported?"
        ) from None
    except ValueError as error:
        words = asked.stderr.strip().splitlines()
        raise EnvironmentFailure(
            f"locustfile {path} can't be looked at: {words[-1] if words else f'status {asked.returncode}'}"
        ) from error
    if "refused" in answer:
        raise UsageError(answer["refused"])
    return from_json(Users, answer)


def with_workload(load: Load, name: str, workers: int, said: Collection[str]) -> Load:
    """The load as these users' load. What was not `said` (names of settings, such as rate) is taken from an open loop's class.

    UsageError as in `find`, for workers without users, and for settings that users who wait for answers can't have.
    """
    if not name:
        if "workers" in said:
            raise UsageError("workers share the load of a locustfile: name one, or leave workers out")
        return load
    workload, users = find(name, workers)
    if users.loop == "open":
        taken = {field: getattr(users, field) for setting, field in _OF_CLASS.items() if setting not in said}
        return replace(load, workload=workload, **taken)
    if unfit := sorted({"rate", "arrivals", "seed"} & set(said)):
        raise UsageError(
            f"{unfit[0]} is given, but the users of {name} ({', '.join(users.names)}) wait for their answers: leave it out, and "
            "say with connections how many users there are"
        )
    return replace(load, rate_rps=0.0, workload=workload)


_OF_CLASS = {"rate": "rate_rps", "arrivals": "arrivals", "connections": "connections", "timeout": "timeout_s"}


def engine(load: Load, cpus: Sequence[int] = (), web_port: int = 0, engines: Sequence[Sequence[str]] = ()) -> Engine:
    """The engine for a load: hoptax's own, or Locust's master with its workers (and its page on `web_port`).

    `engines` are the commands of the engines that an open loop's workers drive, one each, when those run elsewhere.
    """
    if not load.workload.name:
        return Engine(cpus, command=ENGINE)
    path = registry.find_file("users", load.workload.name)
    options = ["--workers", str(load.workload.workers), "--web-port", str(web_port)]
    if engines:
        options += ["--engines", json.dumps([list(command) for command in engines])]
    return Engine(cpus, command=[*MASTER, str(path), *options])


def lead_more_ns(load: Load) -> int:
    """How much sooner such a load must be told its start than one engine: the order goes through two more processes."""
    return WORKERS_LEAD_NS if load.workload.name else 0


def clocks(load: Load, cpus: Sequence[int] = ()) -> tuple[WorkerClock, ...]:
    """How far the clocks of a workload's workers are from their master's; none if the load has no workers."""
    if not load.workload.name:
        return ()
    with engine(load, cpus) as master:
        return master.meet()
