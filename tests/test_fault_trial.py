"""Faults in a real trial: each acts, is proven to have acted, and is undone; one that hits nobody is invalid."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness import registry
from harness.analysis.faults import outcomes
from harness.injecting import plan_with, targets
from harness.load.rows import Rows
from harness.model.fault import FaultSpec
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.run import Load, Run
from harness.model.topology import Topology
from harness.rounds import Trial
from harness.stage import stage
from harness.topology import load_topology
from harness.trial import run_trial

IDLE = """
name: idle
entry: a
services:
  a: {calls: [b, {service: idle, probability: 0%}]}
  b: {}
  idle: {}
"""
DELAY_S = 0.08


def spec(name: str, kind: str, target: str, at_s: float, **params: float) -> FaultSpec:
    return FaultSpec(name, kind, target, at_s, 1.0, 1, 0.0, params)


def measured(arm_name: str, topology: Topology, window_s: float, *specs: FaultSpec) -> tuple[Run, Rows]:
    arm = registry.arm(arm_name)
    load = Load(50.0, 0.5, window_s, 16, "uniform", timeout_s=3.0)
    with stage([arm]) as (bench, _):
        return run_trial(bench, Trial(1, 0, arm.id, topology.name, "r50", 1), arm, topology, load, "faults", specs)


def about_faults(run: Run) -> list[str]:
    """Reasons that don't come from a machine with other work."""
    return [reason for reason in run.validity.reasons if reason.startswith("fault")]


@pytest.mark.system
def test_every_kind_acts_and_is_undone() -> None:
    pair = load_topology(registry.find_file("topologies", "pair"), registry.service_program())
    run, rows = measured(
        "builtin[mtls]",
        pair,
        21.0,
        spec("pause", "pause", "b-0/sidecar", 1.0),
        spec("kill", "kill", "b-0", 5.0),
        spec("slow", "latency", "a>b", 11.0, delay_s=DELAY_S),
        spec("down", "control-down", "", 15.0),
    )
    assert about_faults(run) == []
    found = {each.injection.fault: each for each in outcomes(run, rows)}
    assert found["pause"].injection.seen == {"stopped": 1}
    assert found["pause"].touched >= 40
    assert found["kill"].lost >= 40
    assert found["kill"].injection.back_ns > found["kill"].injection.healed_ns
    assert found["slow"].injection.units == ["b-0-wire"]
    assert found["slow"].injection.seen["delayed"] >= 10
    assert found["down"].lost == 0
    assert found["down"].injection.seen["connections_closed"] >= 2
    assert found["down"].injection.back_ns > 0
    assert all(each.unproven == () for each in found.values())
    assert (rows.error_kind[rows.due > found["down"].injection.back_ns] == 0).all()


@contextmanager
def idle(folder: Path) -> Iterator[Topology]:
    (folder / "idle.yaml").write_text(IDLE)
    yield load_topology(folder / "idle.yaml", registry.service_program())


@pytest.mark.system
@pytest.mark.parametrize(("kind", "target"), [("pause", "idle-0"), ("kill", "idle-0"), ("latency", "a>idle")])
def test_a_fault_without_traffic_is_invalid(tmp_path: Path, kind: str, target: str) -> None:
    params = {"delay_s": DELAY_S} if kind == "latency" else {}
    with idle(tmp_path) as topology:
        run, _ = measured("baseline", topology, 4.0, spec("nobody", kind, target, 1.0, **params))
    assert not run.validity.valid
    reasons = about_faults(run)
    assert reasons
    assert all(reason.startswith("fault 'nobody' isn't proven to have acted: ") for reason in reasons)
    assert any("have traffic?" in reason for reason in reasons)


def test_every_arm_gets_the_same_interposers() -> None:
    pair = load_topology(registry.find_file("topologies", "pair"), registry.service_program())
    specs = [spec("slow", "latency", "a>b", 1.0, delay_s=DELAY_S), spec("pause", "pause", "b-0", 5.0)]
    facts = PlatformFacts("process", interception=False)
    for name in ("baseline", "envoy[mtls]", "builtin[mtls]"):
        plan = plan_with(registry.arm(name), pair, Traffic(), facts, specs)
        assert [unit.name for unit in plan.units if unit.role == "load"] == ["b-0-wire"]
        assert targets(plan, specs, pair) == {"slow": ("b-0-wire",), "pause": ("b-0",)}
