"""A feature that is off is not there: the same compiled rules, and the same work per request, as where nobody ever heard of it."""

import asyncio
import gc
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import Any, cast

import pytest

from harness.model.mesh import FEATURES, Traffic
from harness.model.policy import Policies, Retry
from meshes.builtin import plan as builtin
from meshes.builtin.control import compiler, model
from meshes.builtin.policies import Authorization, Breaker, Ejection, Split, Tracing
from meshes.builtin.policies import Retry as ProxyRetry
from meshes.builtin.policies_balancing import Hash, Selection
from meshes.builtin.proxy.access_log import AccessLog
from meshes.builtin.proxy.authorization import Guard
from meshes.builtin.proxy.balancing import seeded
from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.rules import Rules
from meshes.builtin.proxy.server import Proxy
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.proxy.tracing import Tracer
from meshes.builtin.snapshot import Limits, Snapshot
from tests.meshes.builtin.proxy.stage import Clock, Stage
from tests.meshes.builtin.proxy.test_conversation import GET, OK
from tests.meshes.builtin.topologies import CHAIN

POLICIES: dict[str, Any] = {
    "retry": ProxyRetry(2, 5.0, 0.2, 3, 0.025, 0.25),
    "breaker": Breaker(64, 64),
    "ejection": Ejection(5, 30.0, 0.5),
    "split": Split(0.2),
}
RULES: dict[str, Callable[[], Any]] = {
    "guard": lambda: Guard(Authorization(("",), "/denied")),
    "tracer": lambda: Tracer(Tracing(0.0), lambda: 0xABC),
    "log": lambda: AccessLog("outbound", lambda _: None, lambda: 0),
}


def with_one(name: str) -> Stage:
    """A stage where one policy is on."""
    return Stage(policies={name: POLICIES[name]}) if name in POLICIES else Stage(**{name: RULES[name]()})


def ask(stage: Stage) -> None:
    """One request, answered by whoever got it."""
    stage.client(GET)
    stage.callee(OK, connection=next(n for n, (upstream, _) in enumerate(stage.upstreams) if upstream.owner))


def calls(stage: Stage, requests: int = 50) -> int:
    """Python calls of the proxy's own code, per request on a warm connection."""
    counted = 0

    def count(frame: FrameType, event: str, _: object) -> Callable[..., Any] | None:
        nonlocal counted
        counted += event == "call" and frame.f_globals["__name__"].startswith("meshes.")
        return None

    for _ in range(2):
        ask(stage)
    former = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in range(requests):
            ask(stage)
    finally:
        sys.setprofile(former)
    assert counted % requests == 0
    return counted // requests


BARE = 19
"""Calls per request through one proxy with no policy. A change that raises it has to pay for it in `benchmarks.proxy`."""


def test_a_request_without_policies_costs_so_many_calls() -> None:
    assert calls(Stage()) == BARE


@pytest.mark.parametrize(
    ("name", "more"),
    [("breaker", 0), ("split", 0), ("ejection", 0), ("retry", 5), ("guard", 2), ("tracer", 3), ("log", 3)],
)
def test_each_policy_costs_so_many_calls_more(name: str, more: int) -> None:
    """As long as everything goes well: what fails may cost more."""
    assert calls(with_one(name)) - BARE == more


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        ({}, 1),
        ({"balancing": "random"}, 3),
        ({"balancing": "least-request"}, 5),
        ({"balancing": "peak-ewma"}, 10),
        ({"balancing": "maglev", "selection": Selection(Hash("header", "host"))}, 7),
    ],
)
def test_each_balancing_costs_so_many_calls_more(settings: dict[str, Any], more: int) -> None:
    """Where there is a choice; with one endpoint nobody is asked. Chance itself costs two calls a draw."""
    stage = Stage(endpoints=2, policies=settings, choose=seeded(1))
    for _ in range(20):  # both have a connection by then
        ask(stage)
    assert calls(stage) - BARE == more
    assert calls(Stage(policies=settings)) - BARE == (1 if settings == {"balancing": "peak-ewma"} else 0)


def blocks(stage: Stage, requests: int = 200) -> tuple[int, int]:
    """Allocated blocks of memory: those that a request holds while it waits for its answer, and those that all leave behind."""

    def ask() -> int:
        stage.client(GET)
        held = sys.getallocatedblocks()
        stage.callee(OK)
        stage.to_client()
        stage.to_callee()
        return held

    for _ in range(20):
        ask()
    gc.collect()
    gc.disable()
    try:
        before = sys.getallocatedblocks()
        for _ in range(requests):
            ask()
        after = sys.getallocatedblocks()
        return ask() - after, after - before
    finally:
        gc.enable()


HELD = 2
"""Blocks per request in flight with no policy."""


@pytest.mark.parametrize(("name", "more"), [*((name, 0) for name in POLICIES if name != "retry"), ("retry", 2)])
def test_a_request_in_flight_holds_so_many_blocks_and_leaves_none(name: str, more: int) -> None:
    for stage, most in ((Stage(), HELD), (with_one(name), HELD + more)):
        held, left = blocks(stage)
        assert held == most
        assert left < 10, "counters may grow into larger numbers"


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_is_taken_away_costs_nothing_any_more(name: str) -> None:
    stage = with_one(name)
    without: dict[str, Any] = {name: None}
    stage._callee.apply(replace(stage._callee._config, **without), Limits())
    assert calls(stage) == BARE
    assert blocks(stage)[0] == HELD


def test_rules_from_which_everything_was_taken_are_those_of_a_proxy_that_never_had_any() -> None:
    credentials, loop = Credentials(), cast("asyncio.AbstractEventLoop", Clock())
    proxy, other = (Proxy("", "", credentials, Telemetry(), loop, lambda _: None) for _ in range(2))
    off, on = (
        replace(compiled(features, Policies())["b-0"], spiffe_id="")
        for features in (frozenset({"mtls"}), frozenset(FEATURES))
    )
    for compile_ in (Proxy._inbound_rules, Proxy._outbound_rules):
        assert None not in parts(compile_(proxy, on))[compile_ is Proxy._outbound_rules :]
        assert parts(compile_(proxy, off)) == parts(compile_(other, off))
        assert set(parts(compile_(proxy, off))) == {None}


def parts(rules: Rules) -> list[object]:
    """All that policies put into compiled rules, the guard first."""
    found: list[object] = [rules.guard, rules.log, rules.tracer]
    for callee in rules.callees.values():
        found += [callee.trying, callee._breaking, callee._canary, *(pool.record for pool in callee._all)]
    return found


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
