"""Names of targets, interposers in plans, and what proves that a fault acted."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from harness import registry
from harness.faults.evidence import missing
from harness.faults.targets import hop_of, unit_names
from harness.faults.wire import WIRE_PORT
from harness.injecting import plan_with
from harness.model.errors import UsageError
from harness.model.fault import FaultSpec
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.plan import Plan, Unit
from harness.model.topology import Topology
from harness.topology import load_topology

FACTS = PlatformFacts("process", interception=False)
ARMS = ("baseline", "envoy[mtls]", "builtin[mtls]")


def topology(name: str = "chain-4") -> Topology:
    return load_topology(registry.find_file("topologies", name), registry.service_program())


def plan(arm: str, of: Topology | None = None) -> Plan:
    return registry.arm(arm).plan(of or topology(), Traffic(), FACTS)


def spec(target: str, kind: str = "pause") -> FaultSpec:
    return FaultSpec("it", kind, target, 1.0, 1.0, 1, 0.0, {"delay_s": 0.025} if kind == "latency" else {})


@pytest.mark.parametrize(
    ("arm", "target", "units"),
    [
        ("baseline", "c-0", ("c-0",)),
        ("baseline", "c-0/app", ("c-0",)),
        ("baseline", "c-0/sidecar", ()),
        ("envoy[mtls]", "c-0/sidecar", ("c-0-envoy",)),
        ("builtin[mtls]", "c-0/sidecar", ("c-0-proxy",)),
        ("builtin[mtls]", "c-0-proxy", ("c-0-proxy",)),
        ("builtin[mtls]", "control/control", ("control",)),
    ],
)
def test_a_target_is_found_by_host_and_role_or_by_name(arm: str, target: str, units: tuple[str, ...]) -> None:
    assert unit_names(spec(target), topology(), plan(arm)) == units


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("x-0", r"fault 'it': unknown unit 'x-0': have a-0, b-0, c-0, d-0 \(or HOST/sidecar\)"),
        ("", "unknown unit ''"),
        ("c-0/proxy", "unknown role 'proxy': have app, control, sidecar"),
    ],
)
def test_unknown_targets_are_refused(target: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        unit_names(spec(target), topology(), plan("baseline"))


def test_hops_are_named_by_their_ends_or_their_id() -> None:
    assert hop_of(spec("b>c"), topology()).id == hop_of(spec("b#0>c/http"), topology()).id == "b#0>c/http"
    with pytest.raises(UsageError, match=r"fault 'it': unknown hop 'c>b': have a>b, b>c, c>d"):
        hop_of(spec("c>b"), topology())


def test_a_hop_that_shares_its_callee_is_refused() -> None:
    chain = topology()
    a, b, c, d = chain.services
    shared = replace(chain, services=(replace(a, script=a.script * 2), b, c, d))
    with pytest.raises(UsageError, match=r"a#1>b/http would be hit as well.*'b'"):
        hop_of(spec("a>b"), shared)


def wired(arm: str, of: Topology | None = None, target: str = "b>c") -> Plan:
    return plan_with(registry.arm(arm), of or topology(), Traffic(), FACTS, [spec(target, "latency")])


@pytest.mark.parametrize("arm", ARMS)
def test_an_interposer_stands_before_the_callee_in_every_arm(arm: str) -> None:
    edited = wired(arm)
    wire = edited.units[-1]
    document: dict[str, Any] = json.loads(wire.files[0].content)
    port = 8080 if arm == "baseline" else 15006
    assert (wire.name, wire.role, wire.ports) == ("c-0-wire", "load", (port, WIRE_PORT))
    assert document["listen"] == ["${address.c-0-wire}", port]
    assert document["to"] == ["${address.c-0}", port]
    texts = [re.sub(r"\s+", "", text) for unit in edited.units[:-1] for text in unit.texts()]
    callers = "".join(text for unit, text in zip(owners(edited), texts, strict=True) if unit.host != "c-0")
    assert re.search(rf'address\.c-0-wire}}(:|","port_value":){port}', callers)
    assert not re.search(rf'address\.c-0}}(:|","port_value":){port}', callers)
    assert re.search(rf'address\.d-0}}(:|","port_value":){port}', "".join(texts))


def owners(plan: Plan) -> list[Unit]:
    """The unit of each text, the interposer's left out."""
    return [unit for unit in plan.units[:-1] for _ in unit.texts()]


@pytest.mark.parametrize("arm", ARMS)
def test_hosts_that_were_there_keep_their_places(arm: str) -> None:
    """Addresses are given by place, so the application's are those of a plan without faults."""
    assert wired(arm).hosts()[: len(plan(arm).hosts())] == plan(arm).hosts()


@pytest.mark.parametrize("arm", ARMS)
def test_without_such_a_fault_the_plan_is_the_arms_own(arm: str) -> None:
    assert plan_with(registry.arm(arm), topology(), Traffic(), FACTS, [spec("c-0")]) == plan(arm)


@pytest.mark.parametrize("arm", [*ARMS, "istio"])
def test_where_connections_are_intercepted_an_interposer_takes_them_at_the_apps_port(arm: str) -> None:
    facts = PlatformFacts("kubernetes", interception=True)
    edited = plan_with(registry.arm(arm), topology(), Traffic(), facts, [spec("b>c", "latency"), spec("c-0")])
    last = edited.units[-1]
    assert (last.before, last.ports) == ("c-0", (8080, 15080))
    assert json.loads(last.files[0].content)["to"] == ["${address.c-0}", 8080]


def test_every_replica_has_its_own() -> None:
    edited = wired("envoy", topology("replicas"), "a>b")
    assert [unit.name for unit in edited.units if unit.name.endswith("-wire")] == ["b-0-wire", "b-1-wire", "b-2-wire"]


def test_two_faults_on_one_hop_share_an_interposer() -> None:
    specs = [spec("b>c", "latency"), replace(spec("b>c", "latency"), name="again", at_s=10.0)]
    edited = plan_with(registry.arm("builtin[mtls]"), topology(), Traffic(), FACTS, specs)
    assert [unit.name for unit in edited.units if unit.role == "load"] == ["c-0-wire"]


@pytest.mark.parametrize("name", registry.fault_names())
def test_every_kind_tells_what_must_be_seen(name: str) -> None:
    kind = registry.fault_kind(name)
    assert kind.name == name
    assert kind.must_see
    nothing = missing(kind.must_see, {})
    assert len(nothing) == len(kind.must_see)
    assert not any("nothing was seen" in reason for reason in nothing)
    assert missing(kind.must_see, dict.fromkeys(kind.must_see, 1)) == ()


def test_what_a_third_party_must_see_is_named() -> None:
    assert missing(("melted",), {"melted": 0}) == ("nothing was seen of 'melted'",)


def test_control_planes_are_found_and_arms_without_one_left_out() -> None:
    kind = registry.fault_kind("control-down")
    assert kind.units(spec("", "control-down"), topology(), plan("builtin[mtls]")) == ("control",)
    assert kind.units(spec("", "control-down"), topology(), plan("envoy[mtls]")) == ()
    with pytest.raises(UsageError, match=r"control-down has no target \(is 'c-0'\)"):
        kind.units(spec("c-0", "control-down"), topology(), plan("envoy[mtls]"))
