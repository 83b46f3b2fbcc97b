"""Measuring a result again: its manifest → the experiment that made it, with the rate, seeds and topologies it had. Pure."""

from collections.abc import Mapping
from typing import Any

from harness import registry
from harness.ablation import Ablation
from harness.experiment import Experiment
from harness.likeness import MACHINE_PARTS, Document, differences, parts, told
from harness.manifest import Facts, comparison
from harness.model.errors import UsageError
from harness.model.mesh import Arm, Traffic
from harness.model.topology import Topology
from harness.records import from_json
from harness.resume import settled_loads


def experiment_of(name: str, manifest: Document, others: Mapping[str, Arm]) -> Experiment:
    """The experiment of a result; `others` are arms of other checkouts, by id. UsageError if it can't be had again."""
    if "comparison" not in manifest:
        raise UsageError(f"{name} was made by an older hoptax and can't be replayed: run its experiment again")
    if manifest.get("faults"):
        raise UsageError(
            f"{name} has faults, whose windows have no cost to compare: `hoptax run {manifest['experiment']}` again"
        )
    return Experiment(
        name=manifest["experiment"],
        arms=tuple(_arm(name, arm["id"], others) for arm in manifest["arms"]),
        reference=manifest["reference"],
        contrasts=tuple((arm, against) for arm, against in manifest["contrasts"]),
        topologies=tuple(_topology(name, each) for each in manifest["topologies"]),
        loads=settled_loads(manifest),
        rounds=manifest["rounds"],
        seed=manifest["seed"],
        ablation=tuple(from_json(Ablation, each) for each in manifest.get("ablation", ())),
    )


def _arm(name: str, arm_id: str, others: Mapping[str, Arm]) -> Arm:
    if arm_id in others:
        return others[arm_id]
    mesh = arm_id.partition("[")[0]
    if "@" in mesh:
        raise UsageError(
            f"{name} has arm {arm_id!r} of another checkout: give that tree with --checkout PATH"
            + (f" (those given have {', '.join(sorted(others))})" if others else "")
        )
    if "#" in arm_id:
        raise UsageError(f"{name} has arm {arm_id!r}, which the self-test made: repeat it with `hoptax selftest`")
    return registry.arm(arm_id)


def _topology(name: str, each: Document) -> Topology:
    try:
        return from_json(Topology, each["document"])
    except ValueError as error:
        raise UsageError(f"{name}: topology {each['name']} can't be read from the manifest: {error}") from error


def features_of(arm_id: str) -> str:
    """`[mtls]` of `builtin@0.1.0-3fa92c1b[mtls]`; "" without features."""
    return "[" + arm_id.partition("[")[2] if "[" in arm_id else ""


def arms_of_checkouts(manifest: Document, paths: list[str]) -> dict[str, Arm]:
    """The arms that those trees give, as far as the result may mean them, by id."""
    found = {}
    for path in paths:
        for arm in manifest["arms"]:
            mesh, at, _ = arm["id"].partition("[")[0].partition("@")
            if at:
                other = registry.arm(f"{mesh}@{path}{features_of(arm['id'])}")
                found[other.id] = other
    return found


def check_repeatable(
    name: str, manifest: Document, experiment: Experiment, facts: Facts, traffic: Traffic, *, other_machine: bool
) -> None:
    """UsageError, naming what differs, if measuring here and now isn't measuring the same."""
    now: dict[str, Any] = comparison(experiment, facts, traffic, experiment.loads)
    found = list(differences(parts(manifest), now))
    machine = [each for each in found if each.where.split(".", maxsplit=1)[0] in MACHINE_PARTS]
    if rest := [each for each in found if each not in machine]:
        raise UsageError(f"{name} can't be replayed by this hoptax: {told(rest)}; use the one that made it")
    if machine and not other_machine:
        raise UsageError(
            f"{name} was measured on another machine: {told(machine)}.\n"
            "Give --other-machine to see how far its figures hold here"
        )
