"""The agent's operations on containers of its node, by name. Each takes a request's JSON values and returns some."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.platforms import container_reads
from harness.platforms.cgroup_tree import Tree
from harness.platforms.container_faults import ContainerFaults

Json = dict[str, Any]  # Any: JSON values
Ops = dict[str, Callable[[Json], Any]]

MOUNTED = Path("/host/cgroup")
"""Where the agent's pod has its node's control groups, read-only."""
OWN = Path("/sys/fs/cgroup")


def operations(tree: Tree) -> Ops:
    """By the `op` of a request; they share what was paused and killed."""
    faults = ContainerFaults(tree)
    return {
        "containers": lambda asked: {
            each: asdict(container_reads.usage(tree, each, memory=bool(asked["memory"]))) for each in asked["ids"]
        },
        "shares": lambda asked: asdict(container_reads.shares(tree, asked["container"])),
        "pause": lambda asked: faults.pause(asked["container"], float(asked["for_s"])),
        "stopped": lambda asked: container_reads.stopped(tree.processes(tree.folder(asked["container"]))),
        "resume": lambda asked: faults.resume(asked["container"]),
        "kill": lambda asked: faults.kill(asked["container"], float(asked["for_s"])),
        "life": lambda asked: asdict(faults.life(asked["container"])),
        "connections": lambda asked: _connections(tree, asked["container"], list(asked["ports"])),
    }


def _connections(tree: Tree, container: str, ports: list[int]) -> int:
    """The network is the pod's: it is there while the container is killed."""
    pod = tree.pod(container)
    return container_reads.connections(tree.processes(pod), ports)


OPS: Ops = operations(Tree(MOUNTED if MOUNTED.exists() else OWN))
