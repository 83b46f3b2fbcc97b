"""The contract of a mesh adapter: every installed mesh × every shipped topology × its optional features, alone and together.

A new mesh is picked up by its entry point. What needs real processes is marked `system`. A mesh that refuses plain processes is
asked for its plan for Kubernetes.
"""

import builtins
import json
import os
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from harness import registry
from harness.model.errors import UsageError
from harness.model.mesh import API_VERSION, FEATURES, REQUIRED, Arm, Mesh, PlatformFacts, Traffic
from harness.model.plan import INBOUND_PORT, PROBE_IDENTITY, REFERENCE, Plan, Unit, replica_host
from harness.model.topology import Topology
from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from harness.probes import observe, parity
from harness.topology import load_topology

MESHES = registry.mesh_names()
TOPOLOGIES = {
    name: load_topology(path, registry.service_program())
    for name, path in registry.workload_files("topologies").items()
}
FACTS = PlatformFacts("process", interception=False)
KUBERNETES = PlatformFacts("kubernetes", interception=True)
ABSOLUTE_PATH = re.compile(r"(?<![\w.}*])/(?:bin|etc|home|opt|root|run|srv|tmp|usr|var|work)\b")
CALLS = 12


def feature_sets(name: str) -> Iterator[frozenset[str]]:
    """What the mesh always has: alone, with each optional feature (and what it needs), with all of them but one, and with all."""
    capabilities = registry.mesh(name).capabilities
    optional = frozenset(feature for feature, support in capabilities.items() if support == "optional")
    always = frozenset(feature for feature, support in capabilities.items() if support == "always")
    sets = [frozenset[str](), *(frozenset({feature}) for feature in sorted(optional))]
    sets += [optional - features for features in sets]
    yield from dict.fromkeys(always | _complete(features) for features in sets)


def _complete(features: frozenset[str]) -> frozenset[str]:
    """With what they need."""
    return features | {REQUIRED[feature] for feature in features if feature in REQUIRED}


ARMS = {
    each.id: each for name in MESHES for features in feature_sets(name) for each in [Arm(registry.mesh(name), features)]
}


def _on_processes(arm: Arm) -> bool:
    try:
        arm.plan(TOPOLOGIES["pair"], Traffic(), FACTS)
    except UsageError:
        return False
    return True


ON_PROCESSES = {name for name in MESHES if _on_processes(Arm(registry.mesh(name), frozenset()))}


def facts_for(arm: Arm) -> PlatformFacts:
    return FACTS if arm.mesh.name in ON_PROCESSES else KUBERNETES


def _all_but_one(arm: Arm) -> bool:
    """Whether it lacks something that it could have, and isn't about a single feature."""
    lacking = [feature for feature, support in arm.mesh.capabilities.items() if support == "optional"]
    return len(set(lacking) - arm.features) == 1 and len(arm.features) > len(REQUIRED) + 1


@pytest.fixture(params=sorted(ARMS))
def arm(request: pytest.FixtureRequest) -> Arm:
    return ARMS[request.param]


@pytest.fixture(params=sorted(TOPOLOGIES))
def topology(request: pytest.FixtureRequest) -> Topology:
    return TOPOLOGIES[request.param]


@pytest.fixture
def plan(arm: Arm, topology: Topology) -> Plan:
    return arm.plan(topology, Traffic(), facts_for(arm))


@pytest.mark.parametrize("name", MESHES)
def test_an_adapter_states_its_name_its_api_and_every_feature(name: str) -> None:
    mesh = registry.mesh(name)

    assert isinstance(mesh, Mesh)
    assert (mesh.name, mesh.api) == (name, API_VERSION)
    assert set(mesh.capabilities) == set(FEATURES)
    assert set(mesh.capabilities.values()) <= {"optional", "always", "unsupported"}


