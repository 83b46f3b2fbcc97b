"""The stage of a run: made whole, and gone afterwards."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path

import pytest

from harness import registry, stage
from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Arm, Mesh, PlatformFacts, Support, Traffic
from harness.model.plan import Plan
from harness.model.program import Program
from harness.model.topology import Topology
from harness.platforms import addresses
from harness.platforms.cluster import Target


class Ghost:
    """A mesh whose only program is nowhere."""

    name = "ghost"
    api = 1
    capabilities: Mapping[str, Support] = {}
    programs: tuple[Program, ...] = (Program("no-such-program", hint="buy one"),)

    def plan(self, topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:
        raise AssertionError("nobody should ask")


GHOST: Mesh = Ghost()


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where folders of runs are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = os.sched_getaffinity(0)
    yield tmp_path
    os.sched_setaffinity(0, before)


@pytest.mark.system
def test_the_harness_moves_to_the_loads_cpus_and_back(temporary: Path) -> None:
    before = os.sched_getaffinity(0)
    with stage.stage([registry.arm("baseline")]) as (bench, facts):
        assert os.sched_getaffinity(0) == set(bench.placement.load)
        assert set(facts.placement.system) | set(facts.placement.load) == before
        assert (facts.instrument, facts.platform) == (version("hoptax"), "process")
        assert list(facts.programs) == ["baseline"]

    assert os.sched_getaffinity(0) == before


@pytest.mark.system
@pytest.mark.parametrize("trouble", [None, RuntimeError, KeyboardInterrupt])
def test_the_runs_folder_is_private_and_goes(temporary: Path, trouble: type[BaseException] | None) -> None:
    def run() -> None:
        with stage.stage([]) as (bench, _):
            assert bench.workspace.parent == temporary
            assert bench.workspace.stat().st_mode & 0o777 == 0o700
            if trouble:
                raise trouble

    if trouble:
        with pytest.raises(trouble):
            run()
    else:
        run()
    assert list(temporary.iterdir()) == []


def test_without_addresses_no_folder_is_made(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "BLOCKS", 0)
    with pytest.raises(EnvironmentFailure, match="address blocks"), stage.stage([]):
        pytest.fail("no stage")

    assert list(temporary.iterdir()) == []


def test_a_missing_program_is_found_before_anything_is_made(temporary: Path) -> None:
    ghost = Arm(GHOST, frozenset())
    with pytest.raises(EnvironmentFailure, match="'no-such-program' is missing: buy one"):
        stage.check_programs([ghost])
    with pytest.raises(EnvironmentFailure, match="'no-such-program' is missing: buy one"), stage.stage([ghost]):
        pytest.fail("no stage")

    assert list(temporary.iterdir()) == []


def test_a_program_that_a_cluster_has_as_an_image_is_not_needed_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ghost, "programs", (Program("no-such-program", image="vendor/image:1"),))
    with pytest.raises(EnvironmentFailure, match="no-such-program"):
        stage.check_programs([Arm(GHOST, frozenset())])
    stage.check_programs([Arm(GHOST, frozenset())], Target(image="ours:1"))
