"""The bare arm: the apps and nothing beside them, each replica called directly."""

import json

from harness.model.mesh import PlatformFacts, Traffic
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology
from meshes import baseline

APP = Program("app", module="app")
PAIR = Topology("pair", "a", (Service("a", APP, script=(Step((Call("b"),)),)), Service("b", APP, replicas=2)))


def test_only_apps_run_and_load_enters_at_the_entry() -> None:
    plan = baseline.plan(PAIR, frozenset(), Traffic(), PlatformFacts("process", interception=False))

    assert [(unit.name, unit.role) for unit in plan.units] == [("b-0", "app"), ("b-1", "app"), ("a-0", "app")]
    assert (plan.entry_host, plan.entry_port) == ("a-0", 8081)
    assert plan.identities == ()


def test_the_caller_knows_every_replica() -> None:
    plan = baseline.plan(PAIR, frozenset(), Traffic(), PlatformFacts("process", interception=False))

    document = json.loads(plan.unit("a-0").files[0].content)
    assert document["steps"][0][0]["endpoints"] == ["${address.b-0}:8080", "${address.b-1}:8080"]
