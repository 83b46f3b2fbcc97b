"""Which rounds count: a round pairs the arms, so one invalid or missing trial voids it for all of them. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.intervals import MIN_ROUNDS
from harness.model.run import Run, Validity

_FIGURE = re.compile(r"[\d.]+")

MAX_VOID_SHARE = 0.25
"""Of the planned rounds. Voids are no random sample of the rounds (a slow arm starves the generator more often), so with
many of them the rest would be a choice of the better ones."""


MAX_SPOILED_SHARE = 1 / 3
"""Of the windows of an arm, those that were measured again included, for the same reason."""
NO_INTERVALS = "no intervals"
"""In a warning about too few rounds; intervals over a fault's repetitions don't need them."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One topology under one load: arms are compared within it."""

    topology: str
    load: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """The rounds of a cell. `runs` has, per arm, one run for each round of `rounds`, in that order.

    `invalid` has the runs that may not be used, `missing` the rounds begun without that arm, `retaken` what was measured again since the
    load generator had spoiled it, `windows` how many were measured in all.
    """

    cell: Cell
    planned: int
    rounds: tuple[int, ...]
    runs: Mapping[str, tuple[Run, ...]]
    invalid: Mapping[str, tuple[Run, ...]]
    missing: Mapping[str, tuple[int, ...]]
    retaken: Mapping[str, tuple[Run, ...]]
    windows: Mapping[str, int]

    @property
    def void(self) -> int:
        """Planned rounds that don't count, those never begun included."""
        return max(0, self.planned - len(self.rounds))


def pair(runs: Sequence[Run], cell: Cell, arms: Sequence[str], planned: int) -> Pairing:
    """Pairs the runs of one cell by round; a round counts when every arm has a valid run in it."""
    asked = [run for run in runs if (run.topology, run.load_name) == (cell.topology, cell.load) and run.arm in arms]
    mine = {(run.round, run.arm): run for run in standing(asked)}
    begun = sorted({number for number, _ in mine})
    counting = [n for n in begun if all((n, arm) in mine and mine[n, arm].validity.valid for arm in arms)]
    return Pairing(
        cell=cell,
        planned=planned,
        rounds=tuple(counting),
        runs={arm: tuple(mine[n, arm] for n in counting) for arm in arms},
        invalid={
            arm: tuple(run for (_, name), run in sorted(mine.items()) if name == arm and not run.validity.valid)
            for arm in arms
        },
        missing={arm: tuple(n for n in begun if (n, arm) not in mine) for arm in arms},
        retaken={
            arm: tuple(run for run in asked if run.arm == arm and mine[run.round, arm].take > run.take) for arm in arms
        },
        windows={arm: sum(run.arm == arm for run in asked) for arm in arms},
    )


def standing(runs: Sequence[Run]) -> tuple[Run, ...]:
    """The last take of every trial, in order: what was measured before it had been spoiled by the generator."""
    last = {(run.topology, run.load_name, run.arm, run.round): run for run in sorted(runs, key=lambda run: run.take)}
    return tuple(run for run in runs if last[run.topology, run.load_name, run.arm, run.round] is run)


def experiment_validity(pairings: Sequence[Pairing]) -> Validity:
    """Whether the figures may be used at all: enough rounds count in every cell.

    A cell with fewer than MIN_ROUNDS valid rounds is invalid if more were planned (a shorter experiment is merely
    without intervals), and so is one with more than MAX_VOID_SHARE of its rounds void.
    """
    reasons = tuple(reason for pairing in pairings for reason in _reasons(pairing))
    warnings = tuple(warning for pairing in pairings for warning in _warnings(pairing))
    return Validity(not reasons, reasons, warnings)


def _reasons(pairing: Pairing) -> Iterator[str]:
    where, valid = _where(pairing), len(pairing.rounds)
    if not valid:
        yield f"{where}: no round is valid in every arm"
    elif valid < MIN_ROUNDS <= pairing.planned:
        yield f"{where}: {valid} of {pairing.planned} rounds are valid, {MIN_ROUNDS} are needed: run it again"
    elif pairing.void > MAX_VOID_SHARE * pairing.planned:
        yield f"{where}: {pairing.void} of {pairing.planned} rounds are void, allowed are {MAX_VOID_SHARE:.0%}: run it again"
    for arm, runs in pairing.retaken.items():
        spoiled, windows = len(runs) + len(pairing.invalid[arm]), pairing.windows[arm]
        if runs and spoiled > MAX_SPOILED_SHARE * windows:
            yield f"{where}: {spoiled} of {windows} windows of {arm} are void, allowed is a third: run it again on a quieter machine"


def _warnings(pairing: Pairing) -> Iterator[str]:
    where = _where(pairing)
    for arm, runs in pairing.invalid.items():
        if runs:
            rounds = ", ".join(str(run.round) for run in runs)
            why = _summed([reason for run in runs for reason in run.validity.reasons])
            yield f"{where}: {arm} voids {len(runs)} of {pairing.planned} rounds ({rounds}): {why}"
    if spoiled := [run for runs in pairing.retaken.values() for run in runs]:
        again = {arm: ", ".join(str(run.round) for run in runs) for arm, runs in pairing.retaken.items() if runs}
        told = ", ".join(f"{arm} (round {rounds})" for arm, rounds in again.items())
        why = _summed([reason for run in spoiled for reason in run.validity.reasons])
        yield f"{where}: measured again: {told}: {why}"
    for arm, missing in pairing.missing.items():
        if missing:
            yield f"{where}: {arm} was not measured in {len(missing)} of {pairing.planned} rounds ({', '.join(map(str, missing))})"
    if len(pairing.rounds) < MIN_ROUNDS:
        yield f"{where}: {len(pairing.rounds)} rounds: {NO_INTERVALS}, {MIN_ROUNDS} or more are needed"
    noted = Counter(warning for runs in pairing.runs.values() for run in runs for warning in run.validity.warnings)
    yield from (f"{where}: {warning} (in {count} trials)" for warning, count in noted.items())


def _where(pairing: Pairing) -> str:
    return f"{pairing.cell.topology} at {pairing.cell.load}"


def _summed(reasons: Sequence[str]) -> str:
    """Each kind of reason once, by its first example: reasons that differ in their figures alone are of one kind."""
    kinds: dict[str, list[str]] = {}
    for reason in reasons:
        kinds.setdefault(_FIGURE.sub("", reason), []).append(reason)
    told = (alike[0] + (f" (and {len(alike) - 1} like it)" if alike[1:] else "") for alike in kinds.values())
    return "; ".join(told) or "no reason recorded"
