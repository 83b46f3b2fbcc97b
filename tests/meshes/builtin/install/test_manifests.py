"""The installation as objects, as a chart, and as a part of an arm's plan."""

import json
import re
from typing import Any

import pytest
import yaml

from harness import registry
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.plan import Brought
from harness.topology import load_topology
from meshes.builtin import plan as adapter
from meshes.builtin.control.kubernetes_settings import read_cluster_settings
from meshes.builtin.control.model import read
from meshes.builtin.install.chart import VALUES, files
from meshes.builtin.install.manifests import Installation, objects

Json = dict[str, Any]
FAN = load_topology(registry.find_file("topologies", "fanout-4"), registry.service_program())


def of_kind(kind: str, installation: Installation) -> list[Json]:
    return [each for each in objects(installation) if each["kind"] == kind]


def test_the_control_plane_can_read_its_argument() -> None:
    [deployment] = of_kind("Deployment", Installation("ours:1", envoy_image="envoy:1"))
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    settings = read_cluster_settings(container["args"][1])

    assert settings.images == {"builtin": "ours:1", "envoy": "envoy:1"}
    [service] = of_kind("Service", Installation("ours:1"))
    assert {settings.port, settings.webhook_port, settings.xds_port} == {p["port"] for p in service["spec"]["ports"]}


def test_rights_are_to_read_and_nothing_is_allowed_by_a_star() -> None:
    rules = [
        rule for kind in ("ClusterRole", "Role") for role in of_kind(kind, Installation("i")) for rule in role["rules"]
    ]

    assert "*" not in json.dumps(rules)
    changing = [rule for rule in rules if not set(rule["verbs"]) <= {"get", "list", "watch"}]
    assert sorted(rule["resources"][0] for rule in changing) == [
        "mutatingwebhookconfigurations",
        "secrets",
        "tokenreviews",
    ]
    assert all("resourceNames" in rule for rule in rules if "patch" in rule["verbs"])


@pytest.mark.parametrize(("strict", "policy"), [(True, "Fail"), (False, "Ignore")])
def test_what_happens_without_the_webhook_is_a_setting(strict: bool, policy: str) -> None:
    [webhook] = of_kind("MutatingWebhookConfiguration", Installation("i", strict_injection=strict))
    assert {each["failurePolicy"] for each in webhook["webhooks"]} == {policy}


def test_two_replicas_are_kept_apart_from_disruptions() -> None:
    assert of_kind("PodDisruptionBudget", Installation("i")) == []
    assert len(of_kind("PodDisruptionBudget", Installation("i", 2))) == 1


def test_a_second_installation_shares_only_the_namespace_and_takes_only_its_revision() -> None:
    first, second = objects(Installation("i")), objects(Installation("i", revision="r", name="other", by_label=False))
    named = [{(each["kind"], each["metadata"]["name"]) for each in made} for made in (first, second)]
    assert named[0] & named[1] == {("Namespace", "hoptax-system")}
    [webhook] = [each for each in second if each["kind"] == "MutatingWebhookConfiguration"]
    assert [each["namespaceSelector"]["matchLabels"] for each in webhook["webhooks"]] == [{"hoptax.dev/rev": "r"}]


@pytest.mark.parametrize("replicas", [1, 2])
@pytest.mark.parametrize("strict", [True, False])
def test_the_chart_gives_the_same_objects(replicas: int, strict: bool) -> None:
    """Rendered by a renderer of the few constructs that the chart has: helm is not everywhere."""
    values = dict(VALUES) | {"image": "i:9", "revision": "blue", "replicas": replicas, "strictInjection": strict}
    made = files("1.2.3")
    assert set(yaml.safe_load(made["values.yaml"])) == set(values)

    rendered = [rendering(text, values) for path, text in sorted(made.items()) if path.startswith("templates/")]
    wanted = objects(Installation("i:9", replicas, strict, revision="blue"))
    assert [yaml.safe_load(text) for text in rendered if text.strip()] == wanted


def rendering(template: str, values: Any) -> str:
    text = re.sub(
        r"\{\{- if gt \(int \.Values\.(\w+)\) 1 \}\}\n(.*)\{\{- end \}\}\n",
        lambda found: found[2] if values[found[1]] > 1 else "",
        template,
        flags=re.DOTALL,
    )
    text = re.sub(
        r"\{\{ if \.Values\.(\w+) \}\}(\w+)\{\{ else \}\}(\w+)\{\{ end \}\}",
        lambda found: found[2] if values[found[1]] else found[3],
        text,
    )
    text = re.sub(r"\{\{ \.Values\.(\w+) \}\}", lambda found: str(values[found[1]]), text)
    assert "{{" not in text
    return text


def test_the_plan_brings_sidecars_and_the_control_plane() -> None:
    plan = adapter.plan(FAN, frozenset({"mtls", "retries"}), Traffic(), PlatformFacts("kubernetes", interception=True))

    assert plan.unit("control").brought == Brought("hoptax-control", "control", "hoptax-system")
    sidecars = [unit for unit in plan.units if unit.role == "sidecar"]
    assert all(unit.brought == Brought(unit.host, "hoptax-proxy") for unit in sidecars)
    assert len(sidecars) == len([unit for unit in plan.units if unit.role == "app"])
    assert all(
        unit.brought is None and unit.args == ("${dir}/service.json",) for unit in plan.units if unit.role == "app"
    )
    assert {unit.identity for unit in sidecars} >= {"spiffe://hoptax.local/ns/${namespace}/sa/" + FAN.entry}


def test_the_plans_settings_are_those_of_its_features() -> None:
    plan = adapter.plan(FAN, frozenset({"mtls", "retries"}), Traffic(), PlatformFacts("kubernetes", interception=True))
    assert plan.kubernetes is not None
    settings = json.loads(json.loads(plan.kubernetes.manifests[-1].content)["data"]["mesh.json"])

    assert set(settings.pop("calls")) == {service.name for service in FAN.services}
    inputs = read(json.dumps(settings | {"services": {}, "proxies": {}}))
    assert inputs.policies.retry is not None
    assert inputs.policies.breaker is None
