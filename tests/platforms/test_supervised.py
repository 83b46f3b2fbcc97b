"""The harness's end of the supervisor, with the real one at the other."""

import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.model.errors import EnvironmentFailure
from harness.platforms.addresses import AddressBlock
from harness.platforms.supervised import Supervised
from harness.platforms.supervisor import descendants

pytestmark = pytest.mark.system
PREFIX = f"test-{os.getpid()}"
"""Nothing binds these addresses, and blocks are claimed machine-wide: other test runs have names of their own."""
WAIT = "import signal; print('up', flush=True); signal.pause()"
IGNORE = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True)\nwhile True: signal.pause()"
)


@pytest.fixture
def supervised(tmp_path: Path) -> Iterator[Supervised]:
    with Supervised(tmp_path / "run") as supervised:
        yield supervised


@pytest.fixture
def log(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "log")
    return tmp_path / "log"


def start(supervised: Supervised, name: str, code: str, log: Path) -> int:
    """Start Python code on `cpus()` and wait until it has written a line to `log`, which is a FIFO."""
    reading = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
    try:
        pid = supervised.start(name, (sys.executable, "-c", code), {}, log.parent, log, cpus())
        assert select.select([reading], [], [], 10)[0]
    finally:
        os.close(reading)
    return pid


def cpus() -> list[int]:
    """One of ours, so that it shows whether a unit is placed."""
    return [max(os.sched_getaffinity(0))]


def test_stop_asks_first(supervised: Supervised, log: Path) -> None:
    pid = start(supervised, "a", WAIT, log)
    supervised.stop({"a": 5.0})

    assert supervised.exits == {"a": -signal.SIGTERM}
    assert not Path(f"/proc/{pid}").exists()


def test_stop_kills_what_does_not_listen_after_its_grace(supervised: Supervised, log: Path) -> None:
    start(supervised, "a", IGNORE, log)
    supervised.stop({"a": 0.01})

    assert supervised.exits == {"a": -signal.SIGKILL}


def test_stop_ends_a_frozen_unit(supervised: Supervised, log: Path) -> None:
    pid = start(supervised, "a", WAIT, log)
    supervised.signal("a", signal.SIGSTOP)
    while "State:\tT" not in Path(f"/proc/{pid}/status").read_text():
        os.sched_yield()
    supervised.stop({"a": 0.01})

    assert supervised.exits == {"a": -signal.SIGKILL}


def test_what_was_never_started_or_has_ended_is_stopped_at_once(supervised: Supervised, log: Path) -> None:
    start(supervised, "a", WAIT, log)
    supervised.stop({"a": 5.0, "never": 5.0})
    supervised.stop({"a": 5.0})


def test_a_name_may_be_used_again(supervised: Supervised, log: Path) -> None:
    first = start(supervised, "a", WAIT, log)
    supervised.stop({"a": 5.0})
    second = start(supervised, "a", WAIT, log)

    assert first != second
    assert supervised.exits == {}


@pytest.mark.parametrize(
    ("program", "cwd", "reason"),
    [("/no/such/program", ".", "No such file"), (sys.executable, "missing", "No such file"), ("/", ".", "denied")],
)
def test_what_the_kernel_refuses_is_told(
    supervised: Supervised, tmp_path: Path, program: str, cwd: str, reason: str
) -> None:
    with pytest.raises(EnvironmentFailure, match=f"unit 'a' can't be started: .*{reason}"):
        supervised.start("a", (program,), {}, tmp_path / cwd, tmp_path / "out", cpus())


def test_units_have_a_session_of_their_own_their_cpus_and_no_descriptor_of_ours(
    supervised: Supervised, log: Path
) -> None:
    pid = start(supervised, "a", WAIT, log)

    assert os.getsid(pid) == pid
    assert os.sched_getaffinity(pid) == set(cpus())
    assert os.sched_getaffinity(supervised._process.pid) == os.sched_getaffinity(0)
    assert {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()} == {0, 1, 2}


def test_what_a_terminal_sends_reaches_hoptax_alone(supervised: Supervised) -> None:
    assert os.getsid(supervised._process.pid) == supervised._process.pid


def test_units_start_with_signals_as_a_shell_would_leave_them(supervised: Supervised, log: Path) -> None:
    status = Path(f"/proc/{start(supervised, 'a', WAIT, log)}/status").read_text()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith(("SigBlk", "SigIgn")))
    ours = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD))

    assert int(masks["SigBlk"], 16) == 0
    assert int(masks["SigIgn"], 16) & ours == 0


def test_a_supervisor_that_is_gone_is_told(supervised: Supervised, log: Path) -> None:
    start(supervised, "a", WAIT, log)
    os.kill(supervised._process.pid, signal.SIGTERM)
    supervised._process.wait(10)
    with pytest.raises(EnvironmentFailure, match="the supervisor is gone, and every unit with it"):
        for _ in iter(supervised.poll, True):
            pass


@pytest.mark.parametrize("noticed", ["by a command", "at the end"])
def test_even_a_killed_supervisor_leaves_no_unit_no_child_and_no_folder(
    supervised: Supervised, log: Path, noticed: str
) -> None:
    supervised.folder.mkdir()
    forks = "import os, signal\nif os.fork(): print('up', flush=True)\nsignal.pause()"
    pid = start(supervised, "a", forks, log)
    family = [os.pidfd_open(each) for each in (pid, *descendants(pid))]
    os.kill(supervised._process.pid, signal.SIGKILL)
    supervised._process.wait(10)
    if noticed == "by a command":
        with pytest.raises(EnvironmentFailure, match="the supervisor is gone, and every unit with it"):
            supervised.stop({"a": 5.0})
    supervised.close()

    assert len(family) == 2
    for member in family:
        assert select.select([member], [], [], 10)[0]
        os.close(member)
    assert not supervised.folder.exists()


def test_an_exit_is_awaited_no_longer_than_asked(supervised: Supervised, log: Path) -> None:
    pid = start(supervised, "a", WAIT, log)
    supervised.await_exit("a", 0.01)
    assert supervised.exits == {}
    os.kill(pid, signal.SIGKILL)
    supervised.await_exit("a", 10.0)
    assert supervised.exits == {"a": -signal.SIGKILL}


def test_two_threads_may_wait_for_the_same_exit(supervised: Supervised, log: Path) -> None:
    pid = start(supervised, "a", WAIT, log)
    threads = [threading.Thread(target=supervised.await_exit, args=("a", 30.0)) for _ in range(2)]
    for thread in threads:
        thread.start()
    os.kill(pid, signal.SIGKILL)
    for thread in threads:
        thread.join(10.0)

    assert not any(thread.is_alive() for thread in threads)


def test_the_addresses_of_a_killed_run_are_nobodys_while_its_units_still_end(tmp_path: Path, log: Path) -> None:
    with AddressBlock(PREFIX) as block, Supervised(tmp_path / "run", [block.fileno()]) as supervised:
        ours = block.assign(["a"])
        pid = start(supervised, "a", WAIT, log)
        assert {int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir()} == {0, 1, 2}
        block.__exit__(None, None, None)  # as the kernel does it when the harness is killed
        with AddressBlock(PREFIX) as other:
            assert other.assign(["a"]) != ours
    with AddressBlock(PREFIX) as other:
        assert other.assign(["a"]) == ours


def test_the_folder_goes_with_the_supervisor(tmp_path: Path) -> None:
    (tmp_path / "run" / "keys").mkdir(parents=True)
    with Supervised(tmp_path / "run"):
        assert (tmp_path / "run").exists()
    assert not (tmp_path / "run").exists()
