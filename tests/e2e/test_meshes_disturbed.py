"""Meshes in a real cluster while something changes or breaks: new certificates, a killed sidecar, a killed control plane with its webhook.

Calls go on all the while, from the entry's app through its sidecar to the callees'.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pytest_kind import KindCluster

from harness import registry
from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Arm
from harness.model.plan import Kubernetes, Manifest, Plan, Unit, replica_host
from harness.model.platform import Deployment
from harness.platforms.kubectl import Kubectl
from harness.platforms.kubernetes import namespace_of
from harness.probes import parity, policy_ground
from harness.probes.policy_ground import CALLER, SOLO
from harness.trial import Bench
from tests.e2e.conftest import MESHES
from tests.e2e.disturbance import Place, answer, eventually, fail_open, serial, traffic, unit
from tests.e2e.here import missing_for

pytestmark = [pytest.mark.e2e, pytest.mark.system, pytest.mark.timeout(300)]

MTLS = frozenset({"mtls"})
LIFETIME_S = 20
RENEWED_WITHIN_S = 60.0
DOWN_S = 30.0
KILLED_S = 2.0
RECOVERS_WITHIN_S = 60.0
WEBHOOKS = {"builtin": "hoptax-control", "envoy": "hoptax-control-envoy", "istio": "istio-sidecar-injector"}
ENTRY, CALLEE = replica_host(CALLER, 0), replica_host(SOLO, 0)


@dataclass(frozen=True, slots=True)
class Running:
    """A plan of one mesh with mTLS, and its namespace."""

    mesh: str
    deployment: Deployment
    place: Place


@pytest.fixture(scope="module", params=MESHES)
def running(
    request: pytest.FixtureRequest, bench: Bench, cluster: KindCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    mesh: str = request.param
    if why := missing_for(mesh):
        pytest.skip(why)
    arm = Arm(registry.mesh(mesh), MTLS)
    topology = policy_ground.topology(registry.service_program())
    plan = arm.plan(topology, policy_ground.TRAFFIC, bench.platform.facts)
    place = Place(Kubectl(kubeconfig=str(cluster.kubeconfig_path)), namespace_of(plan, "e2e"))
    with bench.platform.launch(plan, _folder(tmp_path_factory, mesh)) as deployment:
        yield Running(mesh, deployment, place)


@pytest.mark.parametrize("mesh", MESHES)
def test_certificates_are_renewed_and_traffic_goes_on(
    bench: Bench, mesh: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    if why := missing_for(mesh):
        pytest.skip(why)
    arm = Arm(registry.mesh(mesh), MTLS)
    topology = policy_ground.topology(registry.service_program())
    plan = short_lived(arm.plan(topology, policy_ground.TRAFFIC, bench.platform.facts))

    with bench.platform.launch(plan, _folder(tmp_path_factory, mesh)) as deployment:
        before = {host: serial(deployment, host) for host in (ENTRY, CALLEE)}
        with traffic(deployment) as answers:
            for host, first in before.items():
                eventually(lambda: serial(deployment, host) != first, RENEWED_WITHIN_S, f"a new one at {host}")  # noqa: B023
        assert parity.failed(parity.quick(deployment, MTLS)) == ()

    assert set(answers) == {"200"}


def short_lived(plan: Plan) -> Plan:
    """The plan with certificates of LIFETIME_S, by the settings that our control plane and Istio have for it."""
    asks = plan.kubernetes or Kubernetes()
    annotations = tuple((name, _short_istio(name, text)) for name, text in asks.pod_annotations)
    manifests = tuple(_short_ours(each) for each in asks.manifests)
    assert (annotations, manifests) != (asks.pod_annotations, asks.manifests)
    return replace(plan, kubernetes=replace(asks, pod_annotations=annotations, manifests=manifests))


def _short_istio(name: str, text: str) -> str:
    if name != "proxy.istio.io/config":
        return text
    config = json.loads(text)
    config["proxyMetadata"]["SECRET_TTL"] = f"{LIFETIME_S}s"
    return json.dumps(config)


def _short_ours(manifest: Manifest) -> Manifest:
    if manifest.name != "hoptax-mesh":
        return manifest
    document = json.loads(manifest.content)
    settings = json.loads(document["data"]["mesh.json"]) | {"leaf_lifetime_s": LIFETIME_S}
    return replace(manifest, content=json.dumps(document | {"data": {"mesh.json": json.dumps(settings)}}))


def test_a_killed_sidecar_is_started_again_and_traffic_recovers(running: Running) -> None:
    deployment, sidecar = running.deployment, unit(running.deployment, "sidecar", CALLEE)
    assert answer(deployment) == "200"
    restarts = running.place.restarts(sidecar)

    with traffic(deployment) as answers:
        deployment.disturb.kill(sidecar.name, KILLED_S)
        deployment.disturb.restart(sidecar.name)
    assert set(answers) - {"200"}, "nobody missed the sidecar: traffic doesn't go through it"

    eventually(lambda: answer(deployment) == "200", RECOVERS_WITHIN_S, "calls are answered again")
    eventually(lambda: running.place.restarts(sidecar) == restarts + 1, RECOVERS_WITHIN_S, "the kubelet says so too")
    assert parity.failed(parity.quick(deployment, MTLS)) == ()
    deployment.check()


def test_without_a_control_plane_traffic_goes_on_and_new_pods_are_told_why_they_wait(running: Running) -> None:
    deployment, place, app = running.deployment, running.place, unit(running.deployment, "app", ENTRY)
    control, injected = unit(deployment, "control"), unit(deployment, "sidecar", ENTRY).brought
    assert injected is not None
    url = f"http://{SOLO}:8080/"
    try:
        with traffic(deployment) as answers:
            deployment.disturb.kill(control.name, DOWN_S)
            with pytest.raises(EnvironmentFailure, match="failed calling webhook"):
                place.start_copy("closed", app)
            with fail_open(place.kubectl, WEBHOOKS[running.mesh]):
                _start(place, "open", app)
            assert injected.container not in place.containers("open")
            assert place.call_from("open", app, url).startswith("refused")
            assert answers, "no call was made"
            deployment.disturb.restart(control.name)
        assert set(answers) == {"200"}

        _start(place, "again", app)
        assert injected.container in place.containers("again")
        eventually(lambda: place.call_from("again", app, url) == "200", RECOVERS_WITHIN_S, "its calls are answered")
        assert answer(deployment) == "200"
    finally:
        for name in ("closed", "open", "again"):
            place.remove(name)


def _start(place: Place, name: str, app: Unit) -> None:
    """As soon as it is admitted."""
    refusals: list[str] = []

    def admitted() -> bool:
        try:
            place.start_copy(name, app)
        except EnvironmentFailure as error:
            refusals.append(str(error))
            return False
        return True

    try:
        eventually(admitted, RECOVERS_WITHIN_S, f"pod {name} starts")
    except AssertionError as error:
        raise AssertionError(f"{error}; {refusals[-1]}") from error


def _folder(factory: pytest.TempPathFactory, name: str) -> Path:
    return factory.mktemp(name) / "launch"
