"""The baseline in a cluster: calls go to Services, and where there are several replicas to each in turn."""

import json

from harness.model.mesh import PlatformFacts, Traffic
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology
from meshes import baseline

APP = Program("fanout", module="workloads.service")
CALLS = Step((Call("one"), Call("many")))
TOPOLOGY = Topology(
    "t", "a", (Service("a", APP, script=(CALLS,)), Service("one", APP), Service("many", APP, replicas=2))
)


def endpoints(interception: bool) -> list[list[str]]:
    facts = PlatformFacts("kubernetes" if interception else "process", interception)
    plan = baseline.plan(TOPOLOGY, frozenset(), Traffic(), facts)
    [file] = plan.unit("a-0").files
    return [call["endpoints"] for call in json.loads(file.content)["steps"][0]]


def test_in_a_cluster_a_service_is_called_by_its_name() -> None:
    assert endpoints(interception=True) == [["one:8080"], ["${address.many-0}:8080", "${address.many-1}:8080"]]


def test_on_processes_nothing_changes() -> None:
    assert endpoints(interception=False)[0] == ["${address.one-0}:8080"]