def test_planning_touches_nothing_and_repeats_itself(
    arm: Arm, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touched(*_: object, **__: object) -> None:
        raise AssertionError("a plan is a pure function")

    with monkeypatch.context() as world:
        world.setattr(socket, "socket", touched)
        world.setattr(subprocess, "Popen", touched)
        world.setattr(builtins, "open", touched)
        for clock in ("time", "time_ns", "monotonic", "monotonic_ns", "sleep"):
            world.setattr(time, clock, touched)
        plans = [arm.plan(topology, Traffic(), facts_for(arm)) for _ in range(2)]

    assert plans[0] == plans[1]


def test_every_replica_has_an_app_and_load_enters_at_the_entry(plan: Plan, topology: Topology) -> None:
    apps = [(unit.service, unit.host) for unit in plan.units if unit.role == "app"]

    assert sorted(apps) == sorted(
        (s.name, replica_host(s.name, n)) for s in topology.services for n in range(s.replicas)
    )
    entry = next(unit for unit in plan.units if unit.host == plan.entry_host and unit.role == "app")
    assert entry.service == topology.entry
    assert plan.entry_port in entry.ports


def test_units_have_names_of_their_own_and_wait_only_for_each_other(plan: Plan) -> None:
    names = [unit.name for unit in plan.units]

    assert len(set(names)) == len(names)
    started: set[str] = set()
    for unit in plan.units:
        assert set(unit.after) <= started, f"{unit.name} comes before {set(unit.after) - started}"
        started.add(unit.name)


def test_ports_of_a_host_are_bound_once(plan: Plan) -> None:
    bound = Counter((unit.host, port) for unit in plan.units for port in unit.ports)

    assert [place for place, times in bound.items() if times > 1] == []
    assert all(unit.ready is None or unit.ready.port in unit.ports for unit in plan.units)


def references(unit: Unit) -> Iterator[tuple[str, str]]:
    for text in unit.texts():
        yield from ((match[1], match[2] or "") for match in REFERENCE.finditer(text))


def test_references_can_be_resolved(arm: Arm, plan: Plan) -> None:
    declared = {identity.name for identity in plan.identities}
    for unit in plan.units:
        for kind, name in references(unit):
            known = {
                "address": name in plan.hosts(),
                "identity": name in declared,
                "authority": unit.role == "control" and not name,
                "secret": bool(name),
                "dir": not name,
                "namespace": not name and facts_for(arm) is KUBERNETES,
            }
            assert known.get(kind), f"{unit.name}: ${{{kind}.{name}}}"


def test_manifests_ask_only_for_what_a_platform_has(plan: Plan) -> None:
    wanted = plan.kubernetes
    if wanted is None:
        return
    for manifest in (*wanted.before, *wanted.manifests):
        asked = {(match[1], match[2] or "") for match in REFERENCE.finditer(manifest.content)}
        declared = {identity.name for identity in plan.identities}
        for kind, name in asked:
            known = {"namespace": not name, "identity": name in declared, "authority": bool(name), "secret": bool(name)}
            assert known.get(kind), f"{manifest.name}: ${{{kind}.{name}}}"
        assert ("authority", "") not in asked
        assert plan.issuer is not None or "authority" not in dict(asked)


def test_what_a_mesh_brings_is_where_the_platform_looks_for_it(plan: Plan) -> None:
    brought = [(unit, unit.brought) for unit in plan.units if unit.brought]
    hosts = {unit.host for unit in plan.units if unit.role == "app"}

    for unit, found in brought:
        assert (unit.args, unit.files) == ((), ()), f"{unit.name} is started by its mesh"
        assert found.container
        if unit.role == "sidecar":
            assert (found.workload, found.namespace) == (unit.host, "")
            assert unit.host in hosts
        else:
            assert found.namespace or unit.host not in hosts


def test_a_plan_holds_no_path_of_a_machine(plan: Plan) -> None:
    found = [
        (unit.name, match[0])
        for unit in plan.units
        for text in unit.texts()
        for match in [ABSOLUTE_PATH.search(text)]
        if match
    ]

    assert found == []


def test_with_mtls_every_sidecar_proves_an_identity_and_the_probes_have_one(arm: Arm, plan: Plan) -> None:
    sidecars = [unit for unit in plan.units if unit.role == "sidecar"]

    assert all(INBOUND_PORT in unit.ports for unit in sidecars)
    if "mtls" in arm.features:
        assert sidecars
        assert all(unit.identity.startswith("spiffe://") for unit in sidecars)
        assert PROBE_IDENTITY in {identity.name for identity in plan.identities}
        assert plan.issuer is not None
    else:
        assert [unit.name for unit in sidecars if unit.identity] == []


def test_apps_are_the_same_in_every_arm_but_for_where_they_send(arm: Arm, topology: Topology) -> None:
    def apps(of: Arm) -> dict[str, object]:
        return {
            unit.name: application(unit)
            for unit in of.plan(topology, Traffic(), facts_for(of)).units
            if unit.role == "app"
        }

    assert apps(arm) == apps(ARMS["baseline"])


def application(unit: Unit) -> object:
    document = json.loads(unit.files[0].content)
    for call in chain.from_iterable(document.get("steps", ())):
        del call["endpoints"]
    return (unit.program, unit.args, unit.environment, unit.ports, document)


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPlatform]:
    folder = tmp_path_factory.mktemp("mesh-contract")
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(folder / "units") as supervised:
        yield ProcessPlatform(supervised, addresses, placement, folder / "authority")


def _everyday(arm: Arm) -> bool:
    """Nothing, mutual TLS, or everything."""
    optional = {feature for feature, support in arm.mesh.capabilities.items() if support == "optional"}
    return not arm.features & optional or arm.features & optional in ({"mtls"}, optional)


@pytest.fixture(
    params=[
        pytest.param(name, marks=() if _everyday(arm) else pytest.mark.e2e)
        for name, arm in sorted(ARMS.items())
        if arm.mesh.name in ON_PROCESSES and not _all_but_one(arm)
    ]
)
def started(request: pytest.FixtureRequest) -> Arm:
    """Each feature alone (in the long lane) and all of them: starting also all but one shows nothing more, and takes minutes."""
    return ARMS[request.param]


@pytest.mark.system
def test_a_running_arm_proves_its_features(started: Arm, platform: ProcessPlatform, tmp_path: Path) -> None:
    proofs = parity.prove(platform, started, tmp_path)

    assert parity.failed(proofs) == ()


@pytest.mark.system
def test_a_running_arm_carries_every_call_once(started: Arm, platform: ProcessPlatform, tmp_path: Path) -> None:
    topology = TOPOLOGIES["fanout-4"]
    with platform.launch(started.plan(topology, Traffic(), FACTS), tmp_path / "run") as deployment:
        observe.reset(deployment)
        statuses = [observe.enter(deployment).status for _ in range(CALLS)]

        assert statuses == [200] * CALLS
        served = observe.requests_by_service(deployment)
        assert served == {service.name: CALLS for service in topology.services}
        assert parity.failed(parity.quick(deployment, started.features)) == ()
