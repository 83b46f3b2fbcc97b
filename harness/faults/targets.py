"""What a fault's target names in a topology and in an arm's plan. Pure."""

from harness.model.errors import UsageError, unknown
from harness.model.fault import FaultSpec
from harness.model.plan import Plan, replica_host
from harness.model.topology import Hop, Topology

ROLES = ("app", "sidecar", "control")


def unit_names(spec: FaultSpec, topology: Topology, plan: Plan) -> tuple[str, ...]:
    """The units of `HOST` (its app), `HOST/ROLE` or a unit's own name; none if this plan has no such role on that host.

    UsageError for a host that no arm can have, and for a role nobody has.
    """
    if any(unit.name == spec.target for unit in plan.units):
        return (spec.target,)
    host, _, role = spec.target.partition("/")
    known = hosts(topology)
    if host not in known and host not in plan.hosts():
        raise UsageError(f"fault {spec.name!r}: {unknown('unit', spec.target, known)} (or HOST/sidecar)")
    if (role or "app") not in ROLES:
        raise UsageError(f"fault {spec.name!r}: {unknown('role', role, ROLES)}")
    return tuple(unit.name for unit in plan.units if unit.host == host and unit.role == (role or "app"))


def hosts(topology: Topology) -> tuple[str, ...]:
    """Every replica's host."""
    return tuple(replica_host(each.name, n) for each in topology.services for n in range(each.replicas))


def hop_of(spec: FaultSpec, topology: Topology) -> Hop:
    """The hop that `caller>callee` or a hop's whole id names.

    An interposer stands before the callee, so the hop must be the only one to it; UsageError names the others.
    """
    found = [hop for hop in topology.hops() if spec.target in {hop.id, f"{hop.caller}>{hop.callee}"}]
    if not found:
        known = [f"{hop.caller}>{hop.callee}" for hop in topology.hops()]
        raise UsageError(f"fault {spec.name!r}: {unknown('hop', spec.target, known)}")
    others = [hop.id for hop in topology.hops() if hop.callee == found[0].callee and hop.id != found[0].id]
    if others:
        raise UsageError(
            f"fault {spec.name!r}: {', '.join(others)} would be hit as well, for the fault acts before the callee "
            f"{found[0].callee!r}: choose a hop whose callee has no other caller"
        )
    return found[0]
