"""What Istio itself says of what is sent to it: the real istioctl renders the installation and validates every resource."""

import shutil
import subprocess
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from meshes.istio.install import RENDER
from tests.meshes.istio.arms import EVERY_FEATURE, kubernetes, plan_of

ISTIOCTL = shutil.which("istioctl")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(ISTIOCTL is None, reason="istioctl isn't on PATH: make istio-images builds one"),
]
ARMS = [(), *((feature,) for feature in EVERY_FEATURE), ("split", "retries"), EVERY_FEATURE]


def istioctl(*words: str) -> subprocess.CompletedProcess[str]:
    assert ISTIOCTL is not None
    return subprocess.run((ISTIOCTL, *words), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def rendered() -> list[dict[str, Any]]:  # Any: YAML values
    done = istioctl(*RENDER.args)
    assert done.returncode == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def named(found: list[dict[str, Any]], kind: str, name: str) -> Any:  # Any: YAML values
    (one,) = [each for each in found if each["kind"] == kind and each["metadata"]["name"] == name]
    return one


def validated(text: str, folder: Path) -> tuple[int, list[str]]:
    """The exit code, and what it warns of or refuses. Fields that Istio doesn't know are refused."""
    file = folder / "resources.yaml"
    file.write_text(text.replace("${namespace}", "hoptax-ground"))
    done = istioctl("validate", "-f", str(file))
    return done.returncode, [line.strip() for line in done.stderr.splitlines() if line.startswith("\t*")]


def resources(*features: str) -> str:
    manifests = kubernetes(plan_of(*features)).manifests
    return "---\n".join(each.content for each in manifests if each.lifetime == "trial")


@pytest.mark.parametrize("features", ARMS, ids=lambda features: "+".join(features) or "none")
def test_every_resource_is_valid(features: tuple[str, ...], tmp_path: Path) -> None:
    code, said = validated(resources(*features), tmp_path)

    assert code == 0
    assert [line for line in said if "EnvoyFilter exposes internal" not in line] == []


@pytest.mark.parametrize("word", ["enableIstioTags", "failoverPriority", "retryBudget", "notPaths", "LEAST_REQUEST"])
def test_a_word_that_istio_does_not_know_would_be_noticed(word: str, tmp_path: Path) -> None:
    text = resources(*EVERY_FEATURE)
    assert word in text

    code, said = validated(text.replace(word, f"{word}X"), tmp_path)
    assert code != 0
    assert any(f"{word}X" in line for line in said)


def test_the_mesh_is_configured_as_it_was_told(rendered: list[dict[str, Any]]) -> None:
    told = yaml.safe_load(named(rendered, "ConfigMap", "istio")["data"]["mesh"])

    assert told["trustDomain"] == "hoptax.local"
    assert told["meshMTLS"] == {"minProtocolVersion": "TLSV1_3"}
    assert told["enableTracing"] is False
    ours = {"key": "app.kubernetes.io/managed-by", "operator": "In", "values": ["hoptax"]}
    assert told["discoverySelectors"] == [{"matchExpressions": [ours]}]
    outbound, inbound, spans = told["extensionProviders"]
    assert inbound["envoyFileAccessLog"]["logFormat"]["labels"]["direction"] == "inbound"
    assert outbound["envoyFileAccessLog"]["logFormat"]["labels"]["time"] == "%START_TIME(%s.%3f)%"
    assert spans["opentelemetry"] == {"service": "hoptax-nowhere.istio-system.svc.cluster.local", "port": 4317}


def test_istiod_is_installed_alone_and_where_the_plan_says(rendered: list[dict[str, Any]]) -> None:
    deployments = [each for each in rendered if each["kind"] == "Deployment"]
    (control,) = [unit for unit in plan_of().units if unit.role == "control"]
    (istiod,) = deployments
    assert control.brought is not None

    assert (istiod["metadata"]["name"], istiod["metadata"]["namespace"]) == ("istiod", control.brought.namespace)
    containers = istiod["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in containers] == [control.brought.container]
    environment = {each["name"]: each.get("value") for each in containers[0]["env"]}
    assert environment["PILOT_ENABLE_METADATA_EXCHANGE"] == environment["PILOT_ENABLE_ALPN_FILTER"] == "false"


def test_every_kind_that_an_arm_uses_is_installed(rendered: list[dict[str, Any]]) -> None:
    installed = {
        (each["spec"]["group"], each["spec"]["names"]["kind"], version["name"])
        for each in rendered
        if each["kind"] == "CustomResourceDefinition"
        for version in each["spec"]["versions"]
    }
    manifests = (each for each in kubernetes(plan_of(*EVERY_FEATURE)).manifests if each.lifetime == "trial")
    used = chain.from_iterable(yaml.safe_load_all(each.content) for each in manifests)

    assert {
        (*each["apiVersion"].split("/")[:1], each["kind"], each["apiVersion"].split("/")[1]) for each in used
    } <= installed
