"""How often verdicts are wrong, simulated: `python -m benchmarks.verdicts` (about ten minutes).

Prints a table; ends with 1 when a wrong verdict is more frequent than 5 %.
"""

import argparse
import sys
from collections.abc import Mapping

import numpy as np

from harness.analysis.coverage import NOISES, Noise
from harness.analysis.verdict_errors import Rates, drawn, rates, truths

ROUNDS = (10, 12)
ROWS = 1000
TRUTH_ROUNDS = 50_000
MOST = 0.05


def judged(
    noise: Noise, rounds: int, results: int, true: Mapping[tuple[str, str], float], seed: int
) -> tuple[Rates, Rates, Rates]:
    """Every figure on its budget, every figure at half of it, every figure at 5/4 of it."""

    def at(share: float) -> Rates:
        budgets = {key: value / share for key, value in true.items()}
        return rates(noise, rounds, results, ROWS, budgets, seed + rounds)

    return at(1.0), at(0.5), at(1.25)


def main() -> int:
    """The table on stdout; 0 or 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=4000, help="per noise and number of rounds (default 4000)")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(
        "12 checks (6 rules of 2 arms). On the budget: NO-GO and each check's GO are wrong; right: GO at half, NO-GO at 5/4 of it"
    )
    print(
        f"{'noise':10}{'rounds':>7}{'wrong NO-GO':>13}{'wrong GO (likeliest check)':>40}{'GO at 1/2':>11}{'NO-GO at 5/4':>14}"
    )
    worst = 0.0
    for place, noise in enumerate(NOISES):
        true = truths(drawn(noise, TRUTH_ROUNDS, ROWS, np.random.default_rng([arguments.seed, place])))
        for rounds in ROUNDS:
            on, inside, outside = judged(noise, rounds, arguments.results, true, arguments.seed)
            (rule, arm), passed = max(on.passed.items(), key=lambda item: item[1])
            wrong_go = passed / on.results
            worst = max(worst, wrong_go, on.share("NO-GO"))
            named = f"{wrong_go:.1%} ({rule} of {arm})"
            print(
                f"{noise.name:10}{rounds:7}{on.share('NO-GO'):13.1%}{named:>40}{inside.share('GO'):11.1%}"
                f"{outside.share('NO-GO'):14.1%}",
                flush=True,
            )
    print(f"{arguments.results} results each; the worst share of wrong verdicts is {worst:.1%}, allowed are {MOST:.0%}")
    return 1 if worst > MOST else 0


if __name__ == "__main__":
    sys.exit(main())
