"""Topologies by name or path, and which of them one machine can run."""

from harness import registry
from harness.model.errors import UsageError
from harness.model.topology import Topology
from harness.topology import load_topology

MAX_PROCESSES = 250
"""Replicas that the addresses of one run carry, with room for control planes (harness/platforms/addresses.py)."""


def find_topology(name: str) -> Topology:
    """The topology of that name or path, whatever its size."""
    return load_topology(registry.find_file("topologies", name), registry.service_program())


def runnable_topology(name: str) -> Topology:
    """The same, if one machine can run it; UsageError otherwise, so that nothing is started in vain."""
    topology = find_topology(name)
    replicas = sum(service.replicas for service in topology.services)
    if replicas > MAX_PROCESSES:
        raise UsageError(
            f"topology {topology.name}: its {len(topology.services):,} services have {replicas:,} replicas, each a process of its own: "
            f"one machine carries {MAX_PROCESSES}; use fewer replicas or services"
        )
    return topology
