"""Our objects, webhook and tokens against a real API server without nodes: what needs no Docker.

The control plane runs here with the rights of its own service account, and nothing more.
"""

import json
import os
import signal
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import registry
from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Arm, Traffic
from harness.model.plan import Kubernetes
from harness.platforms import manifests
from harness.platforms.kubectl import Kubectl
from harness.platforms.kubernetes import KubernetesPlatform
from harness.platforms.places import Where
from harness.platforms.references import resolve_unit
from harness.topology import load_topology
from meshes.builtin.install.manifests import NAMESPACE, WEBHOOK_PORT, Installation, objects, settings
from tests.e2e.api_server import ENDPOINT, SECOND, ApiServer, api_server, missing
from tests.e2e.disturbance import eventually

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.system,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(missing()), reason=missing()),
]

INSTALLATION = Installation("hoptax/all:test")
NAME = INSTALLATION.name
WITHIN_S = 30.0
RUN = """
import asyncio, json, sys
from pathlib import Path
from meshes.builtin.control import kubernetes_server
from meshes.builtin.control.kubernetes_client import ApiServer, Client
from meshes.builtin.control.kubernetes_settings import read_cluster_settings
kubernetes_server.EVERYWHERE = sys.argv[1]
server = ApiServer("127.0.0.1", int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]))
asyncio.run(kubernetes_server.serve(read_cluster_settings(sys.argv[5]), Client(server)))
"""
Json = dict[str, Any]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with api_server(tmp_path_factory.mktemp("api")) as server:
        server.kubectl.apply([_account("default", "default")])
        yield server


