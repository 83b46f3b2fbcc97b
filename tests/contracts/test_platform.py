"""The contract of a platform. A new platform is added by one line in PLATFORMS."""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.client import HTTPException
from pathlib import Path

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.plan import File, Ready, Unit
from harness.model.platform import Platform
from harness.model.program import Program
from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from tests.platforms.units import BY_TCP, PORT, ask, plan, unit

pytestmark = pytest.mark.system


@contextmanager
def processes(folder: Path) -> Iterator[Platform]:
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(folder / "units", [addresses.fileno()]) as supervised:
        yield ProcessPlatform(supervised, addresses, placement, folder / "authority")


PLATFORMS: Mapping[str, Callable[[Path], AbstractContextManager[Platform]]] = {"process": processes}


@pytest.fixture(scope="module", params=sorted(PLATFORMS))
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """One for all tests here, as one serves all trials of a run: what a test leaves behind is the next one's trouble."""
    with PLATFORMS[request.param](tmp_path_factory.mktemp("platform")) as platform:
        yield platform


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return tmp_path / "run"


def test_a_unit_starts_when_those_before_it_are_ready(platform: Platform, workspace: Path) -> None:
    needs = ("--needs", f"${{address.a}}:{PORT}")
    units = (unit("c", *needs, after=("b",)), unit("b", *needs, after=("a",), ready=BY_TCP), unit("a"))
    with platform.launch(plan(*units), workspace) as deployment:
        assert list(deployment.units) == ["a", "b", "c"]


def test_ready_is_an_answer_of_200_and_nothing_less(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("a", "--refusals", "3")), workspace) as deployment:
        deployment.check()


@pytest.mark.parametrize(
    "late",
    [unit("late", "--refusals", "1000000", ready=Ready(PORT, "/ready", 0.3)), unit("late", ready=Ready(9, "", 0.3))],
)
def test_a_unit_that_is_not_ready_in_time_is_named(platform: Platform, workspace: Path, late: Unit) -> None:
    with pytest.raises(EnvironmentFailure, match=r"unit 'late' isn't ready after 0\.3 s"):
        launch(platform, late, workspace)


def launch(platform: Platform, bad: Unit, workspace: Path) -> None:
    with platform.launch(plan(bad), workspace):
        pytest.fail("launched")


def test_units_that_wait_for_each_other_are_refused(platform: Platform, workspace: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="wait for each other: a; check `after`"):
        launch(platform, unit("a", after=("a",)), workspace)


def test_load_enters_at_the_plans_entry(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("b"), unit("a")), workspace) as deployment:
        assert deployment.entry_url() == f"http://{deployment.address('b')}:{PORT}"
        assert deployment.address("b") != deployment.address("a")


def test_counters_grow_with_what_a_unit_does(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("a"), unit("b")), workspace) as deployment:
        busy_ns, all_ns = deployment.machine_cpu_ns()
        before = {name: deployment.usage(name) for name in deployment.units}
        ask(deployment, "a", "/burn")
        after = {name: deployment.usage(name) for name in deployment.units}
        later_busy_ns, later_all_ns = deployment.machine_cpu_ns()

    assert after["a"].cpu_ns - before["a"].cpu_ns >= 50_000_000
    assert after["b"].cpu_ns - before["b"].cpu_ns < 50_000_000
    assert after["a"].at_ns > before["a"].at_ns
    assert after["a"].run_delay_ns >= before["a"].run_delay_ns
    assert after["a"].rss_bytes >= after["a"].pss_bytes >= after["a"].uss_bytes > 2**20
    assert later_busy_ns - busy_ns <= later_all_ns - all_ns
    assert all_ns > busy_ns > 0


def test_sizes_are_left_out_if_nobody_wants_them(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("a")), workspace) as deployment:
        usage = deployment.usage("a", memory=False)

    assert (usage.rss_bytes, usage.pss_bytes, usage.uss_bytes) == (0, 0, 0)
    assert usage.cpu_ns > 0


def test_units_run_on_the_systems_cpus(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("a")), workspace) as deployment:
        assert ask(deployment, "a", "/cpus") == sorted(deployment.placement.system)


