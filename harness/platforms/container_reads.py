"""What a node tells of its containers, read at once and stamped: CPU and throttling by control group, the rest by process."""

import time
from dataclasses import dataclass, replace
from pathlib import Path

from harness.model.platform import Usage
from harness.platforms import cgroup_files, counters
from harness.platforms.cgroup_tree import Tree

ESTABLISHED = "01"


@dataclass(frozen=True, slots=True)
class Shares:
    """CPU time of the whole node's group, and of all its pods, at `at_ns` (CLOCK_MONOTONIC)."""

    at_ns: int
    node_cpu_ns: int
    pods_cpu_ns: int


def usage(tree: Tree, container: str, *, memory: bool) -> Usage:
    """What the container used; LookupError if it has ended. Its CPU time holds processes that have ended."""
    folder = tree.folder(container)
    at_ns = time.monotonic_ns()
    cpu = cgroup_files.read_cpu(folder, tree.folder(container, "cpu"))
    held = cgroup_files.read_memory(tree.folder(container, "memory"))
    return replace(
        counters.usage_of(tree.processes(folder), memory=memory),
        at_ns=at_ns,
        cpu_ns=cpu.used_ns,
        periods=cpu.periods,
        throttled_periods=cpu.throttled_periods,
        throttled_ns=cpu.throttled_ns,
        working_set_bytes=held.working_set_bytes if memory else 0,
        oom_kills=held.oom_kills,
    )


def shares(tree: Tree, container: str) -> Shares:
    """Of the container's node. What Kubernetes itself uses is the node's less that of the units; on kind, a node is a container itself."""
    groups = tree.node(container), tree.pods(container)
    return Shares(time.monotonic_ns(), *(cgroup_files.read_cpu(each, each).used_ns for each in groups))


def stopped(pids: list[int]) -> bool:
    """Whether there are any and all of them stand still."""
    return bool(pids) and all(state(pid) == "T" for pid in pids)


def state(pid: int) -> str:
    """The letter of /proc/PID/stat; "" if the process has ended."""
    try:
        return (counters.PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def connections(pids: list[int], ports: list[int]) -> int:
    """Open connections to these ports in the network of the first process that can be read; OSError if none can."""
    failure: OSError = ProcessLookupError("the pod has no process left whose network could be read")
    for pid in pids:
        net = counters.PROC / str(pid) / "net"
        try:
            return sum(established(_text(net / name), ports) for name in ("tcp", "tcp6"))
        except OSError as error:
            failure = error
    raise failure


def established(table: str, ports: list[int]) -> int:
    """From the text of /proc/net/tcp or tcp6: those whose local port is one of these."""
    wanted = {f"{port:04X}" for port in ports}
    lines = (line.split() for line in table.splitlines()[1:])
    return sum(1 for line in lines if line[1].rpartition(":")[2] in wanted and line[3] == ESTABLISHED)


def _text(path: Path) -> str:
    """A machine without IPv6 has no table of it."""
    return path.read_text() if path.name == "tcp" or path.exists() else ""
