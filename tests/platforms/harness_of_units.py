"""A harness to be ended in every way: `python -m tests.platforms.harness_of_units FOLDER HOW`, HOW being one of WAYS.

FOLDER's name is in the command line of every process that is started, so that they can be found.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from tests.platforms.units import plan, unit

WAYS = ("normal end", "exception", "exit within", "signal")


def interrupted(_signal: int, _frame: FrameType | None) -> None:
    """As the command line does it."""
    raise KeyboardInterrupt


def end(how: str) -> None:
    match how:
        case "exception":
            raise RuntimeError(how)
        case "exit within":
            os._exit(1)
        case "signal":
            while True:  # not signal.pause: it misses a signal that comes just before it
                time.sleep(0.02)


def main(folder: Path, how: str) -> None:
    signal.signal(signal.SIGTERM, interrupted)
    units = (
        unit("a", "--marker", folder.name),
        unit("b", "--marker", folder.name, "--ignore-term", stop_grace_s=0.1),
        unit("c", "--marker", folder.name, "--daemon"),
    )
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(folder, [addresses.fileno()]) as supervised:
        platform = ProcessPlatform(supervised, addresses, placement, folder / "authority")
        with platform.launch(plan(*units), folder / "trial"):
            print("running", flush=True)
            end(how)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
