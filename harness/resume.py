"""Going on with an experiment that was cut off: whether it may, and which trials are left. Pure.

A round pairs its arms because they were measured close together in time. So a round that was cut off is repeated whole, in each
topology and under each load by itself: what it has on disk was measured before the break, by a machine of another hour. Those runs are
removed before anything new is measured, and the manifest names them; no estimate ever had them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.experiment import Experiment, waits_for_pilot
from harness.likeness import Difference, Document, differences, stable, told
from harness.manifest import Facts, design
from harness.model.errors import UsageError
from harness.model.mesh import Traffic
from harness.model.run import Load, Run
from harness.records import from_json, to_json
from harness.retakes import again, by_round
from harness.rounds import Trial


@dataclass(frozen=True, slots=True)
class Remaining:
    """The trials to run, in order; how many are done for good; the ids of runs that stay, and of those whose round has to be repeated."""

    trials: tuple[Trial, ...]
    done: int
    kept: tuple[str, ...]
    repeated: tuple[str, ...]


def remaining(planned: Sequence[Trial], complete: Mapping[str, Run], retakes: int) -> Remaining:
    """What is left when these runs, by id, are complete on disk."""
    rounds = list(by_round(planned))
    kept = [_takes(trials, complete, retakes) for trials in rounds]
    left = tuple(trial for trials, ids in zip(rounds, kept, strict=True) if not ids for trial in trials)
    stay = tuple(each for ids in kept for each in ids)
    return Remaining(left, len(planned) - len(left), stay, tuple(each for each in complete if each not in stay))


def _takes(trials: Sequence[Trial], complete: Mapping[str, Run], retakes: int) -> tuple[str, ...]:
    """The ids of a round's runs, with those that were measured again; none if one of them is missing."""
    ids: list[str] = []
    left = tuple(trials)
    while left:
        if any(trial.id not in complete for trial in left):
            return ()
        ids += [trial.id for trial in left]
        left = tuple(filter(None, (again(trial, complete[trial.id], retakes) for trial in left)))
    return tuple(ids)


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
