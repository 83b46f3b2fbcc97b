"""No mesh: apps call each other's replicas directly. The reference that every overhead is measured against."""

from harness.model.app import app_units, direct_to, entry_port
from harness.model.mesh import FEATURES, PlatformFacts, Support, Traffic
from harness.model.plan import Plan, replica_host
from harness.model.program import Program
from harness.model.topology import Topology

name = "baseline"
api = 1
capabilities: dict[str, Support] = dict.fromkeys(FEATURES, "unsupported")
programs: tuple[Program, ...] = ()


def plan(topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:  # noqa: ARG001
    """The application alone; its own client spreads calls over replicas, round robin."""
    return Plan(
        units=app_units(topology, traffic, direct_to(traffic.interposed)),
        entry_host=replica_host(topology.entry, 0),
        entry_port=entry_port(topology),
    )
