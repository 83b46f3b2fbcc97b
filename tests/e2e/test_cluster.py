"""A real kind cluster by our commands: up, status, reuse, an image, a killed up, down; and nothing is left.

It runs where Docker, kind and kubectl are; HOPTAX_NODE_IMAGE names the node image, HOPTAX_IMAGES a folder of `make images`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.platforms import host_settings

pytestmark = [pytest.mark.e2e, pytest.mark.system, pytest.mark.timeout(600)]

NAME = f"hoptax-e2e-{os.getpid()}"
IMAGES = Path(os.environ.get("HOPTAX_IMAGES", "build/images"))
IMAGE = os.environ.get("HOPTAX_NODE_IMAGE", "")
NODE_SEEN_WITHIN_S = 60.0


def docker(*words: str) -> list[str]:
    return subprocess.run(("docker", *words), capture_output=True, text=True, check=True).stdout.split()


def can_run() -> bool:
    programs = all(shutil.which(name) for name in ("docker", "kind", "kubectl"))
    return programs and not subprocess.run(("docker", "version"), capture_output=True, check=False).returncode


needs_docker = pytest.mark.skipif(not can_run(), reason="Docker, kind and kubectl are not all there")


class Machine:
    """Our command line, with its records in a folder of the test's own."""

    def __init__(self, folder: Path) -> None:
        self.environment = os.environ | {"XDG_STATE_HOME": str(folder), "HOME": str(folder)}
        self.folder = folder

    def words(self, *words: str) -> list[str]:
        return [sys.executable, "-c", "from harness.cli import main; main()", "cluster", *words, "--name", NAME]

    def cluster(self, *words: str, code: int = 0) -> str:
        done = subprocess.run(self.words(*words), capture_output=True, text=True, check=False, env=self.environment)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    def up(self, *words: str) -> dict[str, object]:
        image = ("--image", IMAGE) if IMAGE else ()
        done = subprocess.run(
            self.words("up", "--json", *image, *words), capture_output=True, text=True, check=True, env=self.environment
        )
        found: dict[str, object] = json.loads(done.stdout)
        return found

    def state(self) -> str:
        return str(json.loads(self.cluster("status", "--json"))["state"])


def ours() -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", f"label=io.x-k8s.kind.cluster={NAME}")


def others() -> list[str]:
    return docker("ps", "--all", "--quiet", "--filter", "label=io.x-k8s.kind.cluster")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    found = Machine(tmp_path)
    volumes, networks, settings = docker("volume", "ls", "-q"), docker("network", "ls", "-q"), host_settings.read()
    yield found
    found.cluster("down")
    assert (ours(), found.state()) == ([], "absent")
    assert not list((tmp_path / "hoptax" / "clusters").glob("[!l]*"))
    assert not (tmp_path / ".kube").exists()
    if not others():
        assert sorted(docker("volume", "ls", "-q")) == sorted(volumes)
        assert sorted(docker("network", "ls", "-q")) == sorted(networks)
        assert host_settings.read() == settings


@needs_docker
def test_a_cluster_comes_is_used_again_takes_an_image_and_goes(machine: Machine) -> None:
    found = machine.up()
    assert (found["state"], found["nodes"]) == ("running", [f"{NAME}-control-plane"])
    assert "runs already" in machine.cluster("up")
    assert "instead of 2" in machine.cluster("up", "--nodes", "2", code=2)
    kubectl = ("kubectl", "--kubeconfig", str(found["kubeconfig"]))
    nodes = subprocess.run((*kubectl, "get", "nodes", "-o", "name"), capture_output=True, text=True, check=True).stdout
    assert nodes.split() == [f"node/{NAME}-control-plane"]
    if (IMAGES / "all.json").is_file():
        runs_our_image(machine, kubectl)


def runs_our_image(machine: Machine, kubectl: tuple[str, ...]) -> None:
    """A pod of it, with the strictest rights that Kubernetes knows, can import what pods run."""
    machine.cluster("load", str(IMAGES / "all.tar"))
    reference = json.loads((IMAGES / "all.json").read_text())["reference"]
    rights = {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    program = (
        "import os, harness.load.engine, workloads.service.__main__, meshes.builtin.proxy.__main__; print(os.getuid())"
    )
    container = {
        "name": "main",
        "image": reference,
        "imagePullPolicy": "Never",
        "command": ["python", "-c", program],
        "securityContext": rights,
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "image"},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }
    subprocess.run(
        (*kubectl, "apply", "-f", "-"), input=json.dumps(pod), text=True, check=True, stdout=subprocess.DEVNULL
    )
    waits = (*kubectl, "wait", "--for=jsonpath={.status.phase}=Succeeded", "pod/image", "--timeout=60s")
    subprocess.run(waits, check=True, stdout=subprocess.DEVNULL)
    assert subprocess.run((*kubectl, "logs", "image"), capture_output=True, text=True, check=True).stdout == "10001\n"


@needs_docker
def test_what_a_killed_up_leaves_is_removed_by_down(machine: Machine) -> None:
    image = ("--image", IMAGE) if IMAGE else ()
    with subprocess.Popen(machine.words("up", *image), env=machine.environment, start_new_session=True) as process:
        give_up = time.monotonic() + NODE_SEEN_WITHIN_S
        while not ours():
            assert time.monotonic() < give_up, "no node container came"
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    assert machine.state() == "unfinished"
