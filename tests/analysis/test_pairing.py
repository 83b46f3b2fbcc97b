"""Rounds pair the arms: one bad trial voids its round for all, and enough of them void the experiment."""

from dataclasses import replace

import pytest

from harness.analysis.pairing import Cell, Pairing, experiment_validity, pair
from harness.model.run import Run, Validity
from tests.analysis import synthetic

CELL = Cell("chain-3", "r400")
ARMS = tuple(synthetic.ARMS)


@pytest.fixture(scope="module")
def runs() -> tuple[Run, ...]:
    return synthetic.result(rounds=12, rows=100).runs


def broken(runs: tuple[Run, ...], arm: str, rounds: set[int]) -> list[Run]:
    bad = Validity(False, ("1.4 % of the requests were late, allowed is 1 %",))
    return [replace(run, validity=bad) if run.arm == arm and run.round in rounds else run for run in runs]


def paired(runs: list[Run] | tuple[Run, ...], planned: int = 12) -> Pairing:
    return pair(runs, CELL, ARMS, planned)


def test_every_arm_has_one_run_per_round_in_the_same_order(runs: tuple[Run, ...]) -> None:
    found = paired(runs[::-1])
    assert found.rounds == tuple(range(1, 13))
    for arm in ARMS:
        assert [run.round for run in found.runs[arm]] == list(found.rounds)
        assert {run.arm for run in found.runs[arm]} == {arm}


def test_an_invalid_trial_voids_its_round_for_all_arms(runs: tuple[Run, ...]) -> None:
    found = paired(broken(runs, ARMS[1], {3, 7}))
    assert found.rounds == (1, 2, 4, 5, 6, 8, 9, 10, 11, 12)
    assert all(len(found.runs[arm]) == 10 for arm in ARMS)
    assert {arm: len(bad) for arm, bad in found.invalid.items()} == {ARMS[0]: 0, ARMS[1]: 2, ARMS[2]: 0}


def test_a_window_that_was_measured_again_counts_by_its_last_take(runs: tuple[Run, ...]) -> None:
    spoiled = broken(runs, ARMS[1], {3, 7})
    second = [replace(run, id=f"{run.id}_2", take=2) for run in runs if run.arm == ARMS[1] and run.round in (3, 7)]
    found = paired([*spoiled, *second])
    assert found.rounds == tuple(range(1, 13))
    assert [run.take for run in found.runs[ARMS[1]]] == [1, 1, 2, 1, 1, 1, 2, 1, 1, 1, 1, 1]
    assert [run.round for run in found.retaken[ARMS[1]]] == [3, 7]
    assert found.windows == {ARMS[0]: 12, ARMS[1]: 14, ARMS[2]: 12}
    told = experiment_validity([found])
    assert told.valid
    assert told.warnings[0].startswith(f"chain-3 at r400: measured again: {ARMS[1]} (round 3, 7): ")


@pytest.mark.parametrize(("often", "valid"), [(6, True), (7, False)])
def test_an_arm_of_which_over_a_third_of_the_windows_are_spoiled_is_invalid(
    runs: tuple[Run, ...], often: int, valid: bool
) -> None:
    """All were measured again well, but what is left would be a choice of the better ones."""
    rounds = set(range(1, often + 1))
    second = [replace(run, take=2) for run in runs if run.arm == ARMS[1] and run.round in rounds]
    assert experiment_validity([paired([*broken(runs, ARMS[1], rounds), *second])]).valid is valid


def test_a_round_that_was_cut_off_is_void(runs: tuple[Run, ...]) -> None:
    found = paired([run for run in runs if run.round < 12 or run.arm == ARMS[0]])
    assert found.rounds == tuple(range(1, 12))
    assert found.missing == {ARMS[0]: (), ARMS[1]: (12,), ARMS[2]: (12,)}
    assert found.void == 1


def test_runs_of_other_cells_and_arms_are_not_mixed_in(runs: tuple[Run, ...]) -> None:
    strangers = [replace(runs[0], topology="pair"), replace(runs[0], load_name="r9"), replace(runs[0], arm="istio")]
    assert paired([*strangers, *runs]) == paired(runs)


@pytest.mark.parametrize(("void", "valid"), [(0, True), (3, True), (4, False), (7, False), (12, False)])
def test_a_quarter_of_the_rounds_may_be_void(runs: tuple[Run, ...], void: int, valid: bool) -> None:
    found = experiment_validity([paired(broken(runs, ARMS[1], set(range(1, void + 1))))])
    assert found.valid is valid
    assert bool(found.reasons) is not valid


def test_void_rounds_are_told_per_arm_with_their_reasons(runs: tuple[Run, ...]) -> None:
    found = experiment_validity([paired(broken(runs, ARMS[1], {3, 7}))])
    assert found.warnings == (
        "chain-3 at r400: envoy[mtls] voids 2 of 12 rounds (3, 7): 1.4 % of the requests were late, allowed is 1 % (and 1 like it)",
    )


def test_fewer_than_six_valid_rounds_are_invalid_if_more_were_planned(runs: tuple[Run, ...]) -> None:
    few = [run for run in runs if run.round <= 5]
    assert not experiment_validity([paired(few, planned=6)]).valid
    short = experiment_validity([paired(few, planned=5)])
    assert short.valid
    assert short.warnings == ("chain-3 at r400: 5 rounds: no intervals, 6 or more are needed",)


def test_no_round_at_all_is_invalid() -> None:
    assert experiment_validity([paired([])]).reasons == ("chain-3 at r400: no round is valid in every arm",)


def test_warnings_of_trials_are_counted(runs: tuple[Run, ...]) -> None:
    noted = [replace(run, validity=Validity(True, (), ("the machine was busy",))) for run in runs]
    assert experiment_validity([paired(noted)]).warnings == ("chain-3 at r400: the machine was busy (in 36 trials)",)
