"""However the harness ends, no process of its run and no folder is left. No parent-death signal takes part in this."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.platforms.harness_of_units import WAYS

pytestmark = pytest.mark.system

HARNESS_SUPERVISOR_UNITS_DAEMON = 6
GONE_WITHIN_S = 20


def marked(marker: str) -> Iterator[int]:
    """Processes that have the marker in their command line."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if marker.encode() in (entry / "cmdline").read_bytes():
                    yield int(entry.name)


def await_ends(pids: list[int]) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            watched = os.pidfd_open(pid)
            try:
                assert select.select([watched], [], [], GONE_WITHIN_S)[0], f"process {pid} of the run is left"
            finally:
                os.close(watched)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / f"run-of-{os.getpid()}-{tmp_path.name}"
    yield folder
    for pid in marked(folder.name):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("how", "sent"),
    [(how, None) for how in WAYS if how != "signal"]
    + [("signal", number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)],
)
def test_nothing_survives(folder: Path, how: str, sent: signal.Signals | None) -> None:
    if sent not in {None, signal.SIGKILL} and signal.getsignal(sent) is signal.SIG_IGN:
        pytest.skip(
            f"whoever started the tests ignores {sent.name}, and so do its children: nohup, or a shell's background"
        )
    words = [sys.executable, "-m", "tests.platforms.harness_of_units", str(folder), how]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as harness:
        assert harness.stdout is not None
        assert harness.stdout.readline() == "running\n"
        if sent is not None:
            pids = list(marked(folder.name))
            assert len(pids) == HARNESS_SUPERVISOR_UNITS_DAEMON
            assert folder.is_dir()
            harness.send_signal(sent)
            await_ends(pids)
    await_ends(list(marked(folder.name)))

    assert list(marked(folder.name)) == []
    assert not folder.exists()
