"""A sidecar of ours and an Envoy at the two ends of one call, either way round: mutual TLS and HTTP of each are understood by the other."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from harness import registry
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.plan import Plan
from harness.model.topology import Topology
from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from harness.probes import observe, parity
from harness.topology import load_topology

CALLS = 40
FACTS = PlatformFacts("process", interception=False)
FEATURES = frozenset({"mtls"})


def plan(mesh: str, topology: Topology) -> Plan:
    return registry.arm(f"{mesh}[mtls]").plan(topology, Traffic(), FACTS)


def mixed(caller: str, callee: str) -> Plan:
    """The caller's host as one mesh plans it, the callee's as the other; the control plane is that of whoever needs one."""
    topology = load_topology(registry.find_file("topologies", "pair"), registry.service_program())
    ours, theirs = plan(caller, topology), plan(callee, topology)
    units = [unit for unit in ours.units if unit.host == "a-0"] + [unit for unit in theirs.units if unit.host == "b-0"]
    control = [unit for each in (ours, theirs) for unit in each.units if unit.role == "control"]
    identities = {identity.name: identity for identity in (*ours.identities, *theirs.identities)}
    apart = sorted(units, key=lambda unit: unit.role == "app")
    return replace(ours, units=(*control, *apart), identities=tuple(identities.values()))


@pytest.mark.system
@pytest.mark.parametrize(("caller", "callee"), [("builtin", "envoy"), ("envoy", "builtin")])
def test_one_sidecar_speaks_to_the_other(caller: str, callee: str, tmp_path: Path) -> None:
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(tmp_path / "units") as supervised:
        platform = ProcessPlatform(supervised, addresses, placement, tmp_path / "authority")
        with platform.launch(mixed(caller, callee), tmp_path / "run") as deployment:
            observe.reset(deployment)
            statuses = [observe.enter(deployment).status for _ in range(CALLS)]
            assert statuses == [200] * CALLS
            assert observe.requests_by_service(deployment) == {"a": CALLS, "b": CALLS}
            assert parity.failed(parity.quick(deployment, FEATURES)) == ()
