"""A container's groups are found by its id alone, whatever version, driver and quality of service."""

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.platforms.cgroup_tree import Tree, container_of
from tests.platforms import nodes

ONE, TWO = nodes.identifier(1), nodes.identifier(2)
VERSIONS = [nodes.version_1, nodes.version_2]
Build = Callable[..., Path]


def on_kind(level: str, container: str) -> str:
    return nodes.by_systemd(level, container)


def on_a_machine(level: str, container: str) -> str:
    return nodes.by_systemd(level, container, above="")


NAMES = [on_kind, on_a_machine, nodes.by_cgroupfs]


@pytest.mark.parametrize("level", nodes.LEVELS)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("build", VERSIONS)
def test_found_by_id(tmp_path: Path, build: Build, name: Callable[[str, str], str], level: str) -> None:
    expected = build(tmp_path, name(level, ONE), (11, 7))
    build(tmp_path, name(level, TWO), (5,))
    tree = Tree(tmp_path)
    assert tree.folder(ONE) == expected
    assert tree.processes(tree.folder(ONE)) == [7, 11]
    assert tree.processes(tree.pod(ONE)) == [5, 7, 11]
    assert container_of(expected) == ONE


@pytest.mark.parametrize("build", VERSIONS)
@pytest.mark.parametrize("name", NAMES)
def test_the_nodes_group_is_above_all_pods_and_the_kubelets(
    tmp_path: Path, build: Build, name: Callable[[str, str], str]
) -> None:
    build(tmp_path, name("burstable", ONE))
    tree = Tree(tmp_path)
    assert tree.node(ONE) == tree.hierarchy("cpuacct")
    assert "kubepods" in tree.pods(ONE).name
    assert tree.pods(ONE).parent.name in {tree.node(ONE).name, "kubelet.slice"}


def test_a_container_that_came_later_is_found_and_one_that_went_is_not(tmp_path: Path) -> None:
    first = nodes.version_2(tmp_path, nodes.by_cgroupfs("burstable", ONE))
    tree = Tree(tmp_path)
    pod = tree.folder(ONE).parent
    for file in first.iterdir():
        file.unlink()
    first.rmdir()
    with pytest.raises(LookupError, match="no container '000000000000' on this node: it has ended"):
        tree.folder(ONE)
    assert tree.pod(ONE) == pod
    assert tree.folder(TWO) if nodes.version_2(tmp_path, nodes.by_cgroupfs("burstable", TWO)) else None


def test_a_group_that_no_kubelet_made_has_no_node(tmp_path: Path) -> None:
    nodes.version_2(tmp_path, f"docker/{ONE}")
    with pytest.raises(LookupError, match="a kubelet didn't start it"):
        Tree(tmp_path).node(ONE)


def test_no_control_groups_are_told(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match="no control groups of 'cpuacct' below"):
        Tree(tmp_path).folder(ONE)
