"""Facts about the machine, for the manifest: what may explain a figure, nothing that names host, user or environment."""

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

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
        "governor": governor(cpus[0]),
        "memory_bytes": psutil.virtual_memory().total,
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "clock_source": clock_source(),
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


def governor(cpu: int) -> str:
    """Who sets that CPU's clock rate; `none` where the kernel doesn't, as in most virtual machines."""
    return _text(f"/sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_governor") or "none"


def clock_source() -> str:
    """What CLOCK_MONOTONIC is read from; "" where the kernel doesn't tell."""
    return _text("/sys/devices/system/clocksource/clocksource0/current_clocksource")


def memory_available_bytes() -> int:
    """What programs can have without others being swapped out."""
    return int(psutil.virtual_memory().available)


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
