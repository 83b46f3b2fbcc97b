"""Plans of Istio arms and what lies in them: settings that are all different, so that none can stand in for another."""

import json
from itertools import chain
from typing import Any

from harness.model.mesh import FEATURES, PlatformFacts, Traffic
from harness.model.plan import Kubernetes, Plan
from harness.model.policy import Authorization, Breaker, Ejection, Policies, Retry, Split, Tracing
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology
from meshes import istio

Json = dict[str, Any]

APP = Program("app", module="app")
SERVICES = (
    Service("a", APP, script=(Step((Call("b"), Call("b"), Call("c"))),)),
    Service("b", APP, replicas=3),
    Service("c", APP),
)
TREE = Topology("tree", "a", SERVICES)
FACTS = PlatformFacts("kubernetes", interception=True)
EVERY_FEATURE = tuple(FEATURES)
EVERYTHING = Traffic(
    connect_timeout_s=0.5,
    request_timeout_s=2.5,
    idle_timeout_s=7,
    max_connections=11,
    max_requests=12,
    policies=Policies(
        Retry(7, 0.7, budget_share=0.33, budget_least=4, backoff_base_s=0.011, backoff_most_s=0.11),
        Breaker(8, 9),
        Ejection(10, 11, most_share=0.4),
        Split(0.15),
        Authorization("/secret files"),
        Tracing(0.125),
    ),
)


def plan_of(*features: str, traffic: Traffic = EVERYTHING, topology: Topology = TREE) -> Plan:
    return istio.plan(topology, frozenset(features), traffic, FACTS)


def kubernetes(plan: Plan) -> Kubernetes:
    assert plan.kubernetes is not None
    return plan.kubernetes


def documents(content: str) -> list[Json]:
    return [json.loads(text) for text in content.split("---\n")]


def objects(plan: Plan) -> dict[tuple[str, str], Json]:
    """(kind, name) → the object, of everything that is applied for one trial."""
    manifests = (each for each in kubernetes(plan).manifests if each.lifetime == "trial")
    found = list(chain.from_iterable(documents(each.content) for each in manifests))
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


def spec(plan: Plan, kind: str, name: str) -> Json:
    found: Json = objects(plan)[kind, name]["spec"]
    return found
