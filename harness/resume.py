"""Going on with an experiment that was cut off: whether it may, and which trials are left. Pure.

A round pairs its arms because they were measured close together in time. So a round that was cut off is repeated whole, in each
topology and under each load by itself: what it has on disk was measured before the break, by a machine of another hour. Those runs are
removed before anything new is measured, and the manifest names them; no estimate ever had them.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.experiment import Experiment, waits_for_pilot
from harness.likeness import Difference, Document, differences, stable, told
from harness.manifest import Facts, design
from harness.model.errors import UsageError
from harness.model.mesh import Traffic
from harness.model.run import Load
from harness.records import from_json, to_json
from harness.rounds import Trial


@dataclass(frozen=True, slots=True)
class Remaining:
    """The trials to run, in order; how many are done for good; and the ids of runs whose round has to be repeated."""

    trials: tuple[Trial, ...]
    done: int
    repeated: tuple[str, ...]


def remaining(planned: Sequence[Trial], complete: Collection[str]) -> Remaining:
    """What is left when the runs of these ids are complete on disk."""
    broken = {_round(trial) for trial in planned if trial.id not in complete}
    left = tuple(trial for trial in planned if _round(trial) in broken)
    return Remaining(left, len(planned) - len(left), tuple(trial.id for trial in left if trial.id in complete))


def _round(trial: Trial) -> tuple[int, str, str]:
    return trial.round, trial.topology, trial.load


def settled_loads(manifest: Document) -> dict[str, Load]:
    """The loads as they were measured, the pilot's rate in place of `auto`."""
    return {name: from_json(Load, load) for name, load in manifest["loads"].items()}


def check_same(name: str, manifest: Document, experiment: Experiment, facts: Facts, traffic: Traffic) -> None:
    """UsageError, naming what differs, unless going on would measure the same as what is there, on the same machine."""
    found = list(differences(_recorded(manifest), _asked(manifest, experiment, facts, traffic)))
    if not found and manifest.get("design") != design(experiment):
        found = [Difference("design", str(manifest.get("design")), design(experiment))]
    if found:
        raise UsageError(
            f"{name} can't be resumed, it isn't what would be measured now: {told(found)}.\n"
            "Give the same experiment and options on the same machine, or start anew without --resume"
        )


def _recorded(manifest: Document) -> dict[str, Any]:  # Any: JSON values
    return {
        "experiment": manifest["experiment"],
        "arms": [arm["id"] for arm in manifest["arms"]],
        "rounds": manifest["rounds"],
        "seed": manifest.get("seed"),
        "reference": manifest["reference"],
        "topologies": {each["name"]: each["digest"] for each in manifest["topologies"]},
        "loads": manifest["loads"],
        "traffic": manifest.get("traffic"),
        "platform": manifest.get("platform"),
        "placement": {name: manifest["placement"][name] for name in ("system", "load")},
        "machine": stable(manifest),
        "instrument": manifest.get("instrument", {}).get("version"),
        "programs": {arm["id"]: list(arm.get("programs", ())) for arm in manifest["arms"]},
    }


def _asked(manifest: Document, experiment: Experiment, facts: Facts, traffic: Traffic) -> dict[str, Any]:
    known: Mapping[str, Document] = manifest["loads"]
    asked: dict[str, Any] = to_json(
        {
            "experiment": experiment.name,
            "arms": [arm.id for arm in experiment.arms],
            "rounds": experiment.rounds,
            "seed": experiment.seed,
            "reference": experiment.reference,
            "topologies": {topology.name: topology.digest for topology in experiment.topologies},
            "loads": {name: _settled(load, known.get(name)) for name, load in experiment.loads.items()},
            "traffic": asdict(traffic),
            "platform": facts.platform,
            "placement": {"system": facts.placement.system, "load": facts.placement.load},
            "machine": stable({"machine": facts.machine}),
            "instrument": facts.instrument,
            "programs": {arm.id: list(facts.programs.get(arm.id, ())) for arm in experiment.arms},
        }
    )
    return asked


def _settled(load: Load, known: Document | None) -> Load:
    """The rate that the pilot found then stands for `auto` now."""
    return replace(load, rate_rps=known["rate_rps"]) if known and waits_for_pilot(load) else load


def resumption(utc: str, left: Remaining) -> dict[str, Any]:  # Any: JSON values
    """One entry of the manifest's `resumed`."""
    return {"utc": utc, "done": left.done, "left": len(left.trials), "repeated": list(left.repeated)}
