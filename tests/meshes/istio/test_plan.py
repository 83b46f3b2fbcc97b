"""What an Istio arm starts and asks for: nothing of its own but apps, and one installation for all arms."""

import pytest

from harness.model.errors import UsageError
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.plan import INBOUND_PORT, Brought, Plan, Unit
from meshes import istio
from meshes.istio import pods
from tests.meshes.istio.arms import EVERY_FEATURE, TREE, documents, kubernetes, objects, plan_of


def of_role(plan: Plan, role: str) -> list[Unit]:
    return [unit for unit in plan.units if unit.role == role]


def test_another_platform_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        istio.plan(TREE, frozenset(), Traffic(), PlatformFacts("process", interception=False))

    assert str(caught.value) == (
        "mesh 'istio' runs on platform 'kubernetes' only, this is 'process': add --platform kubernetes, or leave the arm out"
    )


def test_istiod_and_every_sidecar_are_brought() -> None:
    plan = plan_of("mtls")
    (control,) = of_role(plan, "control")
    sidecars = of_role(plan, "sidecar")

    assert control.brought == Brought("istiod", "discovery", "istio-system")
    assert control.lifetime == "experiment"
    assert [each.brought for each in sidecars] == [
        Brought(host, "istio-proxy") for host in ("a-0", "b-0", "b-1", "b-2", "c-0")
    ]
    assert all(INBOUND_PORT in each.ports for each in sidecars)


def test_identities_are_those_of_service_accounts_and_only_with_mtls() -> None:
    proven = {each.host: each.identity for each in of_role(plan_of("mtls"), "sidecar")}

    assert proven["b-2"] == "spiffe://hoptax.local/ns/${namespace}/sa/b"
    assert {each.identity for each in of_role(plan_of(), "sidecar")} == {""}


def test_apps_call_services_by_name_and_wait_for_no_unit() -> None:
    entry, *_ = [unit for unit in of_role(plan_of(), "app") if unit.host == "a-0"]

    assert '"b:8080"' in entry.files[0].content
    assert entry.after == ()


def test_the_installation_is_the_same_in_every_arm() -> None:
    arms = [plan_of(), plan_of(*EVERY_FEATURE), plan_of("mtls", traffic=Traffic())]
    lasting = [
        (
            kubernetes(arm).before,
            kubernetes(arm).renders,
            [each for each in kubernetes(arm).manifests if each.lifetime == "experiment"],
        )
        for arm in arms
    ]

    assert lasting[0] == lasting[1] == lasting[2]


def test_what_is_of_one_trial_is_named_once_and_in_its_own_namespace() -> None:
    found = objects(plan_of(*EVERY_FEATURE))

    assert all("namespace" not in each["metadata"] for each in found.values())
    assert {kind for kind, _ in found} == {
        "AuthorizationPolicy",
        "DestinationRule",
        "EnvoyFilter",
        "PeerAuthentication",
        "Sidecar",
        "Telemetry",
        "VirtualService",
    }


def test_istiod_signs_with_the_authority_of_the_experiment() -> None:
    (groundwork,) = kubernetes(plan_of()).before
    namespace, secret = documents(groundwork.content)

    assert namespace["metadata"]["name"] == secret["metadata"]["namespace"] == "istio-system"
    assert secret["metadata"]["name"] == "cacerts"
    assert secret["data"] == {
        "ca-cert.pem": "${authority.ca.pem}",
        "ca-key.pem": "${authority.ca-key.pem}",
        "root-cert.pem": "${authority.ca.pem}",
        "cert-chain.pem": "${authority.ca.pem}",
    }


def test_only_app_pods_ask_for_a_sidecar() -> None:
    wanted = kubernetes(plan_of())

    assert wanted.namespace_labels == ()
    assert wanted.pod_labels == pods.LABELS == (("sidecar.istio.io/inject", "true"),)
