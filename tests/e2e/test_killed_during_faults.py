"""kill -9 of hoptax at random moments, most of them during faults: nothing of its run is left, and nothing stands still."""

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.run_of_faults import WINDOW_S

pytestmark = [pytest.mark.e2e, pytest.mark.system, pytest.mark.timeout(3600)]

TIMES = int(os.environ.get("HOPTAX_KILLS", "100"))
GONE_WITHIN_S = 20.0
LAUNCHED_WITHIN_S = 90.0
MARK = "HOPTAX_TEST_OF_KILLS"


def of_run(marker: str) -> Iterator[int]:
    """Processes with the marker in their command line (units have the run's folder there) or environment (the engine inherits ours)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                if marker.encode() in (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes():
                    yield int(entry.name)


def await_none(marker: str) -> None:
    give_up = time.monotonic() + GONE_WITHIN_S
    while left := list(of_run(marker)):
        assert time.monotonic() < give_up, f"processes of the killed run are left: {left}"
        with suppress(ProcessLookupError):
            watched = os.pidfd_open(left[0])
            select.select([watched], [], [], 0.1)
            os.close(watched)


def killed(folder: Path, marker: str, after_s: float) -> int:
    """How many lines the run had said when it was killed, `after_s` after the first one."""
    environment = os.environ | {"TMPDIR": str(folder), MARK: marker}
    words = [sys.executable, "-m", "tests.e2e.run_of_faults"]
    errors = folder.with_suffix(".err")
    with (
        errors.open("wb") as stderr,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=stderr, env=environment) as run,
    ):
        assert run.stdout is not None
        said = run.stdout.fileno()
        assert select.select([said], [], [], LAUNCHED_WITHIN_S)[0]
        first, give_up = os.read(said, 4096), time.monotonic() + after_s
        lines = first.count(b"\n")  # 0 if what was read is the line without its end
        assert first, f"the run ended before its first fault: {errors.read_text()[-2000:]}"
        while (left := give_up - time.monotonic()) > 0:
            if select.select([said], [], [], left)[0]:
                lines += os.read(said, 4096).count(b"\n")
        assert list(of_run(marker))
        run.send_signal(signal.SIGKILL)
    return lines


def test_nothing_is_left(tmp_path: Path) -> None:
    chance = random.Random(os.environ.get("HOPTAX_KILLS_SEED", "kills"))
    acting = 0
    for number in range(TIMES):
        marker = f"killed-{os.getpid()}-{number}"
        folder = tmp_path / marker
        folder.mkdir()
        lines = killed(folder, marker, chance.uniform(0.0, WINDOW_S))
        await_none(marker)
        assert list(folder.iterdir()) == [], f"files are left after kill {number + 1}"
        acting += lines >= 3 and lines % 3 in {0, 1}
    assert acting >= TIMES // 5, "too few kills fell into a fault for this to say anything"
    print(f"{TIMES} kills, {acting} of them while a fault acted: nothing was left")
