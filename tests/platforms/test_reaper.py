"""The end of a run in a cluster: all removed, or by who outlives it, and said."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.model.errors import EnvironmentFailure
from harness.platforms.kubectl import Kubectl
from harness.platforms.reaper import AGAIN_AFTER_S, TRIES_WITHIN_S, Reaped, insist
from tests.platforms.fake_kubectl import FakeKubectl

GONE = {"--context=c delete": {"stderr": "Unable to connect to the server: EOF", "code": 1}}
REAPER = (sys.executable, "-m", "harness.platforms.reaper", "c", "", "run=r")


@pytest.fixture(autouse=True)
def path() -> Iterator[None]:
    before = os.environ["PATH"]
    yield
    os.environ["PATH"] = before


class Clock:
    """Time that goes on by sleeping only."""

    now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_run_that_ends_removes_what_it_made(tmp_path: Path) -> None:
    kubectl = FakeKubectl.install(tmp_path, {})
    with Reaped(Kubectl("c"), "run=r"):
        assert kubectl.lines() == []
    assert [line.split()[2] for line in kubectl.lines()] == [
        "mutatingwebhookconfigurations,validatingwebhookconfigurations",
        "rolebindings,roles",
        "namespaces",
        "clusterroles,clusterrolebindings,customresourcedefinitions",
    ]


def test_the_first_trouble_is_said_before_that_nothing_can_be_removed(tmp_path: Path) -> None:
    FakeKubectl.install(tmp_path, GONE)
    said = r"^pod a-0 has vanished; what the run made .* \(.*EOF\): a process .* 10 minutes more, after that `hoptax clean`"
    with pytest.raises(EnvironmentFailure, match=said) as found, Reaped(Kubectl("c"), "run=r") as reaped:
        raise EnvironmentFailure("pod a-0 has vanished")
    assert isinstance(found.value.__cause__, EnvironmentFailure)
    reaper = reaped._process
    reaper.returncode = None
    reaper.kill()
    reaper.wait()


def test_a_reaper_removes_when_its_pipe_closes_and_not_when_told_so(tmp_path: Path) -> None:
    kubectl = FakeKubectl.install(tmp_path, {})
    subprocess.run(REAPER, input=b"removed\n", check=True)
    assert kubectl.lines() == []
    subprocess.run(REAPER, input=b"", check=True)
    assert len(kubectl.lines()) == 4


def test_a_cluster_that_comes_back_is_cleared() -> None:
    clock, answers = Clock(), iter([EnvironmentFailure("gone"), EnvironmentFailure("gone"), None])

    def work() -> None:
        if trouble := next(answers):
            raise trouble

    assert insist(work, clock, clock.sleep)
    assert clock.now == 2 * AGAIN_AFTER_S


def test_one_that_does_not_is_given_up_in_the_end() -> None:
    clock, tried = Clock(), []

    def work() -> None:
        tried.append(clock.now)
        raise EnvironmentFailure("gone")

    assert not insist(work, clock, clock.sleep)
    assert TRIES_WITHIN_S < tried[-1] <= TRIES_WITHIN_S + AGAIN_AFTER_S
