"""The programs kind, kubectl and docker as this machine has them: each call is one of theirs, each failure a message."""

import os
import shutil
import subprocess
from pathlib import Path

import psutil

from harness.model.errors import EnvironmentFailure
from harness.platforms.kind_config import (
    BUILT_IMAGE,
    LEAST_KIND,
    LEAST_KUBECTL,
    PINNED_IMAGE,
    check_room,
    check_version,
    docker_failure,
)

LABEL = "io.x-k8s.kind.cluster"
WHERE = {
    "kind": "https://kind.sigs.k8s.io, or make kind-image, which builds it",
    "kubectl": "https://kubernetes.io/docs/tasks/tools, or make kind-image, which builds it",
    "docker": "https://docs.docker.com/engine/install",
}
SHORT_S = 60.0
CREATE_S = 600.0
LAST_LINES = 6


class Tools:
    """Calls programs of PATH."""

    def check(self) -> None:
        """EnvironmentFailure, with what to do, unless all three are there, new enough, and Docker answers."""
        for name, where in WHERE.items():
            if shutil.which(name) is None:
                raise EnvironmentFailure(f"{name} isn't on PATH: get it ({where})")
        check_version("kind", self._ask("kind", "version"), LEAST_KIND)
        check_version("kubectl", self._ask("kubectl", "version", "--client"), LEAST_KUBECTL)
        done = _run(("docker", "version", "--format", "{{.Server.Version}}"), SHORT_S)
        if done.returncode:
            raise docker_failure(done.stderr)

    def check_room(self, nodes: int) -> None:
        """EnvironmentFailure when memory or disk won't do. Docker may run elsewhere; then its disk isn't known here."""
        place = Path(self._ask("docker", "info", "--format", "{{.DockerRootDir}}").strip())
        disk = shutil.disk_usage(place).free if place.is_dir() else 1 << 62
        check_room(nodes, psutil.virtual_memory().available, disk)

    def nodes(self, name: str) -> dict[str, str]:
        """Each node's container and its state, in Docker's words."""
        told = self._ask(
            "docker", "ps", "--all", "--filter", f"label={LABEL}={name}", "--format", "{{.Names}} {{.State}}"
        )
        return dict(line.split(" ", 1) for line in told.splitlines() if line.strip())

    def any_cluster(self) -> bool:
        """Whether any kind cluster, of whomever, is there."""
        return bool(self._ask("docker", "ps", "--all", "--quiet", "--filter", f"label={LABEL}").strip())

    def images(self, asked: str) -> tuple[str, bool]:
        """(the newest node image that was built here or "", whether the pinned one is here); fails if `asked` is named as built here and isn't."""
        built = self._ask("docker", "images", BUILT_IMAGE, "--format", "{{.Repository}}:{{.Tag}}").split()
        if asked.startswith(f"{BUILT_IMAGE}:") and asked not in built:
            raise EnvironmentFailure(
                f"node image {asked} isn't here: have {', '.join(built) or 'none'}; `make kind-image` builds one"
            )
        return (built[0] if built else ""), not _run(("docker", "image", "inspect", PINNED_IMAGE), SHORT_S).returncode

    def kind(self, *words: str) -> None:
        """Run kind; its own words stay unless it fails."""
        done = _run(("kind", *words), CREATE_S)
        if done.returncode:
            said = done.stderr + done.stdout
            if "pull" in said and "image" in said:
                said += "\nthe node image isn't here and couldn't be pulled: `make kind-image` builds one, or name one with --image"
            raise EnvironmentFailure(f"kind {' '.join(words[:2])} failed ({done.returncode}):\n{_tail(said)}")

    def await_ready(self, kubeconfig: Path) -> None:
        """Until every node can take pods."""
        own = ("--kubeconfig", str(kubeconfig), "--cache-dir", str(kubeconfig.parent / "cache"))
        words = (*own, "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s")
        self._ask("kubectl", *words, within_s=150.0)

    def remove(self, name: str, kubeconfig: Path) -> None:
        """Delete the cluster as kind does, then containers that it overlooked, with their volumes."""
        _run(("kind", "delete", "cluster", "--name", name, "--kubeconfig", str(kubeconfig)), SHORT_S)
        for left in self.nodes(name):
            self._ask("docker", "rm", "--force", "--volumes", left)

    def has_network(self, name: str) -> bool:
        """Whether Docker has a network of that name."""
        return name in self._ask("docker", "network", "ls", "--format", "{{.Name}}").split()

    def remove_network(self, name: str) -> None:
        """Remove it, unless somebody's container is in it or it has gone."""
        _run(("docker", "network", "rm", name), SHORT_S)

    def _ask(self, *words: str, within_s: float = SHORT_S) -> str:
        done = _run(words, within_s)
        if done.returncode:
            raise EnvironmentFailure(f"{' '.join(words[:2])} failed ({done.returncode}): {_tail(done.stderr)}")
        return done.stdout


def _run(words: tuple[str, ...], within_s: float) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KUBECONFIG": os.devnull}
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=within_s, check=False, env=environment)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailure(
            f"{' '.join(words[:2])} gave no answer in {within_s:.0f} s: look at its logs, then again"
        ) from error


def _tail(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-LAST_LINES:])
