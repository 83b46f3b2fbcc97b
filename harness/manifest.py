"""The manifest of a result: all inputs with digests, versions of instrument and meshes apart, machine facts, seeds. Pure.

What may be compared is decided by `comparison_key`: results with equal keys were measured under the same load, on the same
topology, placement and settings, on the same class of machine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from harness.analysis.checks import to_manifest
from harness.experiment import Experiment
from harness.model.fault import STEADY_S
from harness.model.mesh import FEATURES, Arm, Traffic
from harness.model.platform import Placement
from harness.model.run import ClockDomain, Load, Parity, WorkerClock
from harness.model.topology import document
from harness.records import to_json


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about machine and programs before the first trial.

    `programs` has name, version and digest of everything an arm depends on, by arm id. `surroundings` are limits and noise, as
    `hoptax doctor` reads them.
    """

    instrument: str
    platform: str
    placement: Placement
    machine: Mapping[str, Any]
    machine_class: str
    programs: Mapping[str, Sequence[Mapping[str, str]]]
    surroundings: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def manifest(
    experiment: Experiment,
    facts: Facts,
    traffic: Traffic,
    loads: Mapping[str, Load],
    pilot: Mapping[str, Any],
    parity: Mapping[str, Sequence[Parity]],
    rendered: Mapping[str, Sequence[Mapping[str, str]]],
    started_utc: str,
) -> dict[str, Any]:
    """The document, ready for JSON; the store adds kind and schema."""
    return {
        "experiment": experiment.name,
        "started_utc": started_utc,
        "reference": experiment.reference,
        "contrasts": [list(pair) for pair in experiment.contrasts],
        "ablation": to_json(experiment.ablation),
        "arms": [_arm(arm, facts) for arm in experiment.arms],
        "topologies": [
            {"name": topology.name, "digest": topology.digest, "document": to_json(document(topology))}
            for topology in experiment.topologies
        ],
        "loads": {name: asdict(load) for name, load in loads.items()},
        "rounds": experiment.rounds,
        "seed": experiment.seed,
        "rules": to_manifest(experiment.rules),
        "traffic": asdict(traffic),
        "pilot": dict(pilot),
        "instrument": {"name": "hoptax", "version": facts.instrument},
        "platform": facts.platform,
        "placement": asdict(facts.placement) | {"apart": facts.placement.apart},
        "machine": dict(facts.machine),
        "facts": dict(facts.surroundings),
        "warnings": [*facts.warnings, *(note for topology in experiment.topologies for note in topology.notes)],
        "parity": {arm: [asdict(proof) for proof in proofs] for arm, proofs in parity.items()},
        "rendered": {arm: [dict(file) for file in files] for arm, files in rendered.items()},
        "design": design(experiment),
        "comparison": comparison(experiment, facts, traffic, loads),
        "faults": _faults(experiment),
        "comparison_key": comparison_key(experiment, facts, traffic, loads),
    }


def comparison(
    experiment: Experiment, facts: Facts, traffic: Traffic, loads: Mapping[str, Load]
) -> dict[str, Any]:  # Any: JSON values
    """Load, topology, placement, settings and machine class: what results must share; arms and rounds are not in it."""
    return {
        "loads": {name: _comparable(load) for name, load in loads.items()},
        "topologies": {topology.name: topology.digest for topology in experiment.topologies},
        "traffic": asdict(traffic),
        "platform": facts.platform,
        "placement": asdict(facts.placement),
        "machine": facts.machine_class,
        **({"faults": _faults(experiment)} if experiment.faults else {}),
    }


def clock_facts(domain: ClockDomain, clocks: Mapping[str, Sequence[WorkerClock]]) -> dict[str, Any]:
    """The key `clocks`: the harness's own clock, and how far those of each load's workers are from their master's, by load."""
    return {
        "clocks": {
            "domain": asdict(domain),
            "workers": {name: [asdict(clock) for clock in found] for name, found in clocks.items()},
        }
    }


def comparison_key(experiment: Experiment, facts: Facts, traffic: Traffic, loads: Mapping[str, Load]) -> str:
    """Digest of the comparison's parts."""
    return digest(comparison(experiment, facts, traffic, loads))


def design(experiment: Experiment) -> str:
    """Digest of everything that was asked for, arms and rounds and the rate `auto` included: a resumed run must ask the same."""
    asked = {each.name: getattr(experiment, each.name) for each in fields(experiment)}
    return digest(to_json(asked | {"arms": [arm.id for arm in experiment.arms]}))


def _comparable(load: Load) -> dict[str, Any]:
    """A load without what is only a name: a locustfile counts by its digest, and who has none as before there were any."""
    plain = asdict(load)
    workload = plain.pop("workload")
    workload.pop("name")
    return plain | ({"workload": workload} if workload["digest"] else {})


def digest(value: Any) -> str:  # Any: JSON values
    """Sixteen hex digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _faults(experiment: Experiment) -> list[dict[str, Any]]:  # Any: JSON values
    return [asdict(spec) | {"steady_s": STEADY_S} for spec in experiment.faults]


def _arm(arm: Arm, facts: Facts) -> dict[str, Any]:
    programs = [dict(program) for program in facts.programs.get(arm.id, ())]
    return {
        "id": arm.id,
        "name": arm.mesh.name,
        "mesh": arm.mesh.name,
        "variant": arm.variant,
        "features": {name: "on" if name in arm.features else "off" for name in FEATURES},
        "version": next((program["version"] for program in programs if program["version"]), ""),
        "programs": programs,
    }
