"""The order of trials: every round holds every arm once, and over the rounds each arm comes first, second, … equally often.

Pure. The unit of repetition is the round, so nothing here mixes trials of two rounds.
"""

import random
from dataclasses import dataclass

_FILE_SAFE = str.maketrans({"[": ".", ",": ".", "#": ".", "@": ".", "]": None})


@dataclass(frozen=True, slots=True)
class Trial:
    """One arm under one load on one topology, in one round; `order` is its place in the round, from 0.

    `take` is 1 for the planned one and counts on when its window has to be measured again (harness.retakes).
    """

    round: int
    order: int
    arm: str
    topology: str
    load: str
    seed: int
    take: int = 1

    @property
    def id(self) -> str:
        """File-safe, sortable and unlike any other: `r03_chain-4_default_builtin.mtls`, its second take `…_2`; no name in it holds a `_`."""
        arm = self.arm.translate(_FILE_SAFE)
        take = f"_{self.take}" if self.take > 1 else ""
        return f"r{self.round:02d}_{self.topology}_{self.load}_{arm}{take}"


def orders(arms: tuple[str, ...], rounds: int, seed: int) -> list[tuple[str, ...]]:
    """One permutation of the arms per round, balanced and reproducible.

    Rounds come in blocks of k = len(arms): the rows of a cyclic Latin square, in random sequence and with the arms named
    anew for each block. So every arm takes every place once per block, and neighbours change from block to block.
    """
    source = random.Random(f"orders {seed}")  # noqa: S311 - a reproducible design, not a secret
    found: list[tuple[str, ...]] = []
    while len(found) < rounds:
        named = source.sample(arms, len(arms))
        found.extend(tuple(named[shift:] + named[:shift]) for shift in source.sample(range(len(arms)), len(arms)))
    return found[:rounds]


def trials(
    arms: tuple[str, ...], topologies: tuple[str, ...], loads: tuple[str, ...], rounds: int, seed: int
) -> list[Trial]:
    """Every trial of an experiment, in the order in which they run; every arm of a round gets the same schedule seed."""
    planned: list[Trial] = []
    for number, order in enumerate(orders(arms, rounds, seed), start=1):
        for topology in topologies:
            for load in loads:
                schedule_seed = random.Random(f"schedule {seed} {number} {topology} {load}").getrandbits(31)  # noqa: S311
                planned.extend(
                    Trial(number, place, arm, topology, load, schedule_seed) for place, arm in enumerate(order)
                )
    return planned
