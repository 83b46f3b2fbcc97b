"""A kind cluster's life through the CLIs of kind, kubectl and Docker: up, status, load, down. It knows nothing of what runs in it.

A cluster of ours has a folder with `cluster.json` (what was asked), `kubeconfig`, and, once it is whole, `ready`; beside the folders
`before.json` says how the host was. Both are written before anything is changed, so that `down` finds what a killed `up` left.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from harness.model.errors import EnvironmentFailure, UsageError
from harness.platforms import host_settings
from harness.platforms.kind_config import Wanted, check_name, chosen_image, difference, document
from harness.platforms.kind_tools import Tools

State = Literal["absent", "unfinished", "stopped", "running", "foreign"]
NETWORK = "kind"


@dataclass(frozen=True, slots=True)
class Status:
    """A cluster as it is now; `kubeconfig` is "" if there is none."""

    name: str
    state: State
    kubeconfig: str = ""
    nodes: tuple[str, ...] = ()
    wanted: Wanted | None = None


def home() -> Path:
    """Where records lie: XDG_STATE_HOME, as other programs keep theirs."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "hoptax" / "clusters"


class Clusters:
    """All clusters of one user on one machine."""

    def __init__(self, folder: Path, tools: Tools, say: Callable[[str], None]) -> None:
        self._folder = folder
        self._tools = tools
        self._say = say

    def up(self, wanted: Wanted) -> Status:
        """Make the cluster, or use it if it runs as asked. UsageError if it runs otherwise or isn't ours."""
        wanted.check()
        self._tools.check()
        with self._alone():
            now = self._status(wanted.name)
            if now.state == "foreign":
                raise UsageError(
                    f"a kind cluster {wanted.name!r} that isn't hoptax's runs already: choose another --name"
                )
            if now.state == "running" and now.wanted is not None:
                return self._reused(now, now.wanted, wanted)
            if now.state != "absent":
                self._say(f"{wanted.name}: what is left of it ({now.state}) goes first")
                self._remove(wanted.name)
            return self._create(wanted)

    def status(self, name: str) -> Status:
        """How it is."""
        check_name(name)
        self._tools.check()
        return self._status(name)

    def load(self, name: str, archive: Path) -> None:
        """Put the images of an archive into every node."""
        if not archive.is_file():
            raise UsageError(f"{archive} isn't there: `make images` builds build/images/all.tar")
        state = self.status(name).state
        if state != "running":
            raise UsageError(f"cluster {name!r} is {state}: `hoptax cluster up --name {name}` first")
        self._tools.kind("load", "image-archive", str(archive), "--name", name)

    def down(self, name: str) -> list[str]:
        """Remove it and whatever is left of it; answers what only root can still put back, as commands."""
        check_name(name)
        self._tools.check()
        with self._alone():
            if self._status(name).state == "foreign":
                raise UsageError(
                    f"the kind cluster {name!r} isn't hoptax's: `kind delete cluster --name {name}` removes it"
                )
            return self._remove(name)

    def _status(self, name: str) -> Status:
        containers = self._tools.nodes(name)
        folder = self._folder / name
        if not (folder / "cluster.json").is_file():
            return Status(name, "foreign" if containers else "absent", nodes=tuple(containers))
        wanted = Wanted(**json.loads((folder / "cluster.json").read_text()))
        running = [node for node, state in containers.items() if state == "running"]
        whole = (folder / "ready").exists() and len(containers) == wanted.nodes
        state: State = "unfinished" if not whole else "running" if len(running) == wanted.nodes else "stopped"
        return Status(name, state, str(folder / "kubeconfig"), tuple(sorted(containers)), wanted)

    def _reused(self, now: Status, running: Wanted, wanted: Wanted) -> Status:
        other = difference(running, wanted)
        if other:
            raise UsageError(
                f"cluster {wanted.name!r} runs with {other}: `hoptax cluster down --name {wanted.name}` first"
            )
        self._say(f"{wanted.name}: runs already")
        return now

    def _create(self, wanted: Wanted) -> Status:
        tools = self._tools
        built, pinned_is_here = tools.images(wanted.image)
        wanted = replace(wanted, image=chosen_image(wanted.image, pinned_is_here=pinned_is_here, built=built))
        tools.check_room(wanted.nodes)
        folder = self._record(wanted)
        self._say(
            f"{wanted.name}: {wanted.nodes} node{'s' * (wanted.nodes != 1)} of {wanted.image}, about {20 + 10 * wanted.nodes} s"
        )
        try:
            words = ("--name", wanted.name, "--image", wanted.image, "--config", str(folder / "kind.json"))
            tools.kind("create", "cluster", *words, "--kubeconfig", str(folder / "kubeconfig"), "--wait", "180s")
            tools.await_ready(folder / "kubeconfig")
        except BaseException:
            self._say(f"{wanted.name}: not whole, is removed again")
            self._remove(wanted.name)
            raise
        (folder / "ready").touch()
        return self._status(wanted.name)

    def _record(self, wanted: Wanted) -> Path:
        """What there was and what is asked, on disk before anything is done."""
        folder = self._folder / wanted.name
        folder.mkdir(parents=True, exist_ok=True)
        before = self._folder / "before.json"
        if not before.exists():
            was = {"settings": host_settings.read(), "network": self._tools.has_network(NETWORK)}
            _write(before, json.dumps(was, indent=1))
        _write(folder / "kind.json", document(wanted, cgroup_v1=not Path("/sys/fs/cgroup/cgroup.controllers").exists()))
        _write(folder / "cluster.json", json.dumps(asdict(wanted), indent=1))
        return folder

    def _remove(self, name: str) -> list[str]:
        folder, before = self._folder / name, self._folder / "before.json"
        self._tools.remove(name, folder / "kubeconfig")
        shutil.rmtree(folder, ignore_errors=True)
        if any(self._folder.glob("*/cluster.json")) or not before.exists():
            return []
        was = json.loads(before.read_text())
        if not was["network"]:
            self._tools.remove_network(NETWORK)
        # Other kind clusters need the settings as they are; whoever ends them last has to put theirs back.
        left = [] if self._tools.any_cluster() else host_settings.put_back(was["settings"])
        before.unlink()
        return left

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One command at a time, as the host's settings belong to all clusters."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = (self._folder / "lock").open("w")
        except OSError as error:
            raise EnvironmentFailure(
                f"{self._folder} can't be written: {error.strerror}; set XDG_STATE_HOME to a folder that can"
            ) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}")
    temporary.write_text(text, encoding="utf-8")
    with suppress(OSError):
        os.sync()
    temporary.replace(path)
