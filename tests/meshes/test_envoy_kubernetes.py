"""The Envoy arm on Kubernetes: what the plan expects of others, and the container that the webhook adds."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.model.mesh import FEATURES, PlatformFacts
from harness.model.plan import Brought, Plan
from meshes import envoy
from meshes.builtin.policies import Authorization
from meshes.envoy.bootstrap import token_secret
from meshes.envoy.resources.clusters import clusters
from meshes.envoy.resources.delivery import Files
from meshes.envoy.resources.listeners import inbound, listeners
from meshes.envoy.sidecars import snapshot
from meshes.envoy.template import TEMPLATE, container
from meshes.identity.names import CONTROL_PLANE
from meshes.sidecar_template import TOKEN_FILE, TOKEN_FOLDER, PodFacts
from tests.meshes.test_envoy import EVERYTHING, PAIR, check

Json = dict[str, Any]

FACTS = PodFacts(
    name="b-0",
    service="b",
    image="hoptax/all:1",
    control=("hoptax-control.hoptax-system", 15012),
    control_id=CONTROL_PLANE,
    ca_pem="the roots",
    uid=10002,
    resources={"requests": {"cpu": "50m"}},
    environment=({"name": "POD", "value": "x"},),
)


def plan_of(*features: str) -> Plan:
    facts = PlatformFacts("kubernetes", interception=True)
    return envoy.plan(PAIR, frozenset(features), EVERYTHING, facts)


def test_sidecars_and_the_control_plane_are_brought_and_nothing_else() -> None:
    plan = plan_of("mtls")

    brought = {unit.name: unit.brought for unit in plan.units if unit.brought}
    assert brought == {
        "control": Brought("hoptax-control-envoy", "control", "hoptax-system"),
        "a-0-envoy": Brought("a-0", "hoptax-proxy"),
        **{f"b-{n}-envoy": Brought(f"b-{n}", "hoptax-proxy") for n in range(3)},
    }
    assert {unit.name for unit in plan.units if unit.role == "app"} == {"a-0", "b-0", "b-1", "b-2"}
    assert plan.unit("b-0-envoy").identity == "spiffe://hoptax.local/ns/${namespace}/sa/b"
    assert plan.kubernetes is not None
    assert plan.kubernetes.pod_labels == (("hoptax.dev/sidecar", "envoy"),)
    assert plan.kubernetes.namespace_labels[0] == ("hoptax.dev/rev", "envoy")
    assert [name for name, _ in plan.kubernetes.images] == ["envoy"]


def test_apps_call_services_by_name() -> None:
    document = json.loads(plan_of().unit("a-0").files[0].content)

    assert document["steps"][0][0]["endpoints"] == ["b:8080"]


def bootstrap(facts: PodFacts) -> Json:
    args = container(facts)["args"]
    found: Json = json.loads(args[args.index("--config-yaml") + 1])
    return found


def test_the_container_finds_its_control_plane_and_believes_no_other() -> None:
    config = bootstrap(FACTS)

    assert config["node"] == {"id": "b-0", "cluster": "b"}
    control = next(each for each in config["static_resources"]["clusters"] if each["name"] == "control")
    (endpoint,) = control["load_assignment"]["endpoints"][0]["lb_endpoints"]
    where = endpoint["endpoint"]["address"]["socket_address"]
    assert (control["type"], where) == (
        "STRICT_DNS",
        {"address": "hoptax-control.hoptax-system", "port_value": 15012},
    )
    context = control["transport_socket"]["typed_config"]["common_tls_context"]["validation_context"]
    assert context["trusted_ca"] == {"inline_string": "the roots"}
    assert context["match_typed_subject_alt_names"][0]["matcher"] == {"exact": CONTROL_PLANE}
    assert f"{TOKEN_FOLDER}/envoy-token.json" in json.dumps(config)


def test_the_token_and_the_file_that_names_it_lie_in_one_volume() -> None:
    sources = TEMPLATE.volume("the control plane")["projected"]["sources"]

    assert sources[0]["serviceAccountToken"]["audience"] == "the control plane"
    (item,) = sources[1]["downwardAPI"]["items"]
    ((annotation, text),) = TEMPLATE.annotations().items()
    assert item == {"path": "envoy-token.json", "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"}}
    assert json.loads(text)["resources"][0]["generic_secret"] == {"secret": {"filename": TOKEN_FILE}}


def test_the_admin_interface_is_on_loopback_and_others_see_two_paths_of_it() -> None:
    config = bootstrap(FACTS)

    assert config["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
    (window,) = config["static_resources"]["listeners"]
    (host,) = window["filter_chains"][0]["filters"][0]["typed_config"]["route_config"]["virtual_hosts"]
    assert [route["match"] for route in host["routes"]] == [{"path": "/ready"}, {"path": "/stats/prometheus"}]


def test_it_is_a_native_sidecar_that_may_do_nothing_but_its_work() -> None:
    made = container(FACTS)

    assert (made["restartPolicy"], made["startupProbe"]["httpGet"]) == ("Always", {"path": "/ready", "port": 15090})
    locked = made["securityContext"]
    assert (locked["runAsUser"], locked["runAsNonRoot"], locked["readOnlyRootFilesystem"]) == (10002, True, True)
    assert (locked["allowPrivilegeEscalation"], locked["capabilities"]) == (False, {"drop": ["ALL"]})
    assert made["resources"] == {"requests": {"cpu": "50m"}}
    assert made["env"] == [{"name": "POD", "value": "x"}]
    assert made["volumeMounts"][0]["mountPath"] == TOKEN_FOLDER
    json.dumps(made)


def test_lines_are_flushed_where_there_are_some() -> None:
    assert "--file-flush-interval-msec" not in container(FACTS)["args"]
    with_log = PodFacts(**{name: getattr(FACTS, name) for name in FACTS.__dataclass_fields__} | {"access_log": True})
    assert "--file-flush-interval-msec" in container(with_log)["args"]


@pytest.mark.system
@pytest.mark.parametrize("features", [(), ("mtls",), tuple(FEATURES)], ids=["none", "mtls", "everything"])
def test_envoy_itself_finds_listeners_of_captured_traffic_valid(
    features: tuple[str, ...], identities: Path, tmp_path: Path
) -> None:
    """As they come over xDS, put into a file: a check of a file opens no port."""
    told = snapshot(PAIR, PAIR.service("a"), "a-0", frozenset(features), EVERYTHING)
    delivery = Files(str(identities))
    resources = {
        "listeners": listeners(told, delivery, captured=True),
        "clusters": clusters(told, delivery, captured=True),
    }
    text = re.sub(r"\$\{address\.[^}]+\}", "127.86.0.1", json.dumps({"static_resources": resources}))
    (tmp_path / "envoy.json").write_text(text)

    check(tmp_path / "envoy.json")


@pytest.mark.system
def test_a_service_that_nobody_may_call_is_no_mistake(identities: Path, tmp_path: Path) -> None:
    told = snapshot(PAIR, PAIR.service("a"), "a-0", frozenset(FEATURES), EVERYTHING)
    nobody = replace(told, inbound=replace(told.inbound, authorization=Authorization((), "/denied")))
    text = json.dumps({"static_resources": {"listeners": [inbound(nobody, Files(str(identities)))]}})
    (tmp_path / "envoy.json").write_text(
        text.replace("${address.a-0}", "127.86.0.1").replace('"cluster": "local"', '"cluster_header": "x"')
    )

    check(tmp_path / "envoy.json")


@pytest.mark.system
def test_envoy_itself_finds_the_start_configuration_valid(identities: Path, tmp_path: Path) -> None:
    (tmp_path / "envoy-token.json").write_text(json.dumps(token_secret({"inline_string": "x"})))
    text = json.dumps(bootstrap(replace(FACTS, ca_pem=(identities / "ca.pem").read_text())))
    (tmp_path / "envoy.json").write_text(text.replace(TOKEN_FOLDER, str(tmp_path)))

    check(tmp_path / "envoy.json")
