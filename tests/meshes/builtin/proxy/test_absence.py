"""A feature that is off is not there: the same compiled rules, and the same work per request, as where nobody ever heard of it."""

import json
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from harness.model.mesh import FEATURES, Traffic
from harness.model.policy import Policies, Retry
from meshes.builtin import plan as builtin
from meshes.builtin.control import compiler, model
from meshes.builtin.policies import Breaker, Ejection, Split
from meshes.builtin.policies import Retry as ProxyRetry
from meshes.builtin.snapshot import Snapshot
from tests.meshes.builtin.proxy.stage import Stage
from tests.meshes.builtin.proxy.test_conversation import GET, OK
from tests.meshes.builtin.topologies import CHAIN

POLICIES: dict[str, Any] = {
    "retry": ProxyRetry(2, 5.0, 0.2, 3, 0.025, 0.25),
    "breaker": Breaker(64, 64),
    "ejection": Ejection(5, 30.0, 0.5),
    "split": Split(0.2),
}


def calls(stage: Stage, requests: int = 50) -> int:
    """Python calls of the proxy's own code, per request on a warm connection."""
    counted = 0

    def count(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal counted
        counted += event == "call" and frame.f_globals["__name__"].startswith("meshes.")
        return None

    for _ in range(2):
        stage.client(GET)
        stage.callee(OK)
    former = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in range(requests):
            stage.client(GET)
            stage.callee(OK)
    finally:
        sys.setprofile(former)
    assert counted % requests == 0
    return counted // requests


BARE = 19
"""Calls per request through one proxy with no policy. A change that raises it has to pay for it in `benchmarks.proxy`."""


def test_a_request_without_policies_costs_so_many_calls() -> None:
    assert calls(Stage()) == BARE


@pytest.mark.parametrize(("name", "more"), [("breaker", 0), ("split", 0), ("ejection", 0), ("retry", 5)])
def test_each_policy_costs_so_many_calls_more(name: str, more: int) -> None:
    assert calls(Stage(policies={name: POLICIES[name]})) - BARE == more


def compiled(features: frozenset[str], policies: Policies) -> dict[str, Snapshot]:
    traffic = Traffic(policies=policies)

    document = builtin.mesh_document(CHAIN, features, traffic)
    for name, proxy in document["proxies"].items():
        proxy["token"] = name
    return compiler.snapshots(model.read(re.sub(r"\$\{[^}]*\}", "127.0.0.1", json.dumps(document))))


def test_the_settings_of_a_feature_that_is_off_reach_no_proxy() -> None:
    """Not even by the snapshot's version, which is a digest of all that is in it."""
    odd = Policies(retry=Retry(attempts=9, budget_least=77))
    assert compiled(frozenset({"mtls"}), Policies()) == compiled(frozenset({"mtls"}), odd)
    assert compiled(frozenset({"mtls", "retries"}), Policies()) != compiled(frozenset({"mtls", "retries"}), odd)


@pytest.mark.parametrize("feature", sorted(set(FEATURES) - {"mtls"}))
def test_a_feature_adds_its_own_part_and_takes_it_away_again(feature: str) -> None:
    off = compiled(frozenset({"mtls"}), Policies())["a-0"].document()
    on = compiled(frozenset({"mtls", feature}), Policies())["a-0"].document()
    assert {key for key in on if on[key] != off.get(key)} - {"version"} <= {
        "clusters",
        "inbound",
        "tracing",
        "access_log",
    }
    assert on != off
