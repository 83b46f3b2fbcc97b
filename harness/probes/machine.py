"""Facts about the machine, for the manifest: what may explain a figure, nothing that names host, user or environment."""

import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil

BUSY_SHARE = 0.5
STEAL_SHARE = 0.02
MEMORY_STEP_GIB = 4


def facts() -> dict[str, Any]:  # Any: JSON values
    """CPU, memory, kernel and noise, read now."""
    cpus = sorted(os.sched_getaffinity(0))
    times = psutil.cpu_times()
    return {
        "cpu_model": _cpu_model(),
        "cpus": len(cpus),
        "cores": psutil.cpu_count(logical=False) or len(cpus),
        "smt": _text("/sys/devices/system/cpu/smt/active") == "1",
        "governor": _text(f"/sys/devices/system/cpu/cpu{cpus[0]}/cpufreq/scaling_governor") or "none",
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "clock_source": _text("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
        "hypervisor": "hypervisor" in _text("/proc/cpuinfo"),
        "cgroup": 2 if Path("/sys/fs/cgroup/cgroup.controllers").exists() else 1,
        "python": platform.python_version(),
        "load_average": round(os.getloadavg()[0], 2),
        "steal_share": round(float(getattr(times, "steal", 0.0)) / max(1e-9, sum(times)), 4),
        "boot": hashlib.sha256(_text("/proc/sys/kernel/random/boot_id").encode()).hexdigest()[:16],
    }


def machine_class(found: Mapping[str, Any]) -> str:
    """Digest of what makes two machines comparable: CPU, number of CPUs, memory to the next 4 GiB, kernel series."""
    gib = -(-found["memory_bytes"] // 2**30)
    series = ".".join(str(found["kernel"]).split(".")[:2])
    parts = (found["cpu_model"], found["cpus"], -(-gib // MEMORY_STEP_GIB), series, found["architecture"])
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def warnings(found: Mapping[str, Any]) -> Iterator[str]:
    """What makes this machine noisy, as sentences."""
    busy = found["load_average"] / found["cpus"]
    if busy > BUSY_SHARE:
        yield (
            f"the machine was busy before the run: load average {found['load_average']} on {found['cpus']} CPUs, "
            f"quiet is below {BUSY_SHARE * found['cpus']:g}; end other programs"
        )
    if found["steal_share"] > STEAL_SHARE:
        yield f"the hypervisor took {found['steal_share']:.1%} of the CPU time since boot: figures move with its other guests"


def _cpu_model() -> str:
    for line in _text("/proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        if name.strip() in {"model name", "CPU part"}:
            return value.strip()
    return platform.machine()


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
