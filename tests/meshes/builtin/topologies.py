"""Small topologies for tests of the built-in mesh."""

from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology

APP = Program(name="app", module="workloads.service")


def _calling(name: str, *callees: str, replicas: int = 1) -> Service:
    return Service(name, APP, replicas, script=tuple(Step((Call(callee),)) for callee in callees))


CHAIN = Topology("chain", "a", (_calling("a", "b"), _calling("b", "c", replicas=2), _calling("c")))
"""a → b → c, with two replicas of b."""
