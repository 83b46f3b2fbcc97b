"""What a cluster may be, and what is said when a program is missing, old or refuses."""

import json

import pytest

from harness.model.errors import EnvironmentFailure, UsageError
from harness.platforms.kind_config import (
    PINNED_IMAGE,
    Wanted,
    check_room,
    check_version,
    chosen_image,
    difference,
    docker_failure,
    document,
    version,
)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(name="Bench"), "cluster name 'Bench'"),
        (Wanted(name="-a"), "allowed are up to 40"),
        (Wanted(name="a" * 41), "allowed are up to 40"),
        (Wanted(nodes=0), "0 nodes: allowed are 1 to 16"),
        (Wanted(pod_subnet="198.19.0.0"), "a range of /8 to /28"),
        (Wanted(pod_subnet="198.19.0.1/17"), "no IPv4 range"),
        (Wanted(service_subnet="fd00::/64"), "no IPv4 range"),
        (Wanted(service_subnet="198.19.64.0/18"), "overlap"),
        (Wanted(pod_subnet="198.19.0.0/24", nodes=2), "has room for 1 nodes"),
        (Wanted(pod_subnet="198.19.0.0/25"), "has room for 0 nodes"),
    ],
)
def test_what_can_not_be_is_refused_with_the_reason(wanted: Wanted, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        wanted.check()


def test_the_default_and_the_largest_are_allowed() -> None:
    Wanted().check()
    Wanted(name="a", nodes=16, pod_subnet="198.19.0.0/20").check()


def test_the_configuration_has_the_nodes_and_ranges_and_binds_to_loopback() -> None:
    told = json.loads(document(Wanted(nodes=3), cgroup_v1=False))
    assert [node["role"] for node in told["nodes"]] == ["control-plane", "worker", "worker"]
    assert told["networking"]["apiServerAddress"] == "127.0.0.1"
    assert (told["networking"]["podSubnet"], told["networking"]["serviceSubnet"]) == (
        "198.19.0.0/17",
        "198.19.128.0/17",
    )
    assert "kubeadmConfigPatches" not in told


def test_a_host_with_cgroup_v1_is_told_to_the_kubelet() -> None:
    (patch,) = json.loads(document(Wanted(), cgroup_v1=True))["kubeadmConfigPatches"]
    assert json.loads(patch) == {"kind": "KubeletConfiguration", "failCgroupV1": False}


def test_a_running_cluster_is_the_one_asked_for_unless_something_asked_differs() -> None:
    running = Wanted(image="hoptax/kind-node:v1.34.4")
    assert difference(running, Wanted()) == ""
    assert (
        difference(running, Wanted(nodes=2, image="x"))
        == "nodes 1 instead of 2, --image hoptax/kind-node:v1.34.4 instead of x"
    )


def test_the_pinned_image_comes_first_then_one_built_here() -> None:
    assert chosen_image("mine", pinned_is_here=True, built="b") == "mine"
    assert chosen_image("", pinned_is_here=True, built="b") == PINNED_IMAGE
    assert chosen_image("", pinned_is_here=False, built="b") == "b"
    assert chosen_image("", pinned_is_here=False, built="") == PINNED_IMAGE
    assert "@sha256:" in PINNED_IMAGE


def test_programs_that_are_too_old_are_refused() -> None:
    assert version("kind v0.33.0 go1.26.8 linux/amd64") == (0, 33)
    assert version("nothing") == (0, 0)
    check_version("kind", "kind v0.32.0", (0, 32))
    with pytest.raises(EnvironmentFailure, match=r"kind 0\.9 is too old: at least 0\.32"):
        check_version("kind", "kind v0.9.1", (0, 32))


def test_a_cluster_that_does_not_fit_is_refused() -> None:
    check_room(1, 2 << 30, 4 << 30)
    with pytest.raises(EnvironmentFailure, match=r"2\.0 GiB of memory available, 2 nodes need 2\.5 GiB"):
        check_room(2, 2 << 30, 100 << 30)
    with pytest.raises(EnvironmentFailure, match=r"1\.0 GiB of disk for Docker available, 1 node need"):
        check_room(1, 9 << 30, 1 << 30)


@pytest.mark.parametrize(
    ("client", "said"),
    [
        ("dial unix: connect: permission denied", "add the user to the group docker"),
        ("Cannot connect to the Docker daemon at unix:. Is it running?", "no Docker daemon answers: start it"),
        ("failed to connect to the docker API", "no Docker daemon answers"),
        ("", "it said nothing"),
    ],
)
def test_why_docker_does_not_answer(client: str, said: str) -> None:
    assert said in str(docker_failure(client))
