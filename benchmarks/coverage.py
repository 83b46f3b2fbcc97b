"""Simulated coverage of every interval that a summary gives: `python -m benchmarks.coverage` (about five minutes).

Prints a table; ends with 1 when the coverage of an interval that is used lies outside 93–98 %.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np

from harness.analysis.coverage import NOISES, Coverage, coverages, windows

ROUNDS = (8, 12)
ROWS = 1000
TRUTH_ROUNDS = 50_000
LEAST, MOST = 0.93, 0.98
COMPARED = "Student's t"
"""Figures of this name are shown for comparison; no result uses them."""


def measured(experiments: int, seed: int) -> Iterator[tuple[str, int, Coverage]]:
    """Noise, rounds, and the coverage of one kind of interval."""
    for place, noise in enumerate(NOISES):
        truth = windows(noise, TRUTH_ROUNDS, ROWS, np.random.default_rng([seed, place]))
        for rounds in ROUNDS:
            found = coverages(noise, rounds, experiments, ROWS, truth, seed + rounds)
            yield from ((noise.name, rounds, coverage) for coverage in found)


def outside(coverage: Coverage) -> bool:
    """Whether an interval that results use misses the bar."""
    return COMPARED not in coverage.figure.name and not LEAST <= coverage.share <= MOST


def line(noise: str, rounds: int, coverage: Coverage) -> str:
    """One row of the table; the width is the median interval's, as a share of the truth."""
    figure, width = coverage.figure, coverage.median_width / abs(coverage.truth)
    mark = "  OUTSIDE" if outside(coverage) else ""
    return f"{noise:10}{rounds:7}  {figure.metric:5}{figure.name:27}{coverage.share:9.1%}{width:9.1%}{mark}"


def main() -> int:
    """The table on stdout; 0 or 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--experiments", type=int, default=10_000, help="per noise and number of rounds (default 10000)"
    )
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{'noise':10}{'rounds':>7}  {'of':5}{'interval':27}{'coverage':>9}{'width':>9}")
    missed = 0
    for noise, rounds, coverage in measured(arguments.experiments, arguments.seed):
        print(line(noise, rounds, coverage), flush=True)
        missed += outside(coverage)
    print(f"{arguments.experiments} experiments each; {missed} outside {LEAST:.0%} to {MOST:.0%}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
