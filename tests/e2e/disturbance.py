"""What the tests of disturbed meshes do to a running plan and see of it: steady traffic, serial numbers, further pods, a webhook's policy."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from socket import create_connection
from typing import Any

from harness.model.errors import EnvironmentFailure
from harness.model.plan import PROBE_IDENTITY, Unit
from harness.model.platform import Deployment
from harness.platforms.kubectl import Kubectl
from harness.platforms.manifests import container_name
from harness.probes import observe
from harness.probes.parity_tls import client_context

Json = dict[str, Any]  # Any: JSON values
PAUSE_S = 0.02
POLL_S = 0.1
JOINING = ("app", "hoptax.dev/host", "hoptax.dev/service")
"""Labels by which a pod would belong to a Service or Deployment of the plan."""
CALLS = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).status)
except OSError as error:
    print(f"refused: {error}")
"""


def eventually(holds: Callable[[], bool], within_s: float, what: str) -> None:
    """AssertionError unless it holds within that time."""
    give_up = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < give_up, f"not within {within_s:g} s: {what}"
        time.sleep(POLL_S)


def answer(deployment: Deployment) -> str:
    """The status of a call that goes from the entry's app through sidecars to every callee, or why there is none."""
    try:
        return str(observe.enter(deployment).status)
    except EnvironmentFailure as error:
        return str(error)


@contextmanager
def traffic(deployment: Deployment) -> Iterator[list[str]]:
    """Call after call while the block runs; each one's answer."""
    answers: list[str] = []
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(PAUSE_S):
            answers.append(answer(deployment))

    caller = threading.Thread(target=go_on, name="traffic")
    caller.start()
    try:
        yield answers
    finally:
        over.set()
        caller.join()


def unit(deployment: Deployment, role: str, host: str = "") -> Unit:
    """The first of that role, on that host if one is given."""
    return next(each for each in deployment.plan.units if each.role == role and host in {"", each.host})


def serial(deployment: Deployment, host: str) -> str:
    """Of the certificate that the host's sidecar shows a new peer, which has verified it."""
    folder, at = deployment.identity_dir(PROBE_IDENTITY), deployment.inbound(host)
    with (
        create_connection(at, timeout=5) as plain,
        client_context(folder, folder).wrap_socket(plain) as connection,
    ):
        return str((connection.getpeercert() or {})["serialNumber"])


@dataclass(frozen=True, slots=True)
class Place:
    """The namespace of a running plan, as its user sees it."""

    kubectl: Kubectl
    namespace: str

    def restarts(self, sidecar: Unit) -> int:
        """Of the sidecar's container, as the kubelet counts them."""
        assert sidecar.brought is not None
        found = [status for pod in self._pods() for status in _statuses(pod, sidecar.brought.container)]
        return sum(int(status["restartCount"]) for status in found)

    def start_copy(self, name: str, app: Unit) -> None:
        """A pod as those of the app's Deployment, but in no Service; EnvironmentFailure if it isn't admitted."""
        template = self.kubectl.get("deployment", app.host, f"--namespace={self.namespace}")["spec"]["template"]
        metadata = template["metadata"] | {"name": name}
        metadata["labels"] = {key: value for key, value in metadata["labels"].items() if key not in JOINING}
        self.kubectl.apply(
            [{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}], self.namespace
        )
        self.kubectl.run("wait", f"pod/{name}", self._at, "--for=condition=Ready", "--timeout=40s")

    def containers(self, name: str) -> set[str]:
        """Of a pod, native sidecars included."""
        spec = self.kubectl.get("pod", name, self._at)["spec"]
        return {str(each["name"]) for each in (*spec["containers"], *spec.get("initContainers", ()))}

    def call_from(self, name: str, app: Unit, url: str) -> str:
        """What a program in that pod is answered."""
        words = ("exec", name, self._at, f"--container={container_name(app)}", "--", "python", "-c", CALLS, url)
        return self.kubectl.run(*words).strip()

    def remove(self, name: str) -> None:
        """The pod, if it is there."""
        self.kubectl.run("delete", "pod", name, self._at, "--ignore-not-found", "--grace-period=1")

    @property
    def _at(self) -> str:
        return f"--namespace={self.namespace}"

    def _pods(self) -> list[Json]:
        return self.kubectl.items("pods", self._at)


@contextmanager
def fail_open(kubectl: Kubectl, webhook: str) -> Iterator[None]:
    """Pods are admitted while this webhook is away, as its installation can be asked to do."""
    hooks = kubectl.get("mutatingwebhookconfiguration", webhook)["webhooks"]
    _set_policies(kubectl, webhook, ["Ignore"] * len(hooks))
    try:
        yield
    finally:
        _set_policies(kubectl, webhook, [str(hook["failurePolicy"]) for hook in hooks])


def _set_policies(kubectl: Kubectl, webhook: str, policies: list[str]) -> None:
    patch = [
        {"op": "replace", "path": f"/webhooks/{n}/failurePolicy", "value": each} for n, each in enumerate(policies)
    ]
    kubectl.run("patch", "mutatingwebhookconfiguration", webhook, "--type=json", f"--patch={json.dumps(patch)}")


def _statuses(pod: Json, container: str) -> list[Json]:
    status = pod["status"]
    every = (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ()))
    return [each for each in every if each["name"] == container]
