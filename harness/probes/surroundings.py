"""Gathers what decides whether this machine can measure: CPUs, limits, noise, and the programs for more. It judges nothing."""

import os
import platform
import resource
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import registry
from harness.model.errors import EnvironmentFailure
from harness.model.plan import (
    ADMIN_PORT,
    APP_PORT,
    CONTROL_PORT,
    FRONT_PORT,
    INBOUND_PORT,
    METRICS_PORT,
    OBSERVE_PORT,
    OUTBOUND_PORT,
)
from harness.model.platform import Placement
from harness.platforms import ports, programs
from harness.platforms.cores import core_of
from harness.probes import cgroup, machine
from harness.probes.jitter import Jitter, measure

ANSWER_WITHIN_S = 5
PROBE_ADDRESS = "127.77.255.254"
"""The last address that a run could use: on it nothing listens but what listens on every address."""

PORTS = (APP_PORT, FRONT_PORT, OBSERVE_PORT, ADMIN_PORT, OUTBOUND_PORT, INBOUND_PORT, METRICS_PORT, CONTROL_PORT)
LINUX_PORTS = (32768, 60999)
"""What Linux hands out where a sandbox doesn't show it."""

STEAL = 7
IDLE = (3, 4)
TICK_S = 0.01


@dataclass(frozen=True, slots=True)
class Noise:
    """What went on beside a loop that spun on one CPU after the other: CPUs that other programs used, share that the host stole."""

    elapsed_s: float
    background_cpus: float
    steal_share: float
    load: Jitter
    system: Jitter


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Facts of this machine and of the limits of this process; `noise` is None where nothing was measured."""

    operating_system: str
    architecture: str
    system_cpus: tuple[int, ...]
    load_cpus: tuple[int, ...]
    cores: int
    governor: str
    clock_source: str
    quota_cpus: float | None
    memory_available_bytes: int
    memory_limit_bytes: int | None
    open_files: int
    open_files_most: int
    ephemeral_ports: int
    taken_ports: tuple[int, ...]
    noise: Noise | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A program, found or not: `version` or what it said, what it is for, and how to get it."""

    name: str
    present: bool
    said: str
    purpose: str
    remedy: str


def gather(placement: Placement, spin_s: float = 0.0) -> Surroundings:
    """Read everything that is cheap; with `spin_s`, spin so long on a CPU of the load and on one of the system under test."""
    cpus = sorted({*placement.system, *placement.load})
    files = resource.getrlimit(resource.RLIMIT_NOFILE)
    low, high = _ephemeral()
    return Surroundings(
        operating_system=platform.system(),
        architecture=platform.machine(),
        system_cpus=placement.system,
        load_cpus=placement.load,
        cores=len({core_of(cpu) for cpu in cpus}),
        governor=machine.governor(cpus[0]),
        clock_source=machine.clock_source(),
        quota_cpus=cgroup.quota_cpus(),
        memory_available_bytes=machine.memory_available_bytes(),
        memory_limit_bytes=cgroup.memory_limit_bytes(),
        open_files=files[0],
        open_files_most=files[1],
        ephemeral_ports=high - low + 1,
        taken_ports=tuple(port for port in PORTS if not ports.free(PROBE_ADDRESS, port)),
        noise=_noise(placement, cpus, spin_s) if spin_s else None,
    )


def _ephemeral() -> tuple[int, int]:
    try:
        low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    except OSError:
        return LINUX_PORTS
    return int(low), int(high)


def _noise(placement: Placement, cpus: list[int], spin_s: float) -> Noise:
    stat = Path("/proc/stat")
    before = cpu_ticks(stat.read_text(), cpus)
    start_ns, own_ns = time.monotonic_ns(), time.process_time_ns()
    load, system = measure(placement.load[-1], spin_s), measure(placement.system[0], spin_s)
    elapsed_s, own_s = (time.monotonic_ns() - start_ns) / 1e9, (time.process_time_ns() - own_ns) / 1e9
    busy, stolen, every = (now - then for now, then in zip(cpu_ticks(stat.read_text(), cpus), before, strict=True))
    return Noise(
        elapsed_s=round(elapsed_s, 3),
        background_cpus=round(max(0.0, busy * TICK_S - own_s) / elapsed_s, 3),
        steal_share=round(stolen / max(1, every), 4),
        load=load,
        system=system,
    )


def cpu_ticks(stat: str, cpus: Iterable[int]) -> tuple[int, int, int]:
    """(busy, stolen, all) ticks of these CPUs since boot, from the text of /proc/stat."""
    wanted = {f"cpu{cpu}" for cpu in cpus}
    found = [[int(part) for part in line.split()[1:9]] for line in stat.splitlines() if line.split(" ")[0] in wanted]
    every = sum(map(sum, found))
    stolen = sum(fields[STEAL] for fields in found)
    return every - stolen - sum(fields[index] for fields in found for index in IDLE), stolen, every


def tools() -> Iterator[Tool]:
    """Every installed mesh's programs, then what Kubernetes needs."""
    for name in registry.mesh_names():
        yield from _mesh(name)
    for name, words, purpose, remedy in _COMMANDS:
        yield _command(name, words, purpose, remedy)


_COMMANDS = (
    (
        "docker",
        ("version", "--format", "{{.Server.Version}}"),
        "clusters",
        "install Docker, start its daemon, and let this user reach it",
    ),
    ("kind", ("version",), "clusters", "put kind on PATH (https://kind.sigs.k8s.io)"),
    ("kubectl", ("version", "--client"), "clusters", "put kubectl on PATH (https://kubernetes.io/docs/tasks/tools)"),
)


def _mesh(name: str) -> Iterator[Tool]:
    for program in registry.mesh(name).programs:
        purpose = f"arm {name}"
        try:
            yield Tool(program.name, True, programs.describe(program)["version"] or "found", purpose, "")
        except EnvironmentFailure as failure:
            said, _, remedy = str(failure).partition(": ")
            yield Tool(program.name, False, said, purpose, remedy)


def _command(name: str, words: tuple[str, ...], purpose: str, remedy: str) -> Tool:
    path = shutil.which(name)
    if path is None:
        return Tool(name, False, "not on PATH", purpose, remedy)
    try:
        done = subprocess.run(
            (path, *words), capture_output=True, text=True, timeout=ANSWER_WITHIN_S, check=True, env=os.environ
        )
    except subprocess.TimeoutExpired:
        return Tool(name, False, f"no answer in {ANSWER_WITHIN_S} s", purpose, remedy)
    except subprocess.CalledProcessError as error:
        return Tool(name, False, _first_line(error.stderr) or f"ended with {error.returncode}", purpose, remedy)
    except OSError as error:
        return Tool(name, False, f"can't be started: {error.strerror}", purpose, remedy)
    return Tool(name, True, _first_line(done.stdout) or "found", purpose, "")


def _first_line(text: str) -> str:
    return next((line.strip() for line in text.splitlines() if line.strip()), "")
