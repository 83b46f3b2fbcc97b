"""The patch for pods as the API server shows them: what is added, where, and for whom nothing is."""

import copy
import json
from typing import Any

import pytest

from meshes.builtin.injection.pods import Injection, NotInjectedError, patch, warnings
from meshes.builtin.injection.sidecar import TEMPLATE
from meshes.builtin.proxy.bootstrap import parse_bootstrap
from meshes.envoy.template import TEMPLATE as ENVOY
from meshes.identity.names import CONTROL_PLANE
from meshes.sidecar_template import PodFacts

Json = dict[str, Any]
FACTS = PodFacts("", "", "", ("198.18.0.9", 15010), CONTROL_PLANE, "PEM", 10002)
INJECTION = Injection(
    {"builtin": TEMPLATE, "envoy": ENVOY},
    FACTS,
    {"builtin": "ours:1", "envoy": "envoy:1"},
    {"builtin": 15010, "envoy": 15012},
)


def pod(**metadata: Any) -> Json:
    """As a ReplicaSet makes it."""
    container = {"name": "app", "image": "cart:3", "ports": [{"name": "web", "containerPort": 8080}]}
    own = {"name": "migrate", "image": "cart:3"}
    return {
        "metadata": {"generateName": "cart-7f-", "labels": {"app": "cart"}} | metadata,
        "spec": {"serviceAccountName": "cart", "initContainers": [own], "containers": [container]},
    }


def patched(given: Json, injection: Injection = INJECTION) -> Json:
    """As an API server applies RFC 6902."""
    made = copy.deepcopy(given)
    for operation in patch(given, injection):
        *path, last = operation["path"].removeprefix("/").split("/")
        place = made
        for step in path:
            place = place[step]
        assert operation["op"] == ("replace" if last in place else "add")
        place[last] = operation["value"]
    return made


def test_capture_and_sidecar_come_before_the_pods_own_containers() -> None:
    spec = patched(pod())["spec"]

    assert [each["name"] for each in spec["initContainers"]] == ["hoptax-capture", "hoptax-proxy", "migrate"]
    assert spec["initContainers"][1]["restartPolicy"] == "Always"
    assert spec["containers"] == pod()["spec"]["containers"]
    assert {each["name"] for each in spec["volumes"]} == {"hoptax-token", "hoptax-proxy"}


def test_only_capture_has_rights_and_the_sidecar_runs_under_the_uid_that_is_not_captured() -> None:
    capture, sidecar, _ = patched(pod())["spec"]["initContainers"]

    assert capture["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN", "NET_RAW"]}
    assert sidecar["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert json.loads(capture["args"][0])["uid"] == sidecar["securityContext"]["runAsUser"] == FACTS.uid


def test_a_pod_that_was_injected_gets_nothing_more() -> None:
    assert patch(patched(pod()), INJECTION) == []


@pytest.mark.parametrize("given", [pod(labels={"hoptax.dev/inject": "disabled"}), pod()])
def test_pods_that_opted_out_or_share_the_nodes_network_get_nothing(given: Json) -> None:
    if not given["metadata"]["labels"].get("hoptax.dev/inject"):
        given["spec"]["hostNetwork"] = True
    assert patch(given, INJECTION) == []


def test_a_bare_pod_gets_labels_and_lists_that_it_did_not_have() -> None:
    made = patched({"metadata": {}, "spec": {"containers": [{"name": "app"}]}})

    assert made["metadata"]["labels"] == {"hoptax.dev/injected": "true", "hoptax.dev/sidecar": "builtin"}
    assert len(made["spec"]["initContainers"]) == 2
    assert "sa/default" in made["spec"]["initContainers"][1]["args"][1]


def test_excluded_ports_are_those_of_the_instrument_and_of_the_annotations() -> None:
    given = pod(
        annotations={"hoptax.dev/exclude-inbound-ports": "9000, 9001", "hoptax.dev/exclude-outbound-ports": "6379"}
    )
    capture = json.loads(patched(given)["spec"]["initContainers"][0]["args"][0])

    assert capture["exclude_inbound"] == [8081, 8090, 15090, 9000, 9001]
    assert capture["exclude_outbound"] == [8081, 8090, 6379]


@pytest.mark.parametrize("ports", ["x", "0", "70000", "1 2", ",".join(map(str, range(1, 40)))])
def test_ports_that_are_none_are_refused_with_the_reason(ports: str) -> None:
    with pytest.raises(NotInjectedError, match="exclude-inbound-ports"):
        patch(pod(annotations={"hoptax.dev/exclude-inbound-ports": ports}), INJECTION)


def test_the_label_picks_the_sidecar() -> None:
    sidecar = patched(pod(labels={"hoptax.dev/sidecar": "envoy"}))["spec"]["initContainers"][1]

    assert (sidecar["image"], sidecar["command"]) == ("envoy:1", ["envoy"])
    assert "15012" in " ".join(sidecar["args"])
    with pytest.raises(NotInjectedError, match="have builtin, envoy"):
        patch(pod(labels={"hoptax.dev/sidecar": "nginx"}), INJECTION)


def test_the_proxy_can_read_what_it_is_given_once_the_kubelet_has_filled_it_in(tmp_path: Any) -> None:
    text = patched(pod())["spec"]["initContainers"][1]["args"][1]
    for name, value in {"POD_NAME": "cart-7f-x", "POD_NAMESPACE": "shop", "POD_IPS": "198.18.3.4,fd00::4"}.items():
        text = text.replace(f"$({name})", value)
    bootstrap = parse_bootstrap(text, tmp_path, "test")

    assert (bootstrap.name, bootstrap.spiffe_id) == ("cart-7f-x.shop", "spiffe://hoptax.local/ns/shop/sa/cart")
    assert (bootstrap.address, bootstrap.bundle) == ("::", "PEM")


def test_probes_of_captured_ports_are_warned_of() -> None:
    given = pod()
    given["spec"]["containers"][0] |= {
        "readinessProbe": {"httpGet": {"port": "web"}},
        "livenessProbe": {"tcpSocket": {"port": 8090}},
        "startupProbe": {"exec": {"command": ["true"]}},
    }
    assert [line for line in warnings(given) if "app.readinessProbe" in line] == warnings(given)
