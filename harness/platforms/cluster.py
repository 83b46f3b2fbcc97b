"""A cluster for the length of a run: its nodes, the instrument's pods in it, the tunnel to them. Leaves nothing there when it ends."""

import os
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

from harness.model.errors import EnvironmentFailure, UsageError
from harness.platforms import instruments, ownership, pods
from harness.platforms.kubectl import Json, Kubectl
from harness.platforms.manifests import namespace
from harness.platforms.places import Resources, Where
from harness.platforms.reaper import Reaped
from harness.platforms.tunnel import Tunnel

READY_WITHIN_S = 60.0
POLL_S = 0.2
KIND = "kind-"
PREFIX = re.compile(r"[a-z]([a-z0-9-]{0,28}[a-z0-9])?")
TAINTS = {"NoSchedule", "NoExecute"}


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster, and how it is used, as the user says it."""

    image: str
    context: str = ""
    kubeconfig: str = ""
    prefix: str = "hoptax"
    resources: Resources = field(default_factory=Resources)
    any_context: bool = False
    mesh_images: tuple[tuple[str, str], ...] = ()
    load_pods: int = 1


@dataclass(frozen=True, slots=True)
class Scheduling:
    """The node of the system under test, and of the load; equal when there is only one."""

    system: str
    load: str

    @property
    def apart(self) -> bool:
        """Whether they are two nodes."""
        return self.system != self.load


def schedule(nodes: list[Json]) -> Scheduling:
    """The first node that takes pods for the system, the last for the load. EnvironmentFailure if there is none."""
    usable = sorted(
        str(node["metadata"]["name"])
        for node in nodes
        if not node["spec"].get("unschedulable")
        and not any(taint.get("effect") in TAINTS for taint in node["spec"].get("taints", ()))
    )
    if not usable:
        raise EnvironmentFailure(f"none of the {len(nodes)} nodes takes pods: remove their taints, or add a node")
    return Scheduling(usable[0], usable[-1])


def check(target: Target, context: str) -> None:
    """UsageError for names that Kubernetes doesn't take, and for a cluster that somebody may need for something else."""
    if not PREFIX.fullmatch(target.prefix):
        raise UsageError(
            f"--namespace-prefix {target.prefix!r}: allowed are a-z, 0-9 and -, at most 30, a letter first"
        )
    if not context.startswith(KIND) and not target.any_context:
        raise UsageError(
            f"context {context!r} is no kind cluster: a run makes namespaces, webhooks and an agent that sees the node's processes; "
            "say --yes if that is meant, or give --context"
        )


