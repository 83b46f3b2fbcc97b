"""Arms that lie: they do what they don't have, don't do what they have, or do it wrong. Every proof that should notice does."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from harness.model.mesh import FEATURES, Arm, Mesh, PlanEdit, PlatformFacts, Traffic
from harness.model.plan import File, Plan, Unit
from harness.model.topology import Topology
from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from harness.probes import parity, parity_policies
from harness.registry import mesh
from tests.probes.fake import APP

Json = dict[str, Any]  # Any: JSON values

MTLS = frozenset({"mtls"})
EVERYTHING = frozenset(FEATURES) - {"least-request"}
ON = {
    "tracing: trace continued with an own span",
    "tracing: trace begun",
    "authz: denied path refused",
    "authz: right callers served",
    "authz: outsider refused",
    "retries: failed tries repeated",
    "retries: no more than allowed",
    "retries: slow tries cut",
    "retries: within the budget",
    "retries: on another endpoint",
    "circuit-breaking: excess refused",
    "outlier-ejection: failing endpoint left out",
    "outlier-ejection: endpoint comes back",
    "split: canary gets its share",
    "split: others stand in for an ejected canary",
    "access-log: a line per request",
    "access-log: fields",
}
BOUND = "outlier-ejection: no more than its share out"
OFF = {
    "tracing: off, trace context untouched",
    "authz: off, nobody is refused",
    "retries: off, each call is made once",
    "circuit-breaking: off, nobody is refused",
    "outlier-ejection: off, failing endpoint keeps its share",
    "split: off, the last gets no other share",
    "access-log: off, nothing is written",
}


class Liar:
    """An Envoy that has other features than it says."""

    name = "envoy"

    def __init__(self, really: frozenset[str]) -> None:
        self._really = really

    def plan(self, topology: Topology, _said: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:
        return mesh("envoy").plan(topology, self._really, traffic, platform)


def liar(said: frozenset[str], really: frozenset[str]) -> Arm:
    return Arm(cast("Mesh", Liar(really)), said, "liar")


def edited(edit: "PlanEdit") -> Arm:
    return Arm(mesh("envoy"), EVERYTHING, "wrong", edit)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[ProcessPlatform]:
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(tmp_path / "units") as supervised:
        yield ProcessPlatform(supervised, addresses, placement, tmp_path / "authority")


def failing(platform: ProcessPlatform, arm: Arm, folder: Path) -> set[str]:
    return {proof.check for proof in parity.policies(platform, arm, folder / "proof") if not proof.passed}


def test_an_arm_without_a_sidecar_has_nothing_to_prove() -> None:
    assert not parity_policies.applies(Plan((Unit("a-0", "app", "a-0", APP, ports=(15001,)),), entry_host="b-0"))
    assert parity_policies.applies(Plan((Unit("a-0", "sidecar", "a-0", APP, ports=(15001,)),), entry_host="a-0"))


@pytest.mark.system
def test_an_arm_that_has_everything_passes(platform: ProcessPlatform, tmp_path: Path) -> None:
    proofs = parity.policies(platform, Arm(mesh("envoy"), EVERYTHING), tmp_path / "proof")

    assert {proof.check for proof in proofs} == {*ON, BOUND}
    assert parity.failed(proofs) == ()


@pytest.mark.system
def test_an_arm_that_does_nothing_of_what_it_says_fails_every_proof(platform: ProcessPlatform, tmp_path: Path) -> None:
    assert failing(platform, liar(EVERYTHING, MTLS), tmp_path) == ON


@pytest.mark.system
def test_an_arm_that_does_what_it_does_not_say_fails_every_proof(platform: ProcessPlatform, tmp_path: Path) -> None:
    assert failing(platform, liar(MTLS, EVERYTHING), tmp_path) == OFF


def botched(plan: Plan) -> Plan:
    """Every feature is there, and each does something else than it should."""
    return replace(plan, units=tuple(_botched(unit) if unit.role == "sidecar" else unit for unit in plan.units))


def _botched(unit: Unit) -> Unit:
    document: Json = json.loads(unit.files[0].content)
    outbound, inbound = (
        each["filter_chains"][0]["filters"][0]["typed_config"] for each in document["static_resources"]["listeners"]
    )
    for host in outbound["route_config"]["virtual_hosts"]:
        route = host["routes"][0]["route"]
        route["retry_policy"]["num_retries"] = 3
        del route["retry_policy"]["per_try_timeout"]
        for way in route["weighted_clusters"]["clusters"]:
            way["weight"] = 5000
    for cluster in document["static_resources"]["clusters"]:
        if "outlier_detection" in cluster:
            limits = cluster["circuit_breakers"]["thresholds"][0]
            limits["max_connections"] += 1
            limits["retry_budget"] = {"budget_percent": {"value": 100}, "min_retry_concurrency": 100}
            cluster["outlier_detection"] |= {"base_ejection_time": "60s", "max_ejection_percent": 100}
    for key in ("normalize_path", "merge_slashes", "path_with_escaped_slashes_action"):
        inbound.pop(key)
    (policy,) = inbound["http_filters"][0]["typed_config"]["rules"]["policies"].values()
    policy["principals"] = [{"any": True}]
    log = inbound["access_log"][0]["typed_config"]["log_format"]["json_format"]
    del log["peer"]
    outbound["access_log"] *= 2
    for manager in (outbound, inbound):
        sampler = manager["tracing"]["provider"]["typed_config"]["sampler"]["typed_config"]
        sampler["wrapped_sampler"]["typed_config"]["sampling_percentage"] = {"numerator": 100}
    return replace(unit, files=(File("envoy.json", json.dumps(document)),))


@pytest.mark.system
def test_features_that_are_set_wrongly_are_noticed(platform: ProcessPlatform, tmp_path: Path) -> None:
    assert failing(platform, edited(botched), tmp_path) == {
        "tracing: trace begun",
        "authz: denied path refused",
        "authz: right callers served",
        "authz: outsider refused",
        "retries: no more than allowed",
        "retries: slow tries cut",
        "retries: within the budget",
        "circuit-breaking: excess refused",
        BOUND,
        "outlier-ejection: endpoint comes back",
        "split: canary gets its share",
        "split: others stand in for an ejected canary",  # for they are out themselves
        "access-log: a line per request",
        "access-log: fields",
    }
