"""What the agent reads of its node: clock, CPU time of the machine, processes of containers and what they used."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.platforms import counters

Json = dict[str, Any]  # Any: JSON values
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def clock(_asked: Json) -> Json:
    """Which clock this is, and what it shows."""
    return {"boot_id": BOOT_ID.read_text().strip(), "monotonic_ns": time.monotonic_ns()}


def stat(_asked: Json) -> str:
    """The text of /proc/stat: containers see the whole machine's."""
    return (counters.PROC / "stat").read_text()


def pids(asked: Json) -> Json:
    """Per container id, its processes, the first first; those that were not started by another of them."""
    wanted = list(asked["containers"])
    found: dict[str, list[int]] = {container: [] for container in wanted}
    for pid, membership in _memberships():
        for container in wanted:
            if container in membership:
                found[container].append(pid)
    return {container: sorted(each) for container, each in found.items()}


def usage(asked: Json) -> Json:
    """Per unit, the fields of harness.model.platform.Usage of its process and all below it."""
    return {unit: asdict(counters.usage(int(pid), memory=bool(asked["memory"]))) for unit, pid in asked["pids"].items()}


def _memberships() -> Iterator[tuple[int, str]]:
    for folder in counters.PROC.iterdir():
        if folder.name.isdigit():
            with suppress(OSError):
                yield int(folder.name), (folder / "cgroup").read_text()


OPS: dict[str, Callable[[Json], Any]] = {"clock": clock, "stat": stat, "pids": pids, "usage": usage}
"""By the `op` of a request."""
