"""`python -m benchmarks.cluster IMAGE [FOLDER]`: the built-in mesh's own times and idle costs in the cluster of kubectl's current context.

Four bars: installed and ready within 20 s; an injected pod ready at most 3 s after a bare one started beside it, in turn; control plane and
agent idle at 0.02 core at most, each; the control plane's working set at most 80 MiB. Writes cluster.json to FOLDER (default results) and ends
with 1 if a bar is missed. Namespaces `hoptax-system` and `hoptax-bench-…` are made and removed.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import registry
from harness.analysis.intervals import Interval, hodges_lehmann
from harness.cluster_stage import cluster_stage
from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Arm, Traffic
from harness.model.platform import Deployment, Placement
from harness.platforms.cluster import Target
from harness.platforms.kubectl import Kubectl
from harness.platforms.kubernetes import KubernetesPlatform
from harness.platforms.manifests import confined
from harness.platforms.pod_deployment import INSTRUMENT
from harness.topology import load_topology
from meshes.builtin.injection.labels import INJECT
from meshes.sidecar_template import CONTAINER

INSTALLS, PAIRS = 6, 10
INSTALL_BAR_S, POD_BAR_S, IDLE_BAR_CORES, WORKING_SET_BAR_BYTES = 20.0, 3.0, 0.02, 80 << 20
IDLE_S = 60.0
BARE, INJECTED = "hoptax-bench-bare", "hoptax-bench-injected"
Json = dict[str, Any]


def timed(work: Callable[[], object]) -> float:
    """Seconds that it takes."""
    began = time.monotonic()
    work()
    return time.monotonic() - began


def hoptax(*words: str) -> None:
    """Our command line, as a user has it."""
    subprocess.run([sys.executable, "-c", "from harness.cli import main; main()", *words], check=True)


def installs(kubectl: Kubectl, image: str) -> list[float]:
    """Seconds until `mesh install` is done and a pod would be admitted with a sidecar; the last one stays installed."""

    def install() -> None:
        hoptax("mesh", "install", image)
        give_up = time.monotonic() + INSTALL_BAR_S
        while not _admitted(kubectl, image) and time.monotonic() < give_up:
            pass

    seconds = []
    for _ in range(INSTALLS):
        hoptax("mesh", "uninstall")
        seconds.append(timed(install))
    return seconds


def _admitted(kubectl: Kubectl, image: str) -> bool:
    """The API server reaches the webhook a moment after its pod is ready: when the node's rules know it."""
    words = ("create", f"--namespace={INJECTED}", "--dry-run=server", "--output=json", "--filename=-")
    try:
        return CONTAINER in kubectl.run(*words, stdin=json.dumps(_pod(image, "trial")))
    except EnvironmentFailure:
        return False


@contextmanager
def namespaces(kubectl: Kubectl) -> Iterator[None]:
    """One whose pods get a sidecar, and one whose pods don't."""
    made = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        for name, labels in ((BARE, {}), (INJECTED, {INJECT: "enabled"}))
    ]
    try:
        kubectl.apply(made)
        yield
    finally:
        kubectl.delete(made)


def pod_ready_s(kubectl: Kubectl, image: str, namespace: str, name: str) -> float:
    """From asking for a pod until the API server has it as ready."""

    def start() -> None:
        kubectl.apply([_pod(image, name)], namespace)
        kubectl.run("wait", f"pod/{name}", f"--namespace={namespace}", "--for=condition=Ready", "--timeout=50s")

    try:
        return timed(start)
    finally:
        kubectl.run(
            "delete", "pod", name, f"--namespace={namespace}", "--ignore-not-found", "--grace-period=0", "--force"
        )


def _pod(image: str, name: str) -> Json:
    idle = {"name": "app", "image": image, "command": ["python", "-m", "harness.platforms.agent", "idle"]}
    container = idle | {"imagePullPolicy": "IfNotPresent", "securityContext": confined()}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def pods(kubectl: Kubectl, image: str) -> list[float]:
    """Per pair, how many seconds later the injected pod is ready; which of a pair goes first changes."""
    later = []
    for n in range(PAIRS):
        order = (BARE, INJECTED) if n % 2 else (INJECTED, BARE)
        seconds = {namespace: pod_ready_s(kubectl, image, namespace, f"p{n}") for namespace in order}
        later.append(seconds[INJECTED] - seconds[BARE])
    return later


def idle(image: str) -> Json:
    """Cores of control plane, agent and sidecars over IDLE_S without a request, and the control plane's working set."""
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    arm = Arm(registry.mesh("builtin"), frozenset({"mtls"}))
    topology = load_topology(registry.find_file("topologies", "chain-4"), registry.service_program())
    plan = arm.plan(topology, Traffic(), KubernetesPlatform.facts)
    with (
        cluster_stage(Target(image, prefix="hoptax-bench"), Placement(cpus, cpus), {}) as (bench, _, _),
        bench.platform.launch(plan, bench.workspace / "idle") as deployment,
    ):
        first, began = _used(deployment), time.monotonic()
        time.sleep(IDLE_S)
        last, seconds = _used(deployment), time.monotonic() - began
        working_set = deployment.usage("control").working_set_bytes
    cores = {name: (last[name] - first[name]) / 1e9 / seconds for name in first}
    return {"cores": cores, "control_working_set_bytes": working_set}


def _used(deployment: Deployment) -> dict[str, int]:
    """CPU time by what used it; the sidecars together. The agent's holds the load pod's, which sleeps."""
    found = {"control plane": 0, "sidecars": 0, "agent": deployment.platform_cpu_ns()[INSTRUMENT]}
    for name, unit in deployment.units.items():
        if unit.role in ("control", "sidecar"):
            found["sidecars" if unit.role == "sidecar" else "control plane"] += deployment.usage(name).cpu_ns
    return found


def missed(install: Interval, later: Interval, seen: Json) -> list[str]:
    """The bars that aren't met, by the estimate."""
    cores = seen["cores"]
    bars = (
        ("install, s", install.estimate, INSTALL_BAR_S),
        ("injected pod later, s", later.estimate, POD_BAR_S),
        ("control plane idle, cores", cores["control plane"], IDLE_BAR_CORES),
        ("agent idle, cores", cores["agent"], IDLE_BAR_CORES),
        ("control plane, bytes", seen["control_working_set_bytes"], WORKING_SET_BAR_BYTES),
    )
    return [f"{what}: {value} > {bar}" for what, value, bar in bars if value is None or value > bar]


def main(words: Sequence[str]) -> int:
    """Measure, print, write; 1 if a bar is missed."""
    image, folder = words[0], Path(words[1] if len(words) > 1 else "results")
    kubectl = Kubectl(Kubectl().current_context())
    with namespaces(kubectl):
        install = hodges_lehmann(installs(kubectl, image))
        later = hodges_lehmann(pods(kubectl, image))
    hoptax("mesh", "uninstall")
    seen = idle(image)
    document = {"install_s": asdict(install), "injected_later_s": asdict(later), **seen}
    document["missed"] = missed(install, later, seen)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cluster.json").write_text(json.dumps(document, indent=1))
    print(json.dumps(document, indent=1))
    return bool(document["missed"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]) if sys.argv[1:] else "usage: python -m benchmarks.cluster IMAGE [FOLDER]")
