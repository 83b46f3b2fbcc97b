"""Units that are paused, killed and started again: by whom, for how long, and what is counted of them."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.platform import Usage
from harness.platforms.addresses import AddressBlock
from harness.platforms.disturbed import added, established
from harness.platforms.placement import place
from harness.platforms.process import ProcessDeployment, ProcessPlatform
from harness.platforms.supervised import Supervised
from tests.platforms.units import PORT, ask, plan, unit

NS = 1_000_000_000
TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100077F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100077F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0100007F:C350 0100077F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 0100077F:1F90 0100007F:C351 06 00000000:00000000 00:00000000 00000000     0        0 0 1
   4: 0100077F:1F91 0100007F:C352 01 00000000:00000000 00:00000000 00000000     0        0 4 1
"""


def test_only_open_connections_to_its_own_ports_are_counted() -> None:
    assert established(TABLE, "127.7.0.1", (8080,)) == 1
    assert established(TABLE, "127.7.0.1", (8080, 8081)) == 2
    assert established(TABLE, "127.7.0.2", (8080,)) == 0


def test_counters_of_one_life_after_the_other_add_up_and_sizes_do_not() -> None:
    now, before = Usage(9, 1, 2, 30, 40, 50, 6, 7), Usage(5, 10, 20, 300, 400, 500, 60, 70)
    assert added(now, before, 11) == Usage(9, 11, 22, 30, 40, 50, 66, 77)
    assert added(replace(now, at_ns=0), before, 11).at_ns == 11


@contextmanager
def launched(folder: Path, *flags: str) -> Iterator[tuple[ProcessDeployment, Supervised]]:
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(folder / "units", [addresses.fileno()]) as supervised:
        platform = ProcessPlatform(supervised, addresses, placement, folder / "authority")
        with platform.launch(plan(unit("a", *flags), unit("b")), folder / "run") as deployment:
            yield deployment, supervised


def await_stop(deployment: ProcessDeployment) -> None:
    """A stopped process is seen as stopped once it has been given a CPU to stop on."""
    give_up = time.monotonic() + 10
    while not deployment.disturb.stopped("a"):
        assert time.monotonic() < give_up


@pytest.mark.system
def test_a_paused_unit_goes_on_by_itself(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, supervised):
        paused_ns = deployment.disturb.pause("a", 0.2)
        resumed_ns = supervised.resumed("a", 5.0)
        assert 0.2 * NS <= resumed_ns - paused_ns < 5 * NS
        assert deployment.disturb.resume("a") == resumed_ns
        assert ask(deployment, "a", "/cpus")


@pytest.mark.system
def test_a_paused_unit_stands_still_until_the_pause_is_ended(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, _):
        paused_ns = deployment.disturb.pause("a", 600.0)
        await_stop(deployment)
        assert not deployment.disturb.stopped("b")
        assert deployment.disturb.resume("a") - paused_ns < 60 * NS
        assert ask(deployment, "a", "/cpus")


@pytest.mark.system
def test_closing_a_deployment_lets_a_paused_unit_end_in_order(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, supervised):
        deployment.disturb.pause("a", 600.0)
        deployment.close()
        assert supervised.exits["a"] == -signal.SIGTERM


@pytest.mark.system
def test_a_killed_unit_comes_back_as_it_was_and_its_end_is_no_failure(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, supervised):
        before = deployment.units["a"].pid
        asked_ns = time.monotonic_ns()
        killed_ns = deployment.disturb.kill("a", 0.2)
        assert supervised.exits["a"] == -signal.SIGKILL
        deployment.check()
        started_ns, ready_ns = deployment.disturb.restart("a")
        assert killed_ns >= asked_ns
        assert started_ns - asked_ns >= 0.2 * NS
        assert killed_ns < started_ns < ready_ns
        assert deployment.units["a"].pid != before
        assert ask(deployment, "a", "/cpus") == list(deployment.placement.system)


@pytest.mark.system
def test_a_unit_that_dies_by_itself_after_it_came_back_is_a_failure(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, supervised):
        deployment.disturb.kill("a", 0.0)
        deployment.disturb.restart("a")
        os.kill(deployment.units["a"].pid, signal.SIGKILL)
        supervised.await_exit("a", 10.0)
        with pytest.raises(EnvironmentFailure, match="unit 'a' ended by signal 9"):
            deployment.check()


@pytest.mark.system
def test_what_a_unit_has_used_outlives_it(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, _):
        ask(deployment, "a", "/burn")
        before = deployment.usage("a", memory=False).cpu_ns
        deployment.disturb.kill("a", 0.1)
        away = deployment.usage("a")
        assert away.cpu_ns >= before
        assert away.pss_bytes == 0
        deployment.disturb.restart("a")
        again = deployment.usage("a")
        assert again.cpu_ns > away.cpu_ns
        assert again.pss_bytes > 0


@pytest.mark.system
def test_a_killed_unit_is_not_started_once_its_deployment_closes(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, supervised):
        deployment.disturb.kill("a", 0.3)
        deployment.close()
        pid = supervised.start(
            "late", (sys.executable, "-c", "import time; time.sleep(0.6)"), {}, tmp_path, tmp_path / "log", [0]
        )
        supervised.await_exit("late", 10.0)
        assert supervised.pids["a"] != pid
        assert "a" in supervised.exits


@pytest.mark.system
def test_connections_are_counted_and_gone_with_the_unit(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, _):
        connection = HTTPConnection(deployment.address("b"), PORT, timeout=10)
        connection.connect()
        give_up = time.monotonic() + 10
        while deployment.disturb.connections("b") != 1:
            assert time.monotonic() < give_up
        deployment.disturb.kill("b", 0.0)
        assert deployment.disturb.connections("b") == 0
        deployment.disturb.restart("b")
        connection.close()


@pytest.mark.system
def test_pausing_a_dead_unit_says_so(tmp_path: Path) -> None:
    with launched(tmp_path) as (deployment, supervised):
        os.kill(deployment.units["a"].pid, signal.SIGKILL)
        supervised.await_exit("a", 10.0)
        with pytest.raises(EnvironmentFailure, match="unit 'a' ended by signal 9"):
            deployment.disturb.pause("a", 1.0)


@pytest.mark.system
def test_the_supervisor_heals_when_the_harness_goes(tmp_path: Path) -> None:
    """What is paused goes on before it is ended: SIGTERM's handler of a stopped process would never run."""
    with launched(tmp_path) as (deployment, _):
        pid = deployment.units["a"].pid
        deployment.disturb.pause("a", 600.0)
        await_stop(deployment)
    assert not Path(f"/proc/{pid}").exists()
