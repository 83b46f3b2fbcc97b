"""What the kernel says of a control group in its files, versions 1 and 2. Pure but for reading files below folders that are passed in."""

from dataclasses import dataclass
from pathlib import Path

NS_PER_US = 1000
NO_LIMIT_BYTES = 1 << 60
"""Version 1 writes 'none' as a number near 2⁶³."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """CPU time, all ended processes included; of `periods` in which it had a quota and ran, it was halted in some, for so long."""

    used_ns: int
    periods: int
    throttled_periods: int
    throttled_ns: int


@dataclass(frozen=True, slots=True)
class Memory:
    """`working_set_bytes` is what the kubelet calls so: all that is charged, less file pages that nobody used of late."""

    working_set_bytes: int
    limit_bytes: int | None
    oom_kills: int


def read_cpu(usage_folder: Path, quota_folder: Path) -> Cpu:
    """In version 2 both folders are the same one; in version 1 those of `cpuacct` and `cpu`. OSError if the group is gone."""
    usage = _text(usage_folder / "cpuacct.usage")
    return cpu(usage or (usage_folder / "cpu.stat").read_text(), _text(quota_folder / "cpu.stat"))


def cpu(usage: str, stat: str) -> Cpu:
    """From the text of cpuacct.usage (version 1) or cpu.stat (version 2), and that of cpu.stat; ValueError if it has no CPU time."""
    counts = table(stat)
    used_ns = int(usage) if usage.strip().isdigit() else _us(table(usage), "usage_usec")
    return Cpu(
        used_ns=used_ns,
        periods=counts.get("nr_periods", 0),
        throttled_periods=counts.get("nr_throttled", 0),
        throttled_ns=counts.get("throttled_time", counts.get("throttled_usec", 0) * NS_PER_US),
    )


def read_memory(folder: Path) -> Memory:
    """OSError if the group is gone."""
    current = _text(folder / "memory.usage_in_bytes") or (folder / "memory.current").read_text()
    limit = _text(folder / "memory.limit_in_bytes") or _text(folder / "memory.max")
    events = _text(folder / "memory.oom_control") or _text(folder / "memory.events")
    return memory(current, _text(folder / "memory.stat"), limit, events)


def memory(current: str, stat: str, limit: str, events: str) -> Memory:
    """From the texts of what is charged now, memory.stat, the limit, and memory.oom_control (version 1) or memory.events (2)."""
    sizes = table(stat)
    inactive = sizes.get("total_inactive_file", sizes.get("inactive_file", 0))
    allowed = int(limit) if limit.strip().isdigit() else NO_LIMIT_BYTES
    return Memory(
        working_set_bytes=max(0, int(current) - inactive),
        limit_bytes=allowed if allowed < NO_LIMIT_BYTES else None,
        oom_kills=table(events).get("oom_kill", 0),
    )


def table(text: str) -> dict[str, int]:
    """Lines of a name and a number; others are left out."""
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}


def _us(counts: dict[str, int], name: str) -> int:
    if name not in counts:
        raise ValueError(f"neither cpuacct.usage nor {name} of cpu.stat says what CPU time a control group used")
    return counts[name] * NS_PER_US


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
