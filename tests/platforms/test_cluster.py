"""Decisions about a cluster: which one may be used, which nodes, whose objects they are."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest

from harness.model.errors import EnvironmentFailure, UsageError
from harness.platforms import ownership
from harness.platforms.cluster import Scheduling, Target, check, schedule

Json = dict[str, Any]


def node(name: str, *effects: str, unschedulable: bool = False) -> Json:
    taints = [{"key": "k", "effect": effect} for effect in effects]
    return {"metadata": {"name": name}, "spec": {"taints": taints, "unschedulable": unschedulable}}


def test_one_node_carries_both() -> None:
    assert schedule([node("only")]) == Scheduling("only", "only")
    assert not schedule([node("only")]).apart


def test_the_load_gets_a_node_of_its_own_where_there_are_several() -> None:
    nodes = [node("control", "NoSchedule"), node("w2"), node("w1", "PreferNoSchedule"), node("w3", unschedulable=True)]
    assert schedule(nodes) == Scheduling("w1", "w2")


def test_a_cluster_that_takes_no_pods_is_named() -> None:
    with pytest.raises(EnvironmentFailure, match="none of the 1 nodes takes pods"):
        schedule([node("control", "NoExecute")])


def test_a_cluster_that_is_not_kind_needs_a_yes() -> None:
    with pytest.raises(UsageError, match=r"'prod' is no kind cluster.*say --yes"):
        check(Target("image"), "prod")
    check(Target("image", any_context=True), "prod")
    check(Target("image"), "kind-bench")


@pytest.mark.parametrize("prefix", ["", "Upper", "-a", "a-", "a" * 31, "kube_x"])
def test_a_prefix_that_kubernetes_would_not_take_is_refused(prefix: str) -> None:
    with pytest.raises(UsageError, match=re.escape(f"--namespace-prefix {prefix!r}")):
        check(Target("image", prefix=prefix), "kind-bench")


def test_an_owner_lives_while_its_process_does() -> None:
    assert ownership.lives(ownership.owner(os.getpid()))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        written = ownership.owner(process.pid)
        assert ownership.lives(written)
        process.communicate(b"\n")
    assert ownership.lives(written) is False


def test_another_process_with_the_pid_is_not_the_owner() -> None:
    assert ownership.lives(ownership.owner(os.getpid()) + "0") is False


@pytest.mark.parametrize("written", ["", "another-boot/1/2", "nonsense"])
def test_an_owner_elsewhere_can_not_be_judged(written: str) -> None:
    assert ownership.lives(written) is None
