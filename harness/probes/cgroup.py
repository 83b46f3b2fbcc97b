"""What the cgroups above this process allow it: CPUs and memory. Reads files below a root that is passed in; judges nothing."""

from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
NO_LIMIT_BYTES = 1 << 60
"""Version 1 writes 'none' as a number near 2⁶³."""


def quota_cpus(root: Path = ROOT, membership: str | None = None) -> float | None:
    """How many CPUs' time it may use in a period; None without a quota. Over it, all of it is halted for the rest of the period."""
    found = [quota for folder in _folders("cpu", root, membership) if (quota := _quota(folder)) is not None]
    return min(found, default=None)


def memory_limit_bytes(root: Path = ROOT, membership: str | None = None) -> int | None:
    """The least limit on its memory; None without one."""
    texts = [
        _text(folder / name)
        for folder in _folders("memory", root, membership)
        for name in ("memory.max", "memory.limit_in_bytes")
    ]
    limits = [int(text) for text in texts if text.isdigit() and int(text) < NO_LIMIT_BYTES]
    return min(limits, default=None)


def _folders(controller: str, root: Path, membership: str | None) -> Iterator[Path]:
    """The folder of its own group and all above it, in version 2 or in the controller's hierarchy of version 1."""
    for line in (_text(MEMBERSHIP) if membership is None else membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / controllers if controllers else root
        own = top / path.lstrip("/")
        yield from (folder for folder in (own, *own.parents) if folder == top or top in folder.parents)


def _quota(folder: Path) -> float | None:
    quota, _, period = _text(folder / "cpu.max").partition(" ")
    if not quota:
        quota, period = _text(folder / "cpu.cfs_quota_us"), _text(folder / "cpu.cfs_period_us")
    return int(quota) / int(period) if quota.isdigit() and period.isdigit() and int(period) else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
