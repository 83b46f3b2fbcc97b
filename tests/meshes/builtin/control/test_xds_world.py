"""The resources of an Envoy: that they are all there by name, that Envoy's API has every field, and that they equal the static file."""

import json
from dataclasses import replace
from typing import Any

import pytest

from harness.model.mesh import FEATURES, PlatformFacts, Traffic
from harness.model.policy import Authorization
from meshes import envoy
from meshes.builtin.control.compiler import snapshots
from meshes.builtin.control.model import read
from meshes.builtin.control.xds import Kind
from meshes.builtin.control.xds_wire import packed
from meshes.builtin.control.xds_world import Leaf, world
from meshes.builtin.plan import mesh_document
from meshes.builtin.snapshot import Captured
from meshes.envoy.resources.delivery import Ads
from meshes.envoy.resources.listeners import outbound
from tests.meshes import test_envoy
from tests.meshes.test_envoy import PAIR, config

Json = dict[str, Any]

EVERYTHING = replace(
    test_envoy.EVERYTHING, policies=replace(test_envoy.EVERYTHING.policies, authorization=Authorization("/secret"))
)
LEAF = Leaf("KEY", "CHAIN", "ROOTS", 2.0, 1.0)
HOSTS = ("a-0", "b-0", "b-1", "b-2")


def resolved(text: str) -> str:
    for number, host in enumerate(HOSTS, start=1):
        text = text.replace(f"${{address.{host}}}", f"127.85.1.{number}")
    return text


def world_of(host: str, *features: str, traffic: Traffic = EVERYTHING, captured: bool = False) -> dict[Kind, Json]:
    text = resolved(json.dumps(mesh_document(PAIR, frozenset(features), traffic)))
    snapshot = snapshots(read(text))[host]
    made = world(snapshot, LEAF if "mtls" in features else None, captured=captured)
    for kind, resources in made.items():
        for resource in resources.values():
            packed(kind, resource)
    return {kind: {name: json.loads(each) for name, each in resources.items()} for kind, resources in made.items()}


@pytest.mark.parametrize("captured", [False, True])
@pytest.mark.parametrize("traffic", [EVERYTHING, Traffic()], ids=["all", "default"])
@pytest.mark.parametrize("features", [(), ("mtls",), tuple(FEATURES)], ids=["none", "mtls", "everything"])
def test_envoys_api_has_every_field(features: tuple[str, ...], traffic: Traffic, captured: bool) -> None:
    for host in ("a-0", "b-2"):
        made = world_of(host, *features, traffic=traffic, captured=captured)

        assert set(made[Kind.LISTENER]) == {"inbound", "outbound"}
        assert set(made[Kind.ROUTES]) == {"outbound"}
        assert set(made[Kind.SECRET]) == ({"own", "trusted"} if "mtls" in features else set())


def test_every_cluster_with_endpoints_of_its_own_has_them_apart() -> None:
    made = world_of("a-0", *FEATURES)

    eds = {name for name, each in made[Kind.CLUSTER].items() if each.get("type") == "EDS"}
    assert eds == set(made[Kind.ENDPOINTS]) == {"outbound_b", "canary_b"}


def test_the_key_is_in_the_secret_and_nowhere_else() -> None:
    made = world_of("a-0", *FEATURES)

    assert made[Kind.SECRET]["own"]["tls_certificate"]["private_key"] == {"inline_string": LEAF.key}
    del made[Kind.SECRET]
    assert LEAF.key not in json.dumps({kind.value: each for kind, each in made.items()})


@pytest.mark.parametrize("features", [(), ("mtls",), tuple(FEATURES)], ids=["none", "mtls", "everything"])
@pytest.mark.parametrize("host", ["a-0", "b-1"])
def test_xds_and_the_static_file_say_the_same(features: tuple[str, ...], host: str) -> None:
    """They differ in where endpoints, routes and certificates come from, and in nothing else."""
    plan = envoy.plan(PAIR, frozenset(features), EVERYTHING, PlatformFacts("process", interception=False))
    static = json.loads(resolved(json.dumps(config(plan, host))))["static_resources"]
    made = world_of(host, *features)

    assert [together(made, each) for each in made[Kind.CLUSTER].values()] == [
        apart(each) for each in static["clusters"]
    ]
    routes = made[Kind.ROUTES]["outbound"]
    listeners = [with_routes(each, routes) for each in made[Kind.LISTENER].values()]
    assert listeners == [apart(each) for each in static["listeners"]]


def together(made: dict[Kind, Json], cluster: Json) -> Json:
    if cluster.pop("eds_cluster_config", None):
        cluster |= {"type": "STATIC", "load_assignment": made[Kind.ENDPOINTS][cluster["name"]]}
    return apart(cluster)


def with_routes(listener: Json, routes: Json) -> Json:
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    if manager.pop("rds", None):
        manager["route_config"] = routes
    return apart(listener)


def apart(resource: Json) -> Json:
    """Without where certificates come from, but with whom is believed."""
    text = json.loads(json.dumps(resource))
    chain = (text.get("filter_chains") or [text])[0]
    if socket := chain.get("transport_socket"):
        context = socket["typed_config"]["common_tls_context"]
        context.pop("tls_certificates", None), context.pop("tls_certificate_sds_secret_configs", None)
        validation = context.pop("validation_context", None) or context.pop("combined_validation_context")
        names = validation.get("default_validation_context", validation)["match_typed_subject_alt_names"]
        context["names"] = names
    return dict(text)


def chains(listener: Json) -> dict[int, Json]:
    return {each["filter_chain_match"]["destination_port"]: each for each in listener["filter_chains"]}


def test_captured_traffic_is_told_apart_by_the_port_it_was_meant_for() -> None:
    made = world_of("b-0", "mtls", captured=True)
    inbound, to_others = (made[Kind.LISTENER][name] for name in ("inbound", "outbound"))

    for listener in (inbound, to_others):
        assert listener["address"]["socket_address"]["address"] == "0.0.0.0"
    assert chains(inbound)[15006]["filters"] == chains(inbound)[8080]["filters"]
    assert (set(chains(to_others)), chains(to_others)[15001]["filters"]) == ({8080, 15001}, [])
    assert inbound["default_filter_chain"]["transport_socket"] == chains(inbound)[8080]["transport_socket"]
    assert "transport_socket" not in to_others["default_filter_chain"]
    assert made[Kind.ROUTES]["outbound"]["virtual_hosts"][-1]["domains"] == ["*"]


def test_every_port_of_a_service_of_the_mesh_obeys_it() -> None:
    text = resolved(json.dumps(mesh_document(PAIR, frozenset(), EVERYTHING)))
    snapshot = replace(snapshots(read(text))["a-0"], captured=Captured({"198.18.0.1:80": "b", "198.18.0.1:9000": "b"}))
    listener = outbound(snapshot, Ads(), captured=True)

    assert set(chains(listener)) == {80, 8080, 9000, 15001}
    assert chains(listener)[80]["filters"] == chains(listener)[8080]["filters"]


def test_what_was_not_captured_has_no_way_around_the_mesh() -> None:
    assert "passthrough" not in json.dumps({kind.value: each for kind, each in world_of("a-0", *FEATURES).items()})
