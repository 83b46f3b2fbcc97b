"""The documentation's programs of a user's own, run bare and through meshes: what is seen of them, and what isn't."""

from pathlib import Path

import pytest

from harness import registry
from harness.model.run import Load
from harness.rounds import Trial
from harness.stage import stage
from harness.topologies import find_topology
from harness.trial import run_trial

OWN = Path(__file__).parent.parent / "docs" / "examples" / "own.yaml"
LOAD = Load(rate_rps=40.0, warmup_s=0.2, window_s=1.0, connections=4, arrivals="uniform", drain_s=2.0)


@pytest.mark.system
@pytest.mark.parametrize("name", ["baseline", "builtin[mtls]", "envoy[mtls]"])
def test_the_users_view_the_whole_calls_and_the_cost_are_measured(name: str) -> None:
    arm, topology = registry.arm(name), find_topology(str(OWN))
    with stage([arm]) as (bench, _):
        run, _ = run_trial(bench, Trial(1, 0, arm.id, "own", "low", seed=1), arm, topology, LOAD, "test")
    assert (run.generator.done, run.generator.errors) == (40, 0)
    by_own, to_own = run.hops
    assert (by_own.hop, by_own.calls) == ("web#0>stock/http", 0)
    assert (to_own.hop, to_own.errors) == ("stock#0>price/http", 0)
    assert 0 < to_own.calls == sum(to_own.elapsed.values())
    assert (to_own.sums_ns["elapsed"] > 0, to_own.transit) == (True, {})
    apps = {unit.unit: unit for unit in run.units if unit.role == "app"}
    assert apps.keys() == {"web-0", "stock-0", "stock-1", "price-0"}
    assert all(apps[name].cpu_ns > 0 and apps[name].loaded["pss_bytes"] > 0 for name in ("web-0", "price-0"))
    assert all(proof.passed for proof in run.parity)
