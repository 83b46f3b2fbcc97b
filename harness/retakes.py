"""Windows that are measured again: those that the load generator spoiled, at the end of their round. Pure.

A round pairs its arms because they are measured close together in time, so a window is taken again in its own round, not later. Nothing
of what was measured decides it but the generator's own faults; the spoiled window is kept and counted, and an arm of which too many
windows are spoiled makes the result invalid (harness.analysis.pairing).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.load.validity import generator_reasons
from harness.model.run import Run
from harness.rounds import Trial


def again(trial: Trial, run: Run, retakes: int) -> Trial | None:
    """The next take of a trial; None if its window counts, if more than the generator was at fault, or after so many retakes."""
    reasons = run.validity.reasons
    spoiled = bool(reasons) and set(reasons) <= set(generator_reasons(run.generator))
    return replace(trial, take=trial.take + 1) if spoiled and trial.take <= retakes else None


def takes(trials: Sequence[Trial], retakes: int) -> set[str]:
    """The ids that runs of these trials may have."""
    return {replace(trial, take=take).id for trial in trials for take in range(1, retakes + 2)}


def by_round(trials: Sequence[Trial]) -> Iterator[tuple[Trial, ...]]:
    """Trials that belong together: those of one round, topology and load, in order."""
    groups: dict[tuple[int, str, str], list[Trial]] = {}
    for trial in trials:
        groups.setdefault((trial.round, trial.topology, trial.load), []).append(trial)
    yield from map(tuple, groups.values())