def test_a_unit_that_dies_is_told_with_its_last_words(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("a")), workspace) as deployment:
        first = deployment.units["a"].pid
        with pytest.raises((OSError, HTTPException)):
            ask(deployment, "a", "/die")
        with pytest.raises(
            EnvironmentFailure, match=r"unit 'a' ended with status 3; its last lines:\n  the last words"
        ):
            for _ in iter(deployment.check, True):
                pass
    with platform.launch(plan(unit("a")), workspace.with_name("again")) as deployment:
        assert deployment.units["a"].pid != first  # of the dead one nothing is remembered
        assert deployment.usage("a").cpu_ns > 0


@pytest.mark.parametrize("memory", [False, True])
def test_what_a_dead_unit_used_is_no_number(platform: Platform, workspace: Path, memory: bool) -> None:
    with platform.launch(plan(unit("a")), workspace) as deployment:
        with pytest.raises((OSError, HTTPException)):
            ask(deployment, "a", "/die")
        with pytest.raises(
            EnvironmentFailure, match=r"unit 'a' ended with status 3; its last lines:\n  the last words"
        ):
            for _ in iter(lambda: deployment.usage("a", memory=memory), None):
                pass


def test_a_unit_that_dies_before_it_is_ready_ends_the_launch(platform: Platform, workspace: Path) -> None:
    with pytest.raises(EnvironmentFailure, match=r"unit 'a' ended with status 1; its last lines:(.|\n)*refused"):
        launch(platform, unit("a", "--needs", "${address.a}:9"), workspace)


def test_a_port_that_is_taken_is_found_before_anything_starts(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("a")), workspace) as first:
        where = first.address("a")
        with pytest.raises(EnvironmentFailure, match=f"port {PORT} on {where}, which unit 'a' needs, is taken"):
            launch(platform, unit("a"), workspace.with_name("second"))
        first.check()


def test_a_missing_program_is_told_with_its_hint(platform: Platform, workspace: Path) -> None:
    missing = Program("no-such-mesh", hint="pip install no-such-mesh")
    with pytest.raises(EnvironmentFailure, match="'no-such-mesh' is missing: pip install no-such-mesh"):
        launch(platform, unit("a", program=missing), workspace)


@pytest.mark.parametrize("reference", ["${address.nobody}", "${identity.nobody}", "${authority}", "${colour.red}"])
def test_a_reference_to_nothing_is_refused(platform: Platform, workspace: Path, reference: str) -> None:
    with pytest.raises(EnvironmentFailure) as failure:
        launch(platform, unit("a", "--marker", reference), workspace)

    assert f"unit 'a' asks for {reference}, which this plan doesn't have" in str(failure.value)


SECRET = (File("token", "${secret.t}", private=True), File("copy", "${secret.t} ${address.a}"))


def test_a_secret_is_fresh_in_every_launch_and_the_same_within_one(platform: Platform, workspace: Path) -> None:
    seen = []
    for number in range(2):
        with platform.launch(plan(unit("a", files=SECRET)), workspace / str(number)) as deployment:
            files = ask(deployment, "a", "/files")
            assert files["copy"][0] == f"{files['token'][0]} {deployment.address('a')}"
            assert files["token"][1] == 0o600
            seen.append(files["token"][0])

    assert len(set(seen)) == 2
    assert min(map(len, seen)) >= 24


def test_what_is_shown_of_a_plan_has_addresses_and_no_secret(platform: Platform, workspace: Path) -> None:
    with platform.launch(plan(unit("a", files=SECRET)), workspace) as deployment:
        shown = platform.rendered(deployment.plan)
        where = deployment.address("a")

    assert [(file["unit"], file["file"], file["content"]) for file in shown] == [
        ("a", "token", "${secret.t}"),
        ("a", "copy", f"${{secret.t}} {where}"),
    ]


def test_units_see_nothing_of_the_users_environment(
    platform: Platform, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "sings")
    with platform.launch(plan(unit("a")), workspace) as deployment:
        assert not {"CANARY", "HOME", "USER"} & set(ask(deployment, "a", "/environment"))


def test_closing_ends_every_process_of_a_unit_and_may_be_repeated(platform: Platform, workspace: Path) -> None:
    units = (unit("a", "--daemon"), unit("b", "--ignore-term", stop_grace_s=0.1))
    with platform.launch(plan(*units), workspace) as deployment:
        deployment.close()
        deployment.close()
        deployment.check()
        assert deployment.units == {}
        for name in ("a", "b"):
            with socket.socket() as attempt:
                attempt.settimeout(5)
                assert attempt.connect_ex((deployment.address(name), PORT)) != 0
    with platform.launch(plan(*units), workspace.with_name("again")) as deployment:
        deployment.check()
