"""How often a comparison cries wolf, and how often it finds a change, from rounds that were recorded. Pure.

A recording has many rounds of two or more arms. An experiment of n rounds is drawn from it as n *different* rounds, with
the arms as they were measured. If rounds are alike and independent, each draw is an experiment as it could have happened, so the share
of draws with an alarm is an unbiased estimate of the alarm rate (a U-statistic: W. Hoeffding, Ann. Math. Statist. 19, 1948). Two
other ways are not used: drawing with replacement repeats rounds, which makes every chance offset of the recording look
certain; swapping the two labels within rounds makes the null hypothesis true by force, and would hide a bias between arms.
Rounds next to each other may be alike, so `stretches` gives the same share over runs of n consecutive rounds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from harness.analysis.intervals import Floats, hodges_lehmann, holm, signed_rank_p

LEVEL = 0.05

Table = Mapping[str, Floats]
"""Per metric an array of shape (rounds, arms), e.g. p50 and p90 of the response time and CPU per request."""


@dataclass(frozen=True, slots=True)
class Share:
    """How many of the drawn experiments raised an alarm."""

    alarms: int
    draws: int

    @property
    def value(self) -> float:
        """From 0 to 1."""
        return self.alarms / self.draws


def alarms(differences: Mapping[str, Floats], level: float = LEVEL) -> dict[str, float]:
    """The metrics that raise an alarm, with the Hodges–Lehmann estimate of their change.

    A metric does when its exact signed-rank p, corrected by Holm for the metrics compared, is at most `level`: the chance of any
    wrong alarm in a comparison is then at most `level`.
    """
    corrected = holm({metric: signed_rank_p(values) for metric, values in differences.items()})
    return {metric: hodges_lehmann(differences[metric]).estimate for metric, p in corrected.items() if p <= level}


def wrong_alarms(table: Table, rounds: int, draws: int, random: np.random.Generator) -> Share:
    """The share of A/A experiments with an alarm; every arm of `table` is the same thing.

    Each draw compares one pair of the arms, all pairs in turn, over `rounds` different rounds.
    """
    pairs = list(combinations(range(_arms(table)), 2))
    chosen = ((subset, pairs[n % len(pairs)]) for n, subset in enumerate(_subsets(table, rounds, draws, random)))
    return _share(bool(alarms(_differences(table, subset, pair))) for subset, pair in chosen)


def stretches(table: Table, rounds: int) -> Share:
    """The share of alarms over every pair of arms and every run of consecutive rounds: also what is alike in neighbours counts."""
    total = _rounds(table)
    runs = [np.arange(first, first + rounds) for first in range(total - rounds + 1)]
    pairs = combinations(range(_arms(table)), 2)
    return _share(bool(alarms(_differences(table, run, pair))) for pair in pairs for run in runs)


def found(table: Table, metric: str, rounds: int, draws: int, random: np.random.Generator) -> Share:
    """The share of experiments that find what arm 1 adds to arm 0: an alarm of `metric`, upwards."""
    return _share(
        alarms(_differences(table, subset, (0, 1))).get(metric, 0.0) > 0
        for subset in _subsets(table, rounds, draws, random)
    )


def _subsets(table: Table, rounds: int, draws: int, random: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    total = _rounds(table)
    if rounds > total:
        raise ValueError(f"{rounds} different rounds can't be drawn from {total}: record more")
    for _ in range(draws):
        yield random.permutation(total)[:rounds]


def _differences(table: Table, rounds: NDArray[np.int64], pair: tuple[int, int]) -> dict[str, Floats]:
    first, second = pair
    return {metric: values[rounds, second] - values[rounds, first] for metric, values in table.items()}


def _share(outcomes: Iterable[bool]) -> Share:
    seen = list(outcomes)
    return Share(sum(seen), len(seen))


def _rounds(table: Table) -> int:
    return len(next(iter(table.values())))


def _arms(table: Table) -> int:
    return int(next(iter(table.values())).shape[1])