class Cluster:
    """The context of a run. `run` labels everything it makes."""

    def __init__(self, target: Target, run: str) -> None:
        self.target = target
        self.run = run
        self.kubectl = Kubectl(target.context, target.kubeconfig)

    def __enter__(self) -> Self:
        context = self.kubectl.current_context()
        check(self.target, context)
        self.kubectl = Kubectl(context, self.target.kubeconfig)
        ownership.clear_leftovers(self.kubectl, self.target.prefix)
        ownership.check_free(self.kubectl, self.target.prefix, self.run)
        self.nodes = self.kubectl.items("nodes")
        self.scheduling = schedule(self.nodes)
        with ExitStack() as stack:
            stack.enter_context(Reaped(self.kubectl, ownership.of_run(self.run)))
            self._make_instruments()
            self._instruments = self._instrument_pods()
            self.load_pods = self._load_pods()
            self.tunnel = stack.enter_context(Tunnel(self.exec(instruments.AGENT, "agent", *instruments.SERVE)))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def where(self, namespace_name: str) -> Where:
        """A place for the system under test."""
        target = self.target
        return Where(
            self.run, namespace_name, target.image, target.resources, self.scheduling.system, target.mesh_images
        )

    def exec(self, pod: str, container: str, *words: str, namespace: str = "") -> tuple[str, ...]:
        """The command that runs something in a pod (of the instrument's, without a namespace), with our stdin."""
        at = namespace or self.target.prefix
        place = ("--stdin", "--quiet", f"--namespace={at}", f"--container={container}", pod)
        return self.kubectl.words("exec", *place, "--", *words)

    def facts(self) -> dict[str, Any]:  # Any: JSON values
        """For the manifest of a result."""
        return {
            "kubernetes": self.kubectl.version(),
            "nodes": [_node(node) for node in self.nodes],
            "scheduling": asdict(self.scheduling) | {"apart": self.scheduling.apart},
            "image": self.target.image,
            "mesh_images": dict(self.target.mesh_images),
            "resources": self.target.resources.document(),
        }

    def instruments_cpu_ns(self) -> int:
        """What agent and load used until now on the node of the system under test."""
        there = [pod for pod in self._instruments if pods.node(pod) == self.scheduling.system]
        ids = [pods.container_id(pod, str(pod["spec"]["containers"][0]["name"])) for pod in there]
        answer = self.tunnel.ask("containers", ids=ids, memory=False)
        return sum(int(answer[each]["cpu_ns"]) for each in ids)

    def wait(self, ready: Callable[[], str], within_s: float, what: str) -> None:
        """Until `ready` says "" ; EnvironmentFailure with what it says after `within_s`."""
        give_up = time.monotonic() + within_s
        while said := ready():
            if time.monotonic() > give_up:
                raise EnvironmentFailure(f"{what} isn't ready after {within_s:g} s: {said}")
            time.sleep(POLL_S)

    def _make_instruments(self) -> None:
        prefix, target = self.target.prefix, self.target
        agent = Where(self.run, prefix, target.image, node=self.scheduling.system)
        load = Where(self.run, prefix, target.image, node=self.scheduling.load)
        labels = ((ownership.PREFIX, prefix), ("pod-security.kubernetes.io/enforce", "privileged"))
        place = namespace(agent, labels)
        place["metadata"]["annotations"] = {ownership.OWNER: ownership.owner(os.getpid())}
        self.kubectl.apply([place])
        self.kubectl.apply(instruments.objects(agent, load, target.load_pods))
        self.wait(self._instruments_missing, READY_WITHIN_S, "the instrument in the cluster")

    def _instruments_missing(self) -> str:
        found = self._instrument_pods()
        for name, container, count in (
            (instruments.AGENT, "agent", 1),
            (instruments.LOAD, "load", self.target.load_pods),
        ):
            of_name = [pod for pod in found if pod["metadata"]["labels"].get("app") == name]
            if len(of_name) < count:
                return f"there are {len(of_name)} of {count} pods {name}"
            if said := self._not_running(of_name, container):
                return said
        return ""

    def _not_running(self, found: list[Json], container: str) -> str:
        for pod in found:
            if why := pods.hopeless(pod):
                raise EnvironmentFailure(
                    f"{why}; is image {self.target.image} in the cluster? Otherwise make images, hoptax cluster load "
                    "build/images/all.tar, and give --image as build/images/all.json has it"
                )
            if not pods.runs(pod, container):
                return pods.waits_for(pod) or f"pod {pods.name(pod)} doesn't run yet"
        return ""

    def _instrument_pods(self) -> list[Json]:
        return self.kubectl.items("pods", f"--namespace={self.target.prefix}")

    def _load_pods(self) -> list[str]:
        found = pods.all_of_workload(self._instruments, instruments.LOAD)
        if len(found) != self.target.load_pods:
            raise EnvironmentFailure(
                f"of {self.target.load_pods} pods of job {instruments.LOAD} there are {len(found)}: who removes pods there?"
            )
        return sorted(map(pods.name, found))


def _node(node: Json) -> Json:
    info = node["status"]["nodeInfo"]
    kept = ("kernelVersion", "osImage", "containerRuntimeVersion", "kubeletVersion", "architecture")
    return {name: info.get(name, "") for name in kept} | {"allocatable": node["status"].get("allocatable", {})}
