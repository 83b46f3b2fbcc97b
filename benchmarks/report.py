"""`python -m benchmarks.report [FOLDER]`: report and comparison of results with a million rows; the bar is 20 s and 1 GiB for a report.

The results are made up (fixtures/recorded.py), in two shapes: many windows of a usual length, and few long ones, since a percentile
is taken over all rows of a window at once. Each command runs in a process of its own; time and peak memory are the kernel's (wait4).
Writes report.json to FOLDER (default results) and ends with 1 if a bar is missed.
"""

import json
import os
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from fixtures.recorded import recorded

ROWS = 1_000_000
BAR_S = 20.0
BAR_BYTES = 1 << 30
ARMS = 3
WARMUP_S = 2.0
HOPTAX = "from harness.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a million rows are spread: rounds of three arms, and windows of that length."""

    name: str
    rounds: int
    window_s: float

    @property
    def rate_rps(self) -> float:
        """That gives a little more than ROWS."""
        return 1.003 * ROWS / (ARMS * self.rounds * (self.window_s + WARMUP_S))


@dataclass(frozen=True, slots=True)
class Seen:
    """One command: how long it took and the most memory that it held."""

    shape: str
    command: str
    rows: int
    seconds: float
    peak_bytes: int


SHAPES = (Shape("24 windows of 5 s", 8, 5.0), Shape("6 windows of 120 s", 2, 120.0))


def make(shape: Shape, folder: Path, seed: int) -> tuple[Path, int]:
    """Write such a result; where it is, and how many rows it has, warm-up included. Two of different seeds may be compared."""
    first = recorded(rounds=shape.rounds, rate_rps=shape.rate_rps, window_s=shape.window_s, seed=seed)
    manifest = first.manifest | {"loads": {"steady": first.manifest["loads"]["steady"] | {"seed": 1}}}
    path = replace(first, manifest=manifest).write(folder / f"{shape.rounds}-{seed}")
    return path, sum(len(rows) for rows in first.windows.values())


def made(shape: Shape, folder: Path, seed: int) -> tuple[Path, int]:
    """`make` in a process of its own: a child is charged with the memory that its parent had."""
    with get_context("spawn").Pool(1) as worker:
        return worker.apply(make, (shape, folder, seed))


def measured(shape: Shape, rows: int, words: list[str]) -> Seen:
    """Run hoptax with these words; RuntimeError if it fails (comparing short experiments is merely without intervals)."""
    started = time.monotonic()
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    pid = os.posix_spawn(sys.executable, [sys.executable, "-c", HOPTAX, *words], os.environ, file_actions=silent)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"hoptax {' '.join(words[:1])} ended with {os.waitstatus_to_exitcode(status)}")
    return Seen(shape.name, words[0], rows, time.monotonic() - started, usage.ru_maxrss * 1024)


def main(folder: Path) -> int:
    """Make, measure, print, write; 1 if a report missed a bar."""
    seen = []
    with tempfile.TemporaryDirectory() as scratch:
        for shape in SHAPES:
            (one, rows), (two, _) = (made(shape, Path(scratch), seed) for seed in (1, 2))
            for words in (["report", str(one)], ["compare", str(one), str(two)]):
                seen.append(measured(shape, rows, words))
                print(
                    f"{seen[-1].command:8} {rows:,} rows in {shape.name}: {seen[-1].seconds:.1f} s, {seen[-1].peak_bytes / 2**20:.0f} MiB"
                )
    folder.mkdir(exist_ok=True)
    (folder / "report.json").write_text(json.dumps([asdict(each) for each in seen], indent=1) + "\n")
    slow = [e for e in seen if e.command == "report" and (e.seconds > BAR_S or e.peak_bytes > BAR_BYTES)]
    print(f"bar {BAR_S:g} s and {BAR_BYTES >> 20} MiB: {'missed' if slow else 'met'}")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("results")))
