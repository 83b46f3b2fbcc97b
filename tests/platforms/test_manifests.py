"""The objects of a plan, by what they are: who runs where, as whom, with which files, and what Kubernetes may do to it."""

import json
from typing import Any

import pytest

from harness.faults.wire import with_interposers
from harness.model.errors import UsageError
from harness.model.plan import File, Kubernetes, Plan, Unit
from harness.model.program import Program
from harness.platforms import manifests
from harness.platforms.places import BEFORE, HOST, MANAGED_BY, RUN, SERVICE, Resources, Where

APP = Program("fanout-service", module="workloads.service", flags=("-O",))
WHERE = Where("run-1", "hoptax-aa", "hoptax/all:1", node="n1")
Json = dict[str, Any]


def app(host: str = "b-0", service: str = "b", **more: Any) -> Unit:
    return Unit(name=host, role="app", host=host, service=service, program=APP, **{"ports": (8080, 8090)} | more)


def made(*units: Unit, asks: Kubernetes | None = None, where: Where = WHERE) -> dict[tuple[str, str], Json]:
    found = manifests.objects(units, {"b-0": ["b"]}, asks or Kubernetes(), where)
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def pod(objects: dict[tuple[str, str], Json], host: str) -> Json:
    spec: Json = objects["Deployment", host]["spec"]["template"]["spec"]
    return spec


def test_a_host_is_a_deployment_of_one_and_a_service_has_one_name() -> None:
    objects = made(app("b-0"), app("b-1"))
    assert sorted(objects) == [
        *(("Deployment", host) for host in ("b-0", "b-1")),
        *(("Service", name) for name in ("b", "b-0", "b-1")),
        ("ServiceAccount", "b"),
    ]
    assert objects["Deployment", "b-0"]["spec"]["replicas"] == 1
    assert objects["Service", "b"]["spec"] == {
        "selector": {"app": "b"},
        "ports": [
            {"name": "http", "port": 8080, "targetPort": 8080, "appProtocol": "http"},
            {"name": "observe", "port": 8090, "targetPort": 8090},
        ],
    }
    assert objects["Service", "b-0"]["spec"]["clusterIP"] == "None"
    assert [port["port"] for port in objects["Service", "b-0"]["spec"]["ports"]] == [8080, 8090]


def test_everything_says_whose_it_is_and_where_it_goes() -> None:
    for each in made(app(files=(File("f", "x"),))).values():
        assert each["metadata"]["labels"] == {MANAGED_BY: "hoptax", RUN: "run-1"}
        assert each["metadata"]["namespace"] == "hoptax-aa"


def test_pods_say_service_host_version_and_what_the_mesh_asks_of_them() -> None:
    asks = Kubernetes(pod_labels=(("inject", "yes"),), pod_annotations=(("exclude", "8081"),))
    objects = made(app("b-0"), app("b-1"), Unit("ctl", "control", "ctl", APP), asks=asks)
    first, last, control = (
        objects["Deployment", host]["spec"]["template"]["metadata"] for host in ("b-0", "b-1", "ctl")
    )
    assert {RUN: "run-1", SERVICE: "b", HOST: "b-0", "app": "b", "version": "v1", "inject": "yes"}.items() <= first[
        "labels"
    ].items()
    assert last["labels"]["version"] == "canary"
    assert first["annotations"] == {"exclude": "8081"}
    assert "inject" not in control["labels"]
    assert "annotations" not in control


def test_a_single_replica_is_no_canary() -> None:
    labels = made(app())["Deployment", "b-0"]["spec"]["template"]["metadata"]["labels"]
    assert labels["version"] == "v1"


def test_an_interposer_is_the_endpoint_of_the_service_before_which_it_stands() -> None:
    plan = with_interposers(
        Plan((app("b-0"), app("b-1"), app("c-0", "c")), "b-0", 8081), ("b-0", "b-1"), interception=True
    )
    objects = made(*plan.units, asks=Kubernetes(pod_labels=(("inject", "yes"),), relay_labels=(("inject", "no"),)))
    assert objects["Service", "b"]["spec"] == {
        "selector": {BEFORE: "b"},
        "ports": [
            {"name": "http", "port": 8080, "targetPort": 8080, "appProtocol": "http"},
            {"name": "observe", "port": 8090, "targetPort": 15080},
        ],
    }
    first, last = (objects["Deployment", f"b-{n}-wire"]["spec"]["template"] for n in (0, 1))
    assert {BEFORE: "b", "inject": "no", "version": "v1"}.items() <= first["metadata"]["labels"].items()
    assert "app" not in first["metadata"]["labels"]
    assert last["metadata"]["labels"]["version"] == "canary"
    assert first["spec"]["serviceAccountName"] == "b"
    assert objects["Service", "c"]["spec"]["selector"] == {"app": "c"}
    document = json.loads(plan.unit("b-0-wire").files[0].content)
    assert (document["listen"][1], document["to"]) == (8080, ["${address.b-0}", 8080])


def test_a_container_has_no_rights_and_what_it_was_given_to_use() -> None:
    resources = Resources((("cpu", "100m"),), (("memory", "64Mi"),))
    where = Where("run-1", "hoptax-aa", "hoptax/all:1", resources)
    found = pod(made(app(args=("x",)), where=where), "b-0")
    container = found["containers"][0]
    assert container["command"] == ["python", "-O", "-m", "workloads.service"]
    assert container["args"] == ["x"]
    assert container["resources"] == {"requests": {"cpu": "100m"}, "limits": {"memory": "64Mi"}}
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert found["serviceAccountName"] == "b"
    assert "nodeSelector" not in found


def test_pods_go_to_the_node_that_is_planned() -> None:
    assert pod(made(app()), "b-0")["nodeSelector"] == {"kubernetes.io/hostname": "n1"}


@pytest.mark.parametrize(("private", "kind", "volume"), [(False, "ConfigMap", "configMap"), (True, "Secret", "secret")])
def test_files_are_mounted_and_private_ones_are_secret(private: bool, kind: str, volume: str) -> None:
    objects = made(app(files=(File("service.json", "{}", private),)))
    assert (kind, "files-b-0") in objects
    found = pod(objects, "b-0")
    assert volume in next(each for each in found["volumes"] if each["name"] == "files-b-0")
    mount = {each["name"]: each["mountPath"] for each in found["containers"][0]["volumeMounts"]}
    assert mount == {"files-b-0": "/etc/hoptax/units/b-0", "identity-b": "/etc/hoptax/identities/b"}


def test_a_program_of_this_machine_is_refused() -> None:
    own = Unit("b-0", "app", "b-0", Program("/home/me/server"), service="b")
    with pytest.raises(UsageError, match=r"'b-0' runs '/home/me/server'.*use --platform process"):
        made(own)
