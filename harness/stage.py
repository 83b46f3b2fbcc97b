"""The stage of a run: CPUs, a private folder, the supervisor, the platform, and the facts found before the first trial."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness import diagnosis
from harness.cluster_stage import cluster_stage
from harness.experiment import Experiment
from harness.injecting import plan_with
from harness.manifest import Facts
from harness.model.mesh import Arm, Traffic
from harness.model.plan import Plan
from harness.model.platform import Placement
from harness.platforms import programs
from harness.platforms.addresses import AddressBlock
from harness.platforms.cluster import Target
from harness.platforms.cores import core_of
from harness.platforms.kubernetes import KubernetesPlatform
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from harness.probes import machine, surroundings
from harness.trial import Bench


@contextmanager
def stage(arms: Iterable[Arm], spin_s: float = 0.0, target: Target | None = None) -> Iterator[tuple[Bench, Facts]]:
    """Everything a trial needs, on this machine or in the `target` cluster.

    With `spin_s` the machine's noise is measured first, for twice that time.
    """
    if target is None:
        with _process_stage(tuple(arms), spin_s) as found:
            yield found
        return
    cpus = tuple(sorted(os.sched_getaffinity(0)))
    placement = Placement(cpus, cpus)
    facts = _facts(placement, spin_s)
    with cluster_stage(target, placement, {arm.id: arm.mesh.programs for arm in arms}) as (bench, described, around):
        surroundings = {**facts.surroundings, **around}
        yield bench, replace(facts, platform=bench.platform.name, surroundings=surroundings, programs=described)


@contextmanager
def _process_stage(arms: tuple[Arm, ...], spin_s: float) -> Iterator[tuple[Bench, Facts]]:
    """The harness moves to the load's CPUs; leaving ends all units and removes the folder."""
    before = os.sched_getaffinity(0)
    placement = place(sorted(before), core_of)
    described = {arm.id: [programs.describe(program) for program in arm.mesh.programs] for arm in arms}
    facts = replace(_facts(placement, spin_s), programs=described)
    with (
        AddressBlock() as addresses,
        Supervised(Path(tempfile.mkdtemp(prefix="hoptax-")), [addresses.fileno()]) as supervised,
    ):
        folder = supervised.folder
        os.sched_setaffinity(0, placement.load)
        try:
            platform = ProcessPlatform(supervised, addresses, placement, folder / "authority")
            yield Bench(platform, placement, Traffic(), folder), facts
        finally:
            os.sched_setaffinity(0, before)


def check_programs(arms: Iterable[Arm], target: Target | None = None) -> None:
    """EnvironmentFailure, before anything is made, if a program of these arms is missing that this machine has to have."""
    for arm in arms:
        for program in arm.mesh.programs:
            if target is None or not program.image:
                programs.command(program)


def dry_plans(
    experiment: Experiment, *, in_cluster: bool = False
) -> dict[str, list[dict[str, Any]]]:  # Any: JSON values
    """Per arm, every unit with its command and files as the plan has them; nothing is resolved or started."""
    facts = KubernetesPlatform.facts if in_cluster else ProcessPlatform.facts
    topology = experiment.topologies[0]
    specs = experiment.faults
    return {arm.id: _units(plan_with(arm, topology, Traffic(), facts, specs)) for arm in experiment.arms}


def _units(plan: Plan) -> list[dict[str, Any]]:  # Any: JSON values
    return [
        {
            "unit": unit.name,
            "role": unit.role,
            "command": [unit.program.name, *unit.args],
            "files": {file.name: file.content for file in unit.files},
        }
        for unit in plan.units
    ]


def _facts(placement: Placement, spin_s: float) -> Facts:
    found, around = machine.facts(), surroundings.gather(placement, spin_s)
    return Facts(
        instrument=version("hoptax"),
        platform="process",
        placement=placement,
        machine=found,
        machine_class=machine.machine_class(found),
        programs={},
        surroundings=asdict(around),
        warnings=tuple(diagnosis.warnings(diagnosis.judge(around))),
    )
