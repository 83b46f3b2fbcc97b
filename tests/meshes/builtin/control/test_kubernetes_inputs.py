"""From a cluster's objects to the inputs and snapshots of its proxies."""

import json
from dataclasses import replace
from typing import Any

from meshes.builtin.control import kubernetes_objects as objects
from meshes.builtin.control.compiler import snapshots
from meshes.builtin.control.kubernetes_inputs import Found, identity, meshes
from meshes.builtin.control.model import Inputs
from meshes.builtin.control.state import State

Json = dict[str, Any]


def service(name: str, address: str = "198.18.1.1", **port: Any) -> Json:
    ports = [{"name": "http", "port": 8080, "appProtocol": "http"} | port]
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"clusterIPs": [address], "ports": ports}}


def endpoint_slice(owner: str, **endpoints: bool) -> Json:
    """Pods by name, and whether they are ready; a pod `b_2` has the address 198.18.2.2."""
    return {
        "metadata": {"name": f"{owner}-x", "namespace": "shop", "labels": {"kubernetes.io/service-name": owner}},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": [
            {
                "addresses": [f"198.18.2.{pod[-1]}"],
                "conditions": {"ready": ready},
                "targetRef": {"kind": "Pod", "name": pod},
            }
            for pod, ready in endpoints.items()
        ],
    }


def pod(name: str, account: str, **labels: str) -> Json:
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {"hoptax.dev/injected": "true"} | labels},
        "spec": {"serviceAccountName": account},
        "status": {"podIP": f"198.18.2.{name[-1]}", "phase": "Running"},
    }


def settings(**document: Any) -> Json:
    return {
        "metadata": {"name": "hoptax-mesh", "namespace": "shop"},
        "data": {"mesh.json": json.dumps(document)},
    }


def found(*given: Json) -> Found:
    """Everything by its kind, as the watches keep it."""
    kinds: list[dict[tuple[str, str], Any]] = [{}, {}, {}, {}]
    for item in given:
        spec = item.get("spec", {})
        place, slim = (
            (1, objects.endpoint_slice)
            if "endpoints" in item
            else (3, objects.policy)
            if "data" in item
            else (2, objects.pod)
            if "serviceAccountName" in spec
            else (0, objects.service)
        )
        value = slim(item)
        if value is not None:
            kinds[place]["shop", item["metadata"]["name"]] = value
    return Found(*kinds)


SHOP = (
    service("b"),
    endpoint_slice("b", b_1=True, b_2=True, b_3=False),
    pod("a_1", "a"),
    pod("b_1", "b", version="canary"),
    pod("b_2", "b"),
    pod("b_3", "b"),
)


def shop(*more: Json) -> Inputs:
    return meshes(found(*SHOP, *more), {})[0]["shop"]


def test_ready_endpoints_with_a_sidecar_are_called_at_their_own_port_and_the_canary_is_last() -> None:
    assert [str(each) for each in shop().services["b"].endpoints] == ["198.18.2.2:8080", "198.18.2.1:8080"]


def test_snapshots_are_captured_and_carry_the_service_accounts_identity() -> None:
    snapshot = snapshots(shop())["a_1"]

    assert snapshot.spiffe_id == identity("shop", "a")
    assert snapshot.captured is not None
    assert dict(snapshot.captured.destinations) == {"198.18.1.1:8080": "b"}
    [cluster] = snapshot.clusters
    assert cluster.spiffe_ids == ("spiffe://hoptax.local/ns/shop/sa/b",)
    assert set(snapshot.outbound.routes) == {"b", "b.shop", "b.shop.svc", "b.shop.svc.cluster.local"}


def test_a_service_without_sidecars_or_without_http_is_not_of_the_mesh() -> None:
    plain = (service("c"), endpoint_slice("c", c_7=True))
    database = (service("d", appProtocol="redis"), endpoint_slice("d", b_1=True))
    assert set(shop(*plain, *database).services) == {"a", "b"}


def test_settings_of_the_namespace_are_obeyed_and_say_who_calls_whom() -> None:
    authorization = {"authorization": {"callers": ["spiffe://x/probe"], "denied_prefix": "/denied"}}
    inputs = shop(settings(policies=authorization, calls={"a": ["b"], "b": []}, leaf_lifetime_s=77))
    compiled = snapshots(inputs)

    assert compiled["b_1"].inbound.authorization is not None
    assert compiled["b_1"].inbound.authorization.callers == (identity("shop", "a"), "spiffe://x/probe")
    assert (compiled["b_1"].clusters, inputs.leaf_lifetime_s) == ((), 77)


def test_settings_that_are_wrong_are_told_and_the_former_ones_stay() -> None:
    former = {"shop": shop(settings(leaf_lifetime_s=77))}
    wrong = found(*SHOP, settings(leaf_lifetime_s="long"))

    made, refused = meshes(wrong, former)
    assert made == former
    assert "namespace shop: mesh.leaf_lifetime_s is 'long'" in refused[0]
    assert meshes(wrong, {})[0] == {}
    assert "no JSON object" in meshes(found(*SHOP, settings() | {"data": {"mesh.json": "{"}}), {})[1][0]


def test_meshes_side_by_side_have_proxies_by_pod_and_namespace() -> None:
    state = State(replace(shop(), proxies={}))
    state.update_meshes(state.inputs, {"shop": shop(settings(leaf_lifetime_s=77)), "bar": shop()})

    assert state.identity("a_1.shop") == identity("shop", "a")
    assert (state.lifetime_s("a_1.shop"), state.lifetime_s("a_1.bar")) == (77, 86400)
    assert state.identity("a_1") is None


def test_pods_that_are_over_are_gone() -> None:
    over = pod("a_1", "a") | {"status": {"phase": "Succeeded"}}
    assert objects.pod(over) is None
    assert objects.pod(pod("a_1", "a") | {"metadata": {"name": "a_1"}}) is None
