"""The life of a cluster against programs that are made up: reuse, failures half-way, what is put back and when."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.model.errors import EnvironmentFailure, UsageError
from harness.platforms import host_settings
from harness.platforms.kind import Clusters
from harness.platforms.kind_config import Wanted
from harness.platforms.kind_tools import Tools


class MadeUp(Tools):
    """Programs that keep clusters in memory; `broken` is how `kind create` ends."""

    def __init__(self) -> None:
        self.clusters: dict[str, dict[str, str]] = {}
        self.networks = {"bridge"}
        self.broken: Callable[[], None] = lambda: None
        self.calls: list[tuple[str, ...]] = []

    def check(self) -> None: ...

    def check_room(self, nodes: int) -> None: ...

    def nodes(self, name: str) -> dict[str, str]:
        return self.clusters.get(name, {})

    def any_cluster(self) -> bool:
        return bool(self.clusters)

    def images(self, asked: str) -> tuple[str, bool]:
        return "hoptax/kind-node:1", False

    def kind(self, *words: str) -> None:
        self.calls.append(words)
        if words[:2] == ("create", "cluster"):
            name, config = words[words.index("--name") + 1], words[words.index("--config") + 1]
            roles = json.loads(Path(config).read_text())["nodes"]
            self.clusters[name] = {f"{name}-{number}": "running" for number, _ in enumerate(roles)}
            self.networks.add("kind")
            self.broken()

    def await_ready(self, kubeconfig: Path) -> None: ...

    def remove(self, name: str, kubeconfig: Path) -> None:
        self.clusters.pop(name, None)

    def has_network(self, name: str) -> bool:
        return name in self.networks

    def remove_network(self, name: str) -> None:
        self.networks.discard(name)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    put_back: list[dict[str, str]] = []

    def restore(before: dict[str, str]) -> list[str]:
        put_back.append(before)
        return ["sysctl -w kernel.panic=0"]

    monkeypatch.setattr(host_settings, "read", lambda: {"kernel/panic": "0"})
    monkeypatch.setattr(host_settings, "put_back", restore)
    return put_back


def clusters(folder: Path, tools: Tools) -> Clusters:
    return Clusters(folder, tools, lambda _: None)


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "lock")


def test_up_status_and_down_leave_nothing(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    tools = MadeUp()
    ours = clusters(tmp_path, tools)
    up = ours.up(Wanted("a", nodes=2))
    assert (up.state, up.nodes) == ("running", ("a-0", "a-1"))
    assert up == ours.status("a")
    assert ours.down("a") == ["sysctl -w kernel.panic=0"]
    assert settings == [{"kernel/panic": "0"}]
    assert (tools.clusters, tools.networks, left_in(tmp_path)) == ({}, {"bridge"}, [])
    assert ours.status("a").state == "absent"


def test_a_running_cluster_is_used_again_and_never_changed(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    tools = MadeUp()
    ours = clusters(tmp_path, tools)
    assert ours.up(Wanted("a")) == ours.up(Wanted("a"))
    assert len(tools.calls) == 1
    with pytest.raises(UsageError, match="runs with nodes 1 instead of 2"):
        ours.up(Wanted("a", nodes=2))
    assert len(tools.clusters["a"]) == 1


@pytest.mark.parametrize("failure", [EnvironmentFailure("kind failed"), KeyboardInterrupt()])
def test_an_up_that_fails_or_is_interrupted_leaves_nothing(
    tmp_path: Path, settings: list[dict[str, str]], failure: BaseException
) -> None:
    tools = MadeUp()

    def fail() -> None:
        raise failure

    tools.broken = fail
    with pytest.raises(type(failure)):
        clusters(tmp_path, tools).up(Wanted("a"))
    assert (tools.clusters, tools.networks, left_in(tmp_path), len(settings)) == ({}, {"bridge"}, [], 1)


def killed_during_up(tmp_path: Path, tools: MadeUp) -> Clusters:
    ours = clusters(tmp_path, tools)
    ours.up(Wanted("a"))
    (tmp_path / "a" / "ready").unlink()
    return ours


def test_what_a_killed_up_left_is_said_and_removed_by_down(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    tools = MadeUp()
    ours = killed_during_up(tmp_path, tools)
    assert ours.status("a").state == "unfinished"
    ours.down("a")
    assert (tools.clusters, left_in(tmp_path), len(settings)) == ({}, [], 1)


def test_what_a_killed_up_left_is_replaced_by_the_next(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    assert killed_during_up(tmp_path, MadeUp()).up(Wanted("a")).state == "running"


def test_the_host_is_put_back_with_the_last_cluster(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    tools = MadeUp()
    ours = clusters(tmp_path, tools)
    ours.up(Wanted("a"))
    ours.up(Wanted("b"))
    assert ours.down("a") == []
    assert (settings, "kind" in tools.networks) == ([], True)
    ours.down("b")
    assert (len(settings), "kind" in tools.networks) == (1, False)


def test_a_network_that_was_there_before_stays(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    tools = MadeUp()
    tools.networks.add("kind")
    ours = clusters(tmp_path, tools)
    ours.up(Wanted("a"))
    ours.down("a")
    assert "kind" in tools.networks


def test_settings_stay_while_a_cluster_of_others_needs_them(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    tools = MadeUp()
    tools.clusters["theirs"] = {"theirs-0": "running"}
    ours = clusters(tmp_path, tools)
    ours.up(Wanted("a"))
    assert (ours.down("a"), settings) == ([], [])


def test_a_cluster_that_is_not_ours_is_never_touched(tmp_path: Path) -> None:
    tools = MadeUp()
    tools.clusters["theirs"] = {"theirs-0": "running"}
    ours = clusters(tmp_path, tools)
    for refused in (lambda: ours.up(Wanted("theirs")), lambda: ours.down("theirs")):
        with pytest.raises(UsageError, match="isn't hoptax's"):
            refused()
    assert tools.clusters == {"theirs": {"theirs-0": "running"}}


def test_a_stopped_node_is_seen(tmp_path: Path, settings: list[dict[str, str]]) -> None:
    tools = MadeUp()
    ours = clusters(tmp_path, tools)
    ours.up(Wanted("a"))
    tools.clusters["a"]["a-0"] = "exited"
    assert ours.status("a").state == "stopped"


def test_load_says_what_is_missing(tmp_path: Path) -> None:
    ours = clusters(tmp_path, MadeUp())
    with pytest.raises(UsageError, match="make images"):
        ours.load("a", tmp_path / "none.tar")
    (tmp_path / "image.tar").touch()
    with pytest.raises(UsageError, match="cluster 'a' is absent"):
        ours.load("a", tmp_path / "image.tar")
