"""The proving ground: a topology on which timeouts, retries, balancing and connections can be counted. Values only."""

from harness.model.mesh import Traffic
from harness.model.policy import Ejection, Policies
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology, Work

TRAFFIC = Traffic(request_timeout_s=0.3, policies=Policies(ejection=Ejection(consecutive=1000)))
"""The shared settings, with a timeout that a proof can wait for, and with services that may fail and be called all the same."""

REPLICAS = 3
CALLS_TO_REPLICAS = 3
CALLER, MANY, BROKEN, SLOW = "caller", "many", "broken", "slow"
SLOW_US = 1_000_000


def topology(program: Program) -> Topology:
    """One request makes five calls at once: three to a service of three replicas, one that fails, one that is too slow."""
    calls = (*[Call(MANY)] * CALLS_TO_REPLICAS, Call(BROKEN), Call(SLOW))
    services = (
        Service(CALLER, program, script=(Step(calls),)),
        Service(MANY, program, replicas=REPLICAS),
        Service(BROKEN, program, work=Work(error_rate=1.0)),
        Service(SLOW, program, work=Work(sleep_us=SLOW_US)),
    )
    return Topology("proving-ground", CALLER, services, digest="built-in")
