"""The built-in mesh's plan, and that its programs can read what it gives them."""

import json
from itertools import chain

import pytest

from harness import registry
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.plan import REFERENCE, Plan, Unit
from harness.model.topology import Topology
from harness.platforms.references import resolve_unit
from harness.topology import load_topology
from meshes.builtin import plan as adapter
from meshes.builtin.control.compiler import snapshots
from meshes.builtin.control.model import Inputs, read
from meshes.builtin.snapshot import Endpoint
from meshes.identity.names import spiffe_id

FACTS = PlatformFacts("process", interception=False)
TOPOLOGIES = {
    name: load_topology(path, registry.service_program())
    for name, path in registry.workload_files("topologies").items()
}


@pytest.fixture(params=sorted(TOPOLOGIES))
def topology(request: pytest.FixtureRequest) -> Topology:
    return TOPOLOGIES[request.param]


def planned(topology: Topology, *features: str, traffic: Traffic | None = None) -> Plan:
    return adapter.plan(topology, frozenset(features), traffic or Traffic(), FACTS)


def resolved(plan: Plan, unit: str) -> Unit:
    """As a platform would: hosts numbered, folders named after what they hold."""
    numbers = {host: f"127.0.0.{number}" for number, host in enumerate(plan.hosts(), start=1)}
    return resolve_unit(
        plan.unit(unit), lambda kind, name: numbers.get(name) if kind == "address" else f"{kind}-{name}"
    )


def mesh_file(plan: Plan) -> Inputs:
    [text] = [file.content for file in resolved(plan, "control").files if file.name == "mesh.json"]
    return read(text)


def test_equal_arguments_give_equal_plans(topology: Topology) -> None:
    assert planned(topology, "mtls") == planned(topology, "mtls")
    assert planned(topology, "mtls") != planned(topology)


def test_the_control_plane_can_read_its_file_and_compile_it(topology: Topology) -> None:
    inputs = mesh_file(planned(topology, "mtls", "least-request"))

    assert (inputs.mtls, inputs.balancing) == (True, "least-request")
    assert set(inputs.services) == {service.name for service in topology.services}
    assert len(inputs.proxies) == sum(service.replicas for service in topology.services) == len(snapshots(inputs))


def test_traffics_settings_are_all_written_out() -> None:
    traffic = Traffic(2.0, 7.0, 99.0, 11, 12, 13_000, 14, 15_000)
    inputs = mesh_file(planned(TOPOLOGIES["fanout-4"], traffic=traffic))

    assert inputs.connect_timeout_s == 2
    assert (inputs.timeouts.request_s, inputs.timeouts.idle_s) == (7, 99)
    limits = inputs.limits
    assert (limits.max_connections, limits.max_requests, limits.max_header_bytes) == (11, 12, 13_000)
    assert (limits.max_headers, limits.buffer_bytes) == (14, 15_000)


def test_a_sidecar_listens_where_others_look_for_it(topology: Topology) -> None:
    plan = planned(topology, "mtls")
    inputs = mesh_file(plan)
    for name, proxy in inputs.proxies.items():
        bootstrap = json.loads(resolved(plan, f"{name}-proxy").files[0].content)
        assert Endpoint(bootstrap["address"], 15006) in inputs.services[proxy.service].endpoints
        assert (bootstrap["name"], bootstrap["spiffe_id"]) == (name, spiffe_id(proxy.service))
        assert bootstrap["token"] == proxy.token == f"secret-{name}"
        assert proxy.app == Endpoint(bootstrap["address"], 8080)


def test_sidecars_find_the_control_plane(topology: Topology) -> None:
    plan = planned(topology)
    where = json.loads(resolved(plan, "control").files[0].content)
    for unit in plan.units:
        if unit.role == "sidecar":
            bootstrap = json.loads(resolved(plan, unit.name).files[0].content)
            assert bootstrap["control"] == {
                "address": f"{where['address']}:{where['port']}",
                "spiffe_id": plan.unit("control").identity,
            }


def test_only_the_control_plane_is_near_the_authority_and_no_sidecar_gets_a_key(topology: Topology) -> None:
    plan = planned(topology, "mtls")
    mentioned = {
        unit.name: {match[1] for text in unit.texts() for match in REFERENCE.finditer(text)} for unit in plan.units
    }

    assert [name for name, kinds in mentioned.items() if "authority" in kinds] == ["control"]
    keys = [text for unit in plan.units if unit.role == "sidecar" for text in unit.texts() if "key.pem" in text]
    assert keys == []


def test_what_holds_a_secret_is_private(topology: Topology) -> None:
    plan = planned(topology, "mtls")
    files = chain.from_iterable(unit.files for unit in plan.units)

    assert all(file.private for file in files if "${secret." in file.content)


def test_units_wait_for_what_they_need(topology: Topology) -> None:
    plan = planned(topology)
    after = {unit.name: unit.after for unit in plan.units}
    sidecars = [unit.name for unit in plan.units if unit.role == "sidecar"]

    assert all(after[name] == ("control",) for name in sidecars)
    assert all(after[unit.name] == (f"{unit.host}-proxy",) for unit in plan.units if unit.role == "app")
