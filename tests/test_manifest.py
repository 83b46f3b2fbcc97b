"""The manifest: JSON as it stands, and a comparison key that changes with what makes results incomparable and nothing else."""

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.experiment import Experiment, load_experiment
from harness.manifest import Facts, comparison_key, digest, manifest
from harness.model.mesh import FEATURES, Traffic
from harness.model.platform import Placement
from harness.model.run import Load, Parity

EXPERIMENT = load_experiment("quick")
FACTS = Facts(
    instrument="0.1.0",
    platform="process",
    placement=Placement(system=(0,), load=(1,)),
    machine={"cpu": {"model": "x"}},
    machine_class="x, 2 CPUs",
    programs={
        "baseline": [],
        "envoy[mtls]": [{"name": "envoy", "version": "1.36.2", "digest": "a"}],
        "builtin[mtls]": [
            {"name": "proxy", "version": "", "digest": "b"},
            {"name": "control", "version": "2", "digest": "c"},
        ],
    },
    surroundings={"quota_cpus": None},
    warnings=("busy",),
)
LOADS = {"auto": Load(rate_rps=400.0, warmup_s=2.0, window_s=5.0)}
PROOFS = {"baseline": (Parity("no mesh", True, "none seen"),)}


def document(experiment: Experiment = EXPERIMENT) -> dict[str, Any]:  # Any: JSON values
    return manifest(
        experiment, FACTS, Traffic(), LOADS, {"rate_rps": 400.0}, PROOFS, {"baseline": [{"unit": "a-0"}]}, "2026-01-02"
    )


def test_a_manifest_is_json_as_it_stands() -> None:
    found = json.loads(json.dumps(document(), allow_nan=False))
    assert found.keys() == document().keys()
    assert found["topologies"] == document()["topologies"]


def test_arms_have_their_features_and_the_version_of_their_first_program_that_has_one() -> None:
    baseline, envoy, builtin = document()["arms"]
    assert (baseline["id"], baseline["version"], set(baseline["features"].values())) == ("baseline", "", {"off"})
    assert (envoy["mesh"], envoy["version"]) == ("envoy", "1.36.2")
    assert envoy["features"] == {name: "on" if name == "mtls" else "off" for name in FEATURES}
    assert (builtin["version"], len(builtin["programs"])) == ("2", 2)


def test_what_a_reader_needs_to_judge_and_repeat_the_result() -> None:
    found = document()
    assert (found["experiment"], found["reference"], found["rounds"], found["seed"]) == ("quick", "baseline", 8, 1)
    assert found["contrasts"] == [["builtin[mtls]", "envoy[mtls]"]]
    assert found["loads"]["auto"]["rate_rps"] == 400.0
    assert found["pilot"] == {"rate_rps": 400.0}
    assert found["instrument"] == {"name": "hoptax", "version": "0.1.0"}
    assert (list(found["placement"]["system"]), found["placement"]["apart"]) == ([0], True)
    assert found["traffic"]["policies"]["retry"]["attempts"] == 2
    assert found["parity"]["baseline"] == [{"check": "no mesh", "passed": True, "seen": "none seen"}]
    assert (found["facts"], found["warnings"]) == ({"quota_cpus": None}, ["busy"])
    (topology,) = found["topologies"]
    assert topology["digest"] == EXPERIMENT.topologies[0].digest
    assert [service["name"] for service in topology["document"]["services"]] == list("abcd")


def key(
    experiment: Experiment = EXPERIMENT, facts: Facts = FACTS, traffic: Traffic | None = None, rate: float = 400.0
) -> str:
    loads = {"auto": replace(LOADS["auto"], rate_rps=rate)}
    return comparison_key(experiment, facts, traffic or Traffic(), loads)


def test_arms_rounds_and_versions_do_not_make_results_incomparable() -> None:
    fewer = replace(EXPERIMENT, arms=EXPERIMENT.arms[:1], rounds=30, contrasts=())
    newer = replace(FACTS, instrument="0.2.0", programs={}, machine={"uptime": 3}, surroundings={}, warnings=())
    assert key(fewer, newer) == key() == document()["comparison_key"]


@pytest.mark.parametrize(
    "changed",
    [
        key(rate=401.0),
        key(traffic=Traffic(connect_timeout_s=2)),
        key(facts=replace(FACTS, machine_class="y")),
        key(facts=replace(FACTS, platform="cluster")),
        key(facts=replace(FACTS, placement=Placement((0,), (0,)))),
        key(replace(EXPERIMENT, topologies=(replace(EXPERIMENT.topologies[0], digest="other"),))),
    ],
    ids=["load", "traffic", "machine", "platform", "placement", "topology"],
)
def test_what_makes_results_incomparable(changed: str) -> None:
    assert changed != key()


def test_the_digest_ignores_the_order_of_keys_and_sees_that_of_lists() -> None:
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})
    assert len(digest({})) == 16


@pytest.mark.parametrize("name", ["ablation", "faults", "gate"])
def test_whatever_a_shipped_experiment_asks_for_is_json(name: str) -> None:
    found = document(load_experiment(name))
    assert json.loads(json.dumps(found))["arms"]
    assert bool(found["ablation"]) is (name == "ablation")
    assert bool(found["faults"]) is (name == "faults")
    assert bool(found["rules"]) is (name == "gate")
