"""Where a container's control groups are on a node, by its id: whatever version, driver and quality-of-service level. Judges nothing."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

CONTAINER = re.compile(r"[0-9a-f]{64}")
PODS = "kubepods"
PROCESSES = "cgroup.procs"
_KUBELETS = ("kubelet", "kubelet.slice")
"""kind puts a node's pods below one of these, so that nodes on one machine don't meet."""


class Tree:
    """The groups below `root`, the node's /sys/fs/cgroup. Folders that were found are remembered while they exist."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[tuple[str, str], Path] = {}
        self._pods: dict[str, Path] = {}

    def folder(self, container: str, controller: str = "cpuacct") -> Path:
        """The container's group in that controller's hierarchy; LookupError if there is none now."""
        found = self._found.get((container, controller))
        if found is None or not found.exists():
            found = self._find(container, controller)
            self._found[container, controller] = found
            self._pods[container] = found.parent
        return found

    def pod(self, container: str) -> Path:
        """The group of its pod, also when the container has ended since it was looked for."""
        known = self._pods.get(container)
        return known if known is not None and known.exists() else self.folder(container).parent

    def processes(self, folder: Path) -> list[int]:
        """Those in this group and all below it, the first first."""
        pids: list[int] = []
        for each in (folder, *_below(folder)):
            with suppress(OSError):
                pids += map(int, (each / PROCESSES).read_text().split())
        return sorted(pids)

    def pods(self, container: str) -> Path:
        """The group of all pods of the container's node; LookupError if no kubelet made it."""
        above = [each for each in self.folder(container).parents if PODS in each.name]
        if not above:
            raise LookupError(f"container {container[:12]!r} is in no group {PODS!r}: a kubelet didn't start it")
        return above[-1]

    def node(self, container: str) -> Path:
        """The group of that whole node: the one above all its pods, less what only the kubelet put between."""
        above = self.pods(container).parent
        return above.parent if above.name in _KUBELETS else above

    def hierarchy(self, controller: str) -> Path:
        """The top folder for a controller: in version 2 the root, in version 1 the one whose name lists it and that is mounted."""
        if (self._root / "cgroup.controllers").exists():
            return self._root
        with suppress(OSError):
            for each in sorted(self._root.iterdir()):
                if controller in each.name.split(",") and (each / PROCESSES).exists():
                    return each
        raise LookupError(
            f"no control groups of {controller!r} below {self._root}: mount the node's /sys/fs/cgroup there"
        )

    def _find(self, container: str, controller: str) -> Path:
        for each in _below(self.hierarchy(controller)):
            if container in each.name:
                return each
        raise LookupError(f"no container {container[:12]!r} on this node: it has ended")


def container_of(folder: Path) -> str:
    """The container's id in the name of its group; "" if it isn't one's."""
    found = CONTAINER.search(folder.name)
    return found[0] if found else ""


def children(folder: Path) -> list[Path]:
    """The groups right below; none if it is gone."""
    try:
        return sorted(each for each in folder.iterdir() if each.is_dir())
    except OSError:
        return []


def _below(folder: Path) -> Iterator[Path]:
    """Level by level, since what is looked for is seldom deep."""
    level = children(folder)
    while level:
        yield from level
        level = [each for above in level for each in children(above)]
