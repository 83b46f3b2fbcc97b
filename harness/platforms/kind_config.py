"""What a kind cluster is asked to be, checked, and kind's configuration of it. Pure: it starts nothing and looks at no machine."""

import ipaddress
import json
import re
from dataclasses import dataclass

from harness.model.errors import EnvironmentFailure, UsageError

PINNED_IMAGE = "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"
"""The newest Kubernetes that still runs on hosts with cgroup v1 without more ado, as kind 0.33's release notes pin it."""

BUILT_IMAGE = "hoptax/kind-node"
"""What `make kind-image` builds."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")
MOST_NODES = 16
NODE_PREFIX = 24
"""Kubernetes gives each node a /24 of the pod range."""

LEAST_KIND = (0, 32)
"""Node images of 2026 have containerd 2.3, into which older ones can't load."""

LEAST_KUBECTL = (1, 30)
FIRST_NODE_BYTES = 2 << 30
FURTHER_NODE_BYTES = 1 << 29
NODE_DISK_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Wanted:
    """A cluster as asked for; an empty image is decided by what is there."""

    name: str = "hoptax"
    nodes: int = 1
    image: str = ""
    pod_subnet: str = "198.19.0.0/17"
    service_subnet: str = "198.19.128.0/17"

    def check(self) -> None:
        """UsageError for what no cluster can be."""
        check_name(self.name)
        if not 1 <= self.nodes <= MOST_NODES:
            raise UsageError(f"{self.nodes} nodes: allowed are 1 to {MOST_NODES}")
        pods, services = _range("--pod-subnet", self.pod_subnet), _range("--service-subnet", self.service_subnet)
        if pods.overlaps(services):
            raise UsageError(f"pods in {pods} and services in {services} overlap: choose ranges that don't")
        room = 2 ** (NODE_PREFIX - pods.prefixlen) if pods.prefixlen <= NODE_PREFIX else 0
        if room < self.nodes:
            raise UsageError(
                f"--pod-subnet {pods} has room for {room} nodes of /{NODE_PREFIX} each, asked for {self.nodes}"
            )


def check_name(name: str) -> None:
    """UsageError for a name that can't be a host's name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"cluster name {name!r}: allowed are up to 40 small letters, digits and '-', not at its ends")


def document(wanted: Wanted, *, cgroup_v1: bool) -> str:
    """kind's configuration (JSON is YAML). A kubelet from 1.35 on has to be told that cgroup v1 is meant."""
    roles = ["control-plane"] + ["worker"] * (wanted.nodes - 1)
    told: dict[str, object] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "networking": {
            "ipFamily": "ipv4",
            "apiServerAddress": "127.0.0.1",
            "podSubnet": wanted.pod_subnet,
            "serviceSubnet": wanted.service_subnet,
        },
        "nodes": [{"role": role} for role in roles],
    }
    if cgroup_v1:
        told["kubeadmConfigPatches"] = [json.dumps({"kind": "KubeletConfiguration", "failCgroupV1": False})]
    return json.dumps(told, indent=1)


def difference(running: Wanted, wanted: Wanted) -> str:
    """What keeps a running cluster from being the one asked for, "" if nothing; an image that isn't asked for may be any."""
    pairs = (
        ("nodes", running.nodes, wanted.nodes),
        ("--image", running.image, wanted.image or running.image),
        ("--pod-subnet", running.pod_subnet, wanted.pod_subnet),
        ("--service-subnet", running.service_subnet, wanted.service_subnet),
    )
    return ", ".join(f"{what} {has} instead of {asked}" for what, has, asked in pairs if has != asked)


def version(said: str) -> tuple[int, int]:
    """(major, minor) of the first version in a program's words, (0, 0) if there is none."""
    found = re.search(r"v(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def check_version(program: str, said: str, least: tuple[int, int]) -> None:
    """EnvironmentFailure for a program that is too old."""
    has = version(said)
    if has < least:
        raise EnvironmentFailure(
            f"{program} {has[0]}.{has[1]} is too old: at least {least[0]}.{least[1]} is needed; put a newer {program} first on PATH"
        )


def check_room(nodes: int, memory_bytes: int, disk_bytes: int) -> None:
    """EnvironmentFailure when so many nodes won't fit, by what nodes were seen to use."""
    memory = FIRST_NODE_BYTES + (nodes - 1) * FURTHER_NODE_BYTES
    for what, has, needs in (
        ("memory", memory_bytes, memory),
        ("disk for Docker", disk_bytes, nodes * NODE_DISK_BYTES),
    ):
        if has < needs:
            raise EnvironmentFailure(
                f"{has / 2**30:.1f} GiB of {what} available, {nodes} node{'s' * (nodes != 1)} need {needs / 2**30:.1f} GiB: "
                "free some, or ask for fewer --nodes"
            )


def docker_failure(said: str) -> EnvironmentFailure:
    """Why Docker doesn't answer, and what to do, from what its client said."""
    if "permission denied" in said.lower():
        return EnvironmentFailure(
            "Docker's socket may not be used by this user: add the user to the group docker and log in again"
        )
    if "cannot connect" in said.lower() or "failed to connect" in said.lower():
        return EnvironmentFailure(
            "no Docker daemon answers: start it (systemctl start docker, or fixtures/kind/offline/docker start where no init system runs)"
        )
    return EnvironmentFailure(f"Docker doesn't answer: {said.strip() or 'it said nothing'}")


def _range(option: str, text: str) -> ipaddress.IPv4Network:
    try:
        found = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no IPv4 range ({error}): write it like 198.19.0.0/17") from error
    if not 8 <= found.prefixlen <= 28:
        raise UsageError(f"{option} {text}: a range of /8 to /28 is allowed")
    return found


def chosen_image(asked: str, *, pinned_is_here: bool, built: str) -> str:
    """The one asked for, else the pinned one if it is here, else one that was built here, else the pinned one, for kind to pull."""
    return asked or (PINNED_IMAGE if pinned_is_here or not built else built)