@pytest.fixture(scope="module")
def control(api: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator["subprocess.Popen[bytes]"]:
    """Installed, and running behind its Service."""
    folder = tmp_path_factory.mktemp("control")
    api.kubectl.apply([each for each in objects(INSTALLATION) if each["kind"] != "Deployment"])
    api.kubectl.apply([_slice(ENDPOINT)])
    with controlling(api, folder, ENDPOINT) as process:
        yield process


@contextmanager
def controlling(api: ApiServer, folder: Path, address: str) -> Iterator["subprocess.Popen[bytes]"]:
    token = folder / "token"
    token.write_text(api.kubectl.run("create", "token", NAME, f"--namespace={NAMESPACE}"))
    given = json.dumps(settings(INSTALLATION) | {"folder": str(folder / "keys")})
    words = (sys.executable, "-c", RUN, address, str(api.port), str(api.certificate), str(token), given)
    process = subprocess.Popen(words)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.terminate()
        process.wait()


def _account(namespace: str, name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


def _slice(address: str) -> Json:
    """What a cluster's own controllers make of a Service and a ready pod at that address."""
    labels = {"kubernetes.io/service-name": NAME}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": labels},
        "addressType": "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "webhook", "port": WEBHOOK_PORT}],
    }


def labelled(kubectl: Kubectl, name: str, **labels: str) -> str:
    """A namespace with the account that pods have if they name none."""
    named = {f"hoptax.dev/{key}": value for key, value in labels.items()}
    kubectl.apply(
        [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": named}},
            _account(name, "default"),
        ]
    )
    return name


def containers(kubectl: Kubectl, namespace: str, name: str, **labels: str) -> list[str]:
    """Of a new pod, as the API server has it; EnvironmentFailure if it isn't admitted."""
    metadata = {"name": name, "labels": {f"hoptax.dev/{key}": value for key, value in labels.items()}}
    spec = {"containers": [{"name": "app", "image": "any"}]}
    kubectl.apply([{"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}], namespace)
    made = kubectl.get("pod", name, f"--namespace={namespace}")["spec"]
    return [str(each["name"]) for each in (*made.get("initContainers", ()), *made["containers"])]


@pytest.mark.parametrize("replicas", [1, 2])
def test_an_installation_is_taken_and_taken_again(api: ApiServer, replicas: int) -> None:
    """Strictly: an unknown or doubled field is refused."""
    made = objects(Installation("hoptax/all:test", replicas, envoy_image="envoy:test"))
    for _ in range(2):
        api.kubectl.run(*_strictly(), stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": made}))
    assert api.kubectl.get("clusterrole", NAME)["rules"]


def _strictly(*more: str) -> tuple[str, ...]:
    return ("apply", "--server-side", "--force-conflicts", "--validate=strict", "--filename=-", *more)


@pytest.mark.parametrize("mesh", ["baseline", "builtin", "envoy"])
def test_an_arms_objects_are_taken(api: ApiServer, mesh: str) -> None:
    features = frozenset() if mesh == "baseline" else frozenset({"mtls", "retries", "split", "authz"})
    topology = load_topology(registry.find_file("topologies", "chain-4"), registry.service_program())
    plan = Arm(registry.mesh(mesh), features).plan(topology, Traffic(), KubernetesPlatform.facts)
    asks = plan.kubernetes or Kubernetes()
    where = Where("test", f"hoptax-{mesh}", "hoptax/all:test")
    units = [resolve_unit(unit, lambda kind, name: f"{kind}-{name}") for unit in manifests.own(plan)]
    api.kubectl.apply([manifests.namespace(where, ())])
    api.kubectl.run(
        *_strictly(f"--namespace={where.namespace}"),
        stdin=json.dumps(
            {
                "apiVersion": "v1",
                "kind": "List",
                "items": manifests.objects(units, {unit.name: [] for unit in units}, asks, where),
            }
        ),
    )
    deployed = api.kubectl.items("deployments", f"--namespace={where.namespace}")
    assert sorted(each["metadata"]["name"] for each in deployed) == ["a-0", "b-0", "c-0", "d-0"]


def test_pods_get_sidecars_where_it_is_asked_for(api: ApiServer, control: "subprocess.Popen[bytes]") -> None:
    namespace = labelled(api.kubectl, "asked", inject="enabled")
    _await_webhook(api.kubectl, namespace, control)
    assert containers(api.kubectl, namespace, "one") == ["hoptax-capture", "hoptax-proxy", "app"]
    assert containers(api.kubectl, namespace, "not-this-one", inject="disabled") == ["app"]
    assert containers(api.kubectl, labelled(api.kubectl, "unasked"), "one") == ["app"]


def test_the_control_plane_does_all_that_with_its_own_rights(
    api: ApiServer, control: "subprocess.Popen[bytes]"
) -> None:
    """They end there: what it doesn't need is refused."""
    _await_webhook(api.kubectl, labelled(api.kubectl, "rights", inject="enabled"), control)
    me = f"--as=system:serviceaccount:{NAMESPACE}:{NAME}"
    for words in (("get", "secrets", "--all-namespaces"), ("create", "pods"), ("delete", "nodes"), ("get", "nodes")):
        with pytest.raises(EnvironmentFailure, match="no"):
            api.kubectl.run("auth", "can-i", *words, me)
    assert api.kubectl.run("auth", "can-i", "create", "tokenreviews.authentication.k8s.io", me).strip() == "yes"
    assert api.kubectl.get("secret", "hoptax-authority", f"--namespace={NAMESPACE}")["data"].keys() == {
        "ca.pem",
        "ca-key.pem",
    }


def test_a_webhook_that_is_away_fails_closed_or_open_as_installed(
    api: ApiServer, control: "subprocess.Popen[bytes]"
) -> None:
    namespace = labelled(api.kubectl, "away", inject="enabled")
    _await_webhook(api.kubectl, namespace, control)
    os.kill(control.pid, signal.SIGSTOP)
    try:
        with pytest.raises(EnvironmentFailure, match="failed calling webhook"):
            containers(api.kubectl, namespace, "closed")
        _apply_webhook(api.kubectl, strict=False)
        eventually(lambda: _admitted(api.kubectl, namespace, "open") == ["app"], WITHIN_S, "a pod without a sidecar")
    finally:
        os.kill(control.pid, signal.SIGCONT)
        _apply_webhook(api.kubectl, strict=True)


def test_two_replicas_share_one_authority_and_either_will_do(
    api: ApiServer, control: "subprocess.Popen[bytes]", tmp_path: Path
) -> None:
    """The first stands still, as on a node that is lost; Kubernetes then takes it out of the Service's endpoints."""
    namespace = labelled(api.kubectl, "two", inject="enabled")
    _await_webhook(api.kubectl, namespace, control)
    with controlling(api, tmp_path, SECOND) as second:
        os.kill(control.pid, signal.SIGSTOP)
        try:
            api.kubectl.apply([_slice(SECOND)])
            _await_webhook(api.kubectl, namespace, second)
        finally:
            os.kill(control.pid, signal.SIGCONT)
            api.kubectl.apply([_slice(ENDPOINT)])
    kept = api.kubectl.get("secret", "hoptax-authority", f"--namespace={NAMESPACE}")["data"]["ca.pem"]
    assert b64decode(kept) == (tmp_path / "keys" / "authority" / "ca.pem").read_bytes()


def _apply_webhook(kubectl: Kubectl, *, strict: bool) -> None:
    """As `mesh install` does it over what is there; the roots that the control plane wrote stay."""
    made = objects(Installation("hoptax/all:test", strict_injection=strict))
    kubectl.apply([each for each in made if each["kind"] == "MutatingWebhookConfiguration"])


def _admitted(kubectl: Kubectl, namespace: str, name: str) -> list[str]:
    try:
        return containers(kubectl, namespace, name)
    except EnvironmentFailure:
        return []


def _await_webhook(kubectl: Kubectl, namespace: str, control: "subprocess.Popen[bytes]") -> None:
    def there() -> bool:
        assert control.poll() is None, "the control plane has ended"
        return len(_admitted(kubectl, namespace, f"first-{time.monotonic_ns()}")) == 3

    eventually(there, WITHIN_S, "the webhook answers")
