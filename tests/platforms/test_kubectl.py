"""What kubectl is asked, what its failures become, and what is applied once, again, or never."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.plan import Kubernetes, Manifest, Render
from harness.model.program import Program
from harness.platforms.asked_objects import AskedObjects
from harness.platforms.kubectl import Kubectl
from harness.platforms.ownership import check_free, clear_leftovers, of_run, remove
from harness.platforms.places import RUN, Where
from tests.platforms.fake_kubectl import FakeKubectl

Install = Callable[[Mapping[str, Mapping[str, Any]]], FakeKubectl]
NOTHING = {"stdout": '{"items": []}'}
NO_NAMESPACES = {"get namespaces": NOTHING}
WHERE = Where("run-1", "hoptax-aa", "image")


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return lambda answers: FakeKubectl.install(tmp_path, answers)


def config(name: str, value: str = "1") -> str:
    return f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: {name}}}, data: {{value: '{value}'}}}}"


def apply(asked: AskedObjects, *manifests: Manifest | Render) -> list[Any]:
    renders = tuple(each for each in manifests if isinstance(each, Render))
    plain = tuple(each for each in manifests if isinstance(each, Manifest))
    return asked.apply(Kubernetes(renders=renders, manifests=plain), WHERE, lambda kind, name: f"<{kind}{name}>")


def test_context_and_file_are_given_with_every_command(install: Install) -> None:
    fake = install({})
    Kubectl("kind-a", "/some/file").run("get", "pods")
    assert fake.lines() == ["--context=kind-a --kubeconfig=/some/file get pods"]


def test_a_failure_is_told_in_kubectls_words(install: Install) -> None:
    install({"get": {"stderr": "error: no such thing\n", "code": 1}})
    with pytest.raises(EnvironmentFailure, match="`kubectl get pods` failed: error: no such thing"):
        Kubectl().run("get", "pods")


def test_a_missing_kubectl_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentFailure, match="kubectl is missing: install it"):
        Kubectl().run("get", "pods")


def test_without_any_context_the_options_are_named(install: Install) -> None:
    install({"config": {"stderr": "error: current-context is not set", "code": 1}})
    with pytest.raises(UsageError, match="give --context or --kubeconfig"):
        Kubectl().current_context()


def test_objects_are_sent_in_one_list_and_server_side(install: Install) -> None:
    fake = install({})
    Kubectl().apply([{"kind": "A"}, {"kind": "B"}], "ns")
    [(words, sent)] = fake.calls()
    assert "--server-side" in words
    assert "--namespace=ns" in words
    assert [each["kind"] for each in json.loads(sent)["items"]] == ["A", "B"]


def test_what_lasts_for_the_experiment_is_sent_once_and_again_only_if_it_changed(install: Install) -> None:
    fake = install(NO_NAMESPACES)
    asked = AskedObjects(Kubectl(), "run-1")

    def sent(value: str) -> int:
        before = len(fake.calls())
        assert apply(asked, Manifest("m", config("a", value), "experiment")) == []
        return sum("ConfigMap" in text for _, text in fake.calls()[before:])

    assert [sent("1"), sent("1"), sent("2"), sent("1")] == [1, 0, 1, 1]


def test_objects_that_a_changed_manifest_has_no_more_are_deleted(install: Install) -> None:
    fake = install(NO_NAMESPACES)
    asked = AskedObjects(Kubectl(), "run-1")
    apply(asked, Manifest("m", f"{config('a')}\n---\n{config('b')}", "experiment"))
    apply(asked, Manifest("m", config("b"), "experiment"))
    [gone] = [json.loads(text)["items"] for words, text in fake.calls() if words[0] == "delete"]
    assert [each["metadata"]["name"] for each in gone] == ["a"]


def test_what_lasts_for_a_trial_is_taken_back(install: Install) -> None:
    fake = install(NO_NAMESPACES)
    asked = AskedObjects(Kubectl(), "run-1")
    asked.withdraw(apply(asked, Manifest("m", config("${namespace}"))))
    words, text = fake.calls()[-1]
    assert words[0] == "delete"
    [gone] = json.loads(text)["items"]
    assert gone["metadata"]["name"] == "<namespace>"
    assert gone["metadata"]["labels"][RUN] == "run-1"


def test_a_manifest_is_waited_for_by_its_condition(install: Install) -> None:
    fake = install(NO_NAMESPACES)
    manifest = Manifest("m", config("a"), "experiment", "mesh", "deployment/d=condition=Available", 9)
    apply(AskedObjects(Kubectl(), "run-1"), manifest)
    assert fake.lines()[-1] == "wait --for=condition=Available deployment/d --namespace=mesh --timeout=9s"


def test_a_vendors_program_is_run_once_for_equal_words(install: Install, tmp_path: Path) -> None:
    fake = install(NO_NAMESPACES)
    vendor = tmp_path / "vendor"
    vendor.write_text(f'#!/bin/sh\necho run >> {tmp_path}/runs\necho "{config("a")}"\n')
    vendor.chmod(0o755)
    asked, render = AskedObjects(Kubectl(), "run-1"), Render("m", Program(str(vendor)), ("--set", "x"))
    apply(asked, render)
    apply(asked, render)
    assert (tmp_path / "runs").read_text() == "run\n"
    assert sum("ConfigMap" in text for _, text in fake.calls()) == 1


def test_what_concerns_the_whole_cluster_and_is_of_others_is_not_touched(install: Install) -> None:
    there = {"apiVersion": "v1", "kind": "ClusterRole", "metadata": {"name": "istiod"}}
    fake = install({"get ClusterRole": {"stdout": json.dumps(there)}} | NO_NAMESPACES)
    role = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: istiod}}"
    with pytest.raises(
        EnvironmentFailure, match="ClusterRole/istiod, which exists in this cluster and isn't of this run"
    ):
        apply(AskedObjects(Kubectl(), "run-1"), Manifest("m", role, "experiment"))
    assert not any(line.startswith("apply") for line in fake.lines())


def test_a_namespace_of_others_is_not_touched(install: Install) -> None:
    theirs = {"items": [{"metadata": {"name": "mesh", "labels": {}}}]}
    fake = install({"get namespaces": {"stdout": json.dumps(theirs)}})
    with pytest.raises(EnvironmentFailure, match="namespace 'mesh' exists and isn't of this run"):
        apply(AskedObjects(Kubectl(), "run-1"), Manifest("m", config("a"), "experiment", "mesh"))
    assert not any(line.startswith("apply") for line in fake.lines())


def test_our_own_namespace_is_free(install: Install) -> None:
    ours = {"items": [{"metadata": {"name": "mesh", "labels": {RUN: "run-1"}}}]}
    install({"get namespaces": {"stdout": json.dumps(ours)}})
    check_free(Kubectl(), "mesh", "run-1")


def test_removal_begins_with_webhooks_and_names_only_ours(install: Install) -> None:
    fake = install({})
    remove(Kubectl(), of_run("run-1"))
    assert fake.lines()[0].startswith("delete mutatingwebhookconfigurations")
    assert all(f"--selector={of_run('run-1')}" in line for line in fake.lines())


def test_what_a_killed_run_left_is_removed_and_what_may_live_is_not(install: Install) -> None:
    def left(owner: str) -> FakeKubectl:
        metadata = {"name": "hoptax", "labels": {RUN: "run-0"}, "annotations": {"hoptax.dev/owner": owner}}
        return install({"get namespaces": {"stdout": json.dumps({"items": [{"metadata": metadata}]})}})

    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    fake = left(f"{boot}/4194304/1")
    clear_leftovers(Kubectl(), "hoptax")
    assert any("delete namespaces" in line and "run-0" in line for line in fake.lines())
    left("another-boot/1/1")
    with pytest.raises(EnvironmentFailure, match="another hoptax uses the namespaces hoptax-"):
        clear_leftovers(Kubectl(), "hoptax")
