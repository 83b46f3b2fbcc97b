"""The stage of a run in a cluster: the platform kubernetes, the engine in a pod, and what was found out about the nodes."""

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from secrets import token_hex
from typing import Any

from harness.load import users
from harness.load.accounts import clock_domain
from harness.load.clocks import Exchange, bounded
from harness.load.control import Engine
from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.mesh import Traffic
from harness.model.platform import Placement
from harness.model.program import Program
from harness.model.run import Load, WorkerClock
from harness.platforms.addresses import AddressBlock
from harness.platforms.cluster import Cluster, Target
from harness.platforms.in_image import Described, ask, described
from harness.platforms.kubernetes import KubernetesPlatform
from harness.trial import Bench

CARRIER = (sys.executable, "-m", "harness.load.carrier", "carry")
LEAD_MORE_NS = 200_000_000
"""A start goes through the API server and the kubelet to the engine."""
EXCHANGES = 20


@contextmanager
def cluster_stage(
    target: Target, placement: Placement, programs: Mapping[str, Sequence[Program]]
) -> Iterator[tuple[Bench, dict[str, list[Described]], dict[str, Any]]]:  # Any: JSON values
    """A bench in the cluster, what runs there of each arm's `programs`, and its facts; leaving removes everything that was made there."""
    with (
        tempfile.TemporaryDirectory(prefix="hoptax-") as folder,
        AddressBlock() as addresses,
        Cluster(target, f"{target.prefix}-{token_hex(4)}") as cluster,
    ):
        clock = same_clock(cluster)
        platform = KubernetesPlatform(cluster, addresses, placement, Path(folder) / "authority")
        bench = Bench(
            platform,
            placement,
            Traffic(),
            Path(folder),
            engine=lambda load, _cpus: engine(platform, load),
            lead_more_ns=LEAD_MORE_NS,
        )
        yield bench, _programs(cluster, programs), {"cluster": cluster.facts() | {"clock": asdict(clock)}}


def _programs(cluster: Cluster, programs: Mapping[str, Sequence[Program]]) -> dict[str, list[Described]]:
    wanted = {program for each in programs.values() for program in each}
    inside = ask(cluster.exec(cluster.load_pods[0], "load"), cluster.target.image, wanted)
    return {arm: described(each, dict(cluster.target.mesh_images), inside) for arm, each in programs.items()}


def engine(platform: KubernetesPlatform, load: Load) -> Engine:
    """The engine in the pod of the load, or one in the pod of each of Locust's workers, for the deployment that runs now.

    They share CPUs with the system under test. Locust's own part stays here: what it does is seen once a second.
    """
    if platform.running is None:
        raise RuntimeError("an engine is asked for while nothing runs")
    url = platform.running.load_url()
    commands = [(*CARRIER, url, *command) for command in platform.engine_commands()[: load.workload.workers]]
    return users.engine(load, engines=commands) if load.workload.name else Engine((), command=commands[0])


def check_loads(loads: Iterable[Load]) -> None:
    """UsageError for what can't be sent from inside of a cluster."""
    for load in loads:
        if load.workload.loop != "open":
            raise UsageError(
                f"the users of locustfile {load.workload.name!r} wait for their answers, and so have to run where the load is: "
                "the image of the pods has no Locust; use users on OpenLoopUser, or --platform process"
            )


def same_clock(cluster: Cluster) -> WorkerClock:
    """How far the clock in the cluster may be from ours. EnvironmentFailure unless they are one: stamps of both are compared."""
    exchanges, boot_id = [], ""
    for _ in range(EXCHANGES):
        asked_ns = time.monotonic_ns()
        told = cluster.tunnel.ask("clock")
        exchanges.append(Exchange(asked_ns, int(told["monotonic_ns"]), time.monotonic_ns()))
        boot_id = str(told["boot_id"])
    clock = bounded(0, boot_id, exchanges)
    if boot_id != clock_domain().boot_id or not clock.offset_low_ns <= 0 <= clock.offset_high_ns:
        raise EnvironmentFailure(
            f"the nodes of this cluster have another clock than this machine (boot id {boot_id}): run hoptax on the machine that "
            "carries the cluster, as with kind"
        )
    return clock
