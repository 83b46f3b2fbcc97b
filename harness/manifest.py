"""The manifest of a result: all inputs with digests, versions of instrument and meshes apart, machine facts, seeds. Pure.

What may be compared is decided by `comparison_key`: results with equal keys were measured under the same load, on the same
topology, placement and settings, on the same class of machine.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.analysis.checks import to_manifest
from harness.experiment import Experiment
from harness.model.mesh import FEATURES, Arm, Traffic
from harness.model.platform import Placement
from harness.model.run import Load, Parity


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about machine and programs before the first trial.

    `programs` has name, version and digest of everything an arm depends on, by arm id.
    """

    instrument: str
    platform: str
    placement: Placement
    machine: Mapping[str, Any]
    machine_class: str
    programs: Mapping[str, Sequence[Mapping[str, str]]]
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
        "arms": [_arm(arm, facts) for arm in experiment.arms],
        "topologies": [
            {"name": topology.name, "digest": topology.digest, "document": _plain(topology)}
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
        "warnings": list(facts.warnings),
        "parity": {arm: [asdict(proof) for proof in proofs] for arm, proofs in parity.items()},
        "rendered": {arm: [dict(file) for file in files] for arm, files in rendered.items()},
        "comparison_key": comparison_key(experiment, facts, traffic, loads),
    }


def comparison_key(experiment: Experiment, facts: Facts, traffic: Traffic, loads: Mapping[str, Load]) -> str:
    """Digest of load, topology, placement, settings and machine class; arms and rounds are not in it."""
    return digest(
        {
            "loads": {name: asdict(load) for name, load in loads.items()},
            "topologies": [topology.digest for topology in experiment.topologies],
            "traffic": asdict(traffic),
            "platform": facts.platform,
            "placement": asdict(facts.placement),
            "machine": facts.machine_class,
        }
    )


def digest(value: Any) -> str:  # Any: JSON values
    """Sixteen hex digits of the SHA-256 of a value's canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


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


def _plain(value: Any) -> Any:  # Any: a dataclass in, JSON values out
    return json.loads(json.dumps(asdict(value)))
