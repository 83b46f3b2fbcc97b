"""No mesh: apps call each other's replicas directly. The reference that every overhead is measured against."""

from harness.model.app import Via, app_units, by_name, direct_to, entry_port
from harness.model.mesh import FEATURES, PlatformFacts, Support, Traffic
from harness.model.plan import Plan, replica_host
from harness.model.program import Program
from harness.model.topology import Service, Topology

name = "baseline"
api = 1
capabilities: dict[str, Support] = dict.fromkeys(FEATURES, "unsupported")
programs: tuple[Program, ...] = ()


def plan(topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:  # noqa: ARG001
    """The application alone; its own client spreads calls over replicas, round robin."""
    directly = direct_to(traffic.interposed)
    return Plan(
        units=app_units(topology, traffic, _by_names(directly) if platform.interception else directly),
        entry_host=replica_host(topology.entry, 0),
        entry_port=entry_port(topology),
    )


def _by_names(directly: Via) -> Via:
    """In Kubernetes a call goes to the callee's Service; that spreads connections, not calls, so several replicas are called in turn."""

    def via(host: str, callee: Service) -> tuple[str, ...]:
        return by_name(host, callee) if callee.replicas == 1 else directly(host, callee)

    return via
