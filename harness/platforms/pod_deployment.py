"""A plan that runs in a cluster: waits for its pods, opens doors to them, reads what they use, ends them."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.model.errors import EnvironmentFailure
from harness.model.plan import APP_PORT, INBOUND_PORT, Plan, Unit
from harness.model.platform import Endpoint, Placement, RunningUnit, Usage
from harness.platforms import arrival, counters, pods
from harness.platforms.cluster import Cluster
from harness.platforms.cluster_disturbed import ClusterUnits
from harness.platforms.inside import Inside
from harness.platforms.manifests import container_name, hosts_of, own
from harness.platforms.places import RUN, Where
from harness.platforms.pod_trouble import Trouble
from harness.platforms.readiness import is_ready
from harness.platforms.tunnel import Door

PODS_WITHIN_S = 60.0
GONE_WITHIN_S = 30.0
POLL_S = 0.02
KUBERNETES, INSTRUMENT = "kubernetes", "instrument"
"""Kubelet, container runtime and the pods of kube-system; agent and load."""
Json = dict[str, Any]  # Any: JSON values


class PodDeployment:
    """See harness.model.platform.Deployment. Addresses are loopback ones, whose doors the agent's tunnel carries into the pods."""

    def __init__(
        self,
        plan: Plan,
        cluster: Cluster,
        where: Where,
        placement: Placement,
        addresses: Mapping[str, str],
        workspace: Path,
    ) -> None:
        self.plan = plan
        self.placement = placement
        self.units: dict[str, RunningUnit] = {}
        self.where = where
        self._cluster = cluster
        self._addresses = addresses
        self._workspace = workspace
        self._pods: dict[str, Json] = {}
        self._restarts: dict[str, dict[str, int]] = {}
        self._doors: list[Door] = []
        self._containers: dict[str, str] = {}
        self._trouble = Trouble(cluster.kubectl)
        self._closed = False
        self._insides, self._inside = ExitStack(), dict[str, Inside]()
        self.disturb = ClusterUnits(
            plan, self._containers, lambda _unit: cluster.tunnel, self._answers, self.check, self._allow_restart
        )

    def start(self) -> None:
        """Returns when every unit is ready: its container runs, and it answers as its `ready` says."""
        self._cluster.wait(self._missing, PODS_WITHIN_S, f"namespace {self.where.namespace}")
        self._open_doors()
        self._name_units()
        self._restarts = {pods.name(pod): pods.restarts(pod) for pod in self._pods.values()}
        for unit in self.plan.units:
            self._await_ready(unit)
        self._check_nodes()
        arrival.await_routes(self._cluster.tunnel, self.plan, self._addresses, self.where.namespace)
        arrival.settle((self._addresses[self.plan.entry_host], self.plan.entry_port))

    def container_id(self, unit: str) -> str:
        """The unit's container, without the runtime's prefix."""
        return pods.container_id(self._pods[unit], self._container(self.plan.unit(unit)))

    def load_url(self) -> str:
        """Where load enters, for who is inside the cluster."""
        entry = next(unit for unit in self.plan.units if unit.host == self.plan.entry_host and unit.name in self._pods)
        return f"http://{pods.address(self._pods[entry.name])}:{self.plan.entry_port}"

    def entry_url(self) -> str:
        return f"http://{self._addresses[self.plan.entry_host]}:{self.plan.entry_port}"

    def address(self, host: str) -> str:
        return self._addresses[host]

    def inbound(self, host: str) -> Endpoint:
        return self._addresses[host], APP_PORT

    def outbound(self, host: str, callee: str) -> Endpoint:
        if host not in self._inside:
            self._inside[host] = self._insides.enter_context(Inside(self._exec(host), self._addresses[host]))
        return self._inside[host].door(callee)

    def log(self, unit: str) -> str:
        pod, container = self._pods[unit], self._container(self.plan.unit(unit))
        place = f"--namespace={pod['metadata']['namespace']}"
        return self._cluster.kubectl.run("logs", pods.name(pod), f"--container={container}", place)

    def usage(self, unit: str, *, memory: bool = True) -> Usage:
        return self.disturb.usage(unit, memory=memory)

    def machine_cpu_ns(self) -> tuple[int, int]:
        return counters.machine_cpu_ns(self.placement.system, self._cluster.tunnel.ask("stat"))

    def platform_cpu_ns(self) -> Mapping[str, int]:
        """Kubernetes itself is the node's, less what the units and the instrument's pods there used."""
        unit = next(iter(self.units))
        _, node_ns, _ = self.disturb.shares(unit)
        ours_ns = sum(self.disturb.usage(name, memory=False).cpu_ns for name in self.units)
        instrument_ns = self._cluster.instruments_cpu_ns()
        return {KUBERNETES: node_ns - ours_ns - instrument_ns, INSTRUMENT: instrument_ns}

    def check(self) -> None:
        now = {pods.name(pod): pod for pod in self._all_pods()}
        for unit, pod in self._pods.items():
            found = now.get(pods.name(pod))
            if found is None or pods.leaving(found):
                raise EnvironmentFailure(f"unit {unit!r} has vanished: pod {pods.name(pod)!r} was removed or evicted")
            if pods.is_behind(found, self._restarts[pods.name(pod)]):
                continue
            if why := pods.ended(found, self._restarts[pods.name(pod)]):
                raise EnvironmentFailure(f"unit {unit!r} ended; {why}{self._trouble.tail(found, restarted=True)}")

    def identity_dir(self, name: str) -> Path:
        return self._workspace / "identities" / name

    def close(self) -> None:
        """Ends the pods; the namespace stays for the next launch of this plan."""
        if self._closed:
            return
        self._closed = True
        self.disturb.undo()
        self._insides.close()
        self._cluster.tunnel.close_doors(self._doors)
        self.units.clear()
        self._end_pods()

    def _end_pods(self) -> None:
        """Sometimes a kubelet forgets to end one; told a second time, it does."""
        kubectl, mine = (
            self._cluster.kubectl,
            (f"--namespace={self.where.namespace}", f"--selector={RUN}={self.where.run}"),
        )
        if started := kubectl.run("get", "deployments", *mine, "--output=name").split():
            kubectl.run("scale", *started, "--replicas=0", mine[0])
        within = f"--timeout={GONE_WITHIN_S:g}s"
        try:
            kubectl.run("wait", "pods", *mine, "--for=delete", within, within_s=GONE_WITHIN_S + 10)
        except EnvironmentFailure:
            kubectl.run("delete", "pods", *mine, "--grace-period=1", within, within_s=GONE_WITHIN_S + 10)

    def _exec(self, host: str) -> tuple[str, ...]:
        """The command that runs the words after it in the app's container of a host."""
        app = next(unit for unit in own(self.plan) if unit.host == host)
        return self._cluster.exec(pods.name(self._pods[app.name]), container_name(app), namespace=self.where.namespace)

    def _missing(self) -> str:
        """What isn't there yet; finds the pod of every unit on the way."""
        found, waiting = self._all_pods(), ""
        for unit in self.plan.units:
            pod = pods.of_workload(found, unit.brought.workload if unit.brought else unit.host)
            if pod is None:
                waiting = (
                    f"there is no pod of unit {unit.name!r}{self._trouble.of_workload(unit, self.where.namespace)}"
                )
            elif why := pods.hopeless(pod):
                raise EnvironmentFailure(f"unit {unit.name!r} doesn't start; {why}{self._trouble.tail(pod)}")
            elif not pods.runs(pod, self._container(unit)) or not pods.address(pod):
                waiting = pods.waits_for(pod) or f"unit {unit.name!r} doesn't run yet"
            else:
                self._pods[unit.name] = pod
        return waiting

    def _all_pods(self) -> list[Json]:
        places = {unit.brought.namespace for unit in self.plan.units if unit.brought} - {""}
        return [
            pod
            for place in sorted({self.where.namespace, *places})
            for pod in self._cluster.kubectl.items("pods", f"--namespace={place}")
        ]

    @staticmethod
    def _container(unit: Unit) -> str:
        return unit.brought.container if unit.brought else container_name(unit)

    def _open_doors(self) -> None:
        doors: dict[Door, Door] = {}
        for host, units in hosts_of(self.plan.units).items():
            there = pods.address(self._pods[units[0].name])
            ports = {port for unit in units for port in unit.ports} | {INBOUND_PORT}
            doors |= {(self._addresses[host], port): (there, port) for port in ports}
        self._doors = list(doors)
        self._cluster.tunnel.open_doors(doors)

    def _name_units(self) -> None:
        self._containers.update({unit.name: self.container_id(unit.name) for unit in self.plan.units})
        wanted = self._containers
        found = self._cluster.tunnel.ask("pids", containers=sorted(set(wanted.values())))
        for unit in self.plan.units:
            if not (pids := found[wanted[unit.name]]):
                raise EnvironmentFailure(
                    f"the agent finds no process of unit {unit.name!r} on its node: it runs on "
                    f"{pods.node(self._pods[unit.name])!r}, the agent on {self._cluster.scheduling.system!r}"
                )
            log = self._workspace / unit.name / "log"
            self.units[unit.name] = RunningUnit(
                unit.name, unit.role, unit.service, unit.host, self._addresses[unit.host], pids[0], log
            )

    def _allow_restart(self, unit: str) -> None:
        """One more than until now is no failure: the unit is being killed."""
        self._restarts[pods.name(self._pods[unit])][self._container(self.plan.unit(unit))] += 1

    def _answers(self, unit: str) -> bool:
        """Whether a unit that was started again is ready; then it has a new process."""
        ready = self.plan.unit(unit).ready
        if ready is not None and not is_ready(self._addresses[self.units[unit].host], ready):
            return False
        self._name_process(unit)
        return True

    def _name_process(self, unit: str) -> None:
        container = self._containers[unit]
        if pids := self._cluster.tunnel.ask("pids", containers=[container])[container]:
            self.units[unit] = replace(self.units[unit], pid=pids[0])

    def _await_ready(self, unit: Unit) -> None:
        if unit.ready is None:
            return
        give_up = time.monotonic() + unit.ready.within_s
        while not is_ready(self._addresses[unit.host], unit.ready):
            if time.monotonic() > give_up:
                self.check()
                asked = (
                    f"GET {unit.ready.path} on port {unit.ready.port}" if unit.ready.path else f"port {unit.ready.port}"
                )
                raise EnvironmentFailure(
                    f"unit {unit.name!r} isn't ready after {unit.ready.within_s:g} s: {asked} isn't answered"
                    f"{self._trouble.tail(self._pods[unit.name])}"
                )
            time.sleep(POLL_S)

    def _check_nodes(self) -> None:
        for unit in own(self.plan):
            if (node := pods.node(self._pods[unit.name])) != self._cluster.scheduling.system:
                raise EnvironmentFailure(
                    f"unit {unit.name!r} runs on node {node!r}, planned is {self._cluster.scheduling.system!r}: who moves pods there?"
                )
