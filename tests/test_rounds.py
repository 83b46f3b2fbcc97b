"""Orders are balanced and reproducible; every arm of a round has the same schedule."""

from collections import Counter

import pytest

from harness.rounds import orders, trials


@pytest.mark.parametrize("arms", [("a", "b"), ("a", "b", "c"), ("a", "b", "c", "d"), tuple("abcdef")])
def test_every_round_holds_every_arm_once_and_places_are_balanced(arms: tuple[str, ...]) -> None:
    rounds = 4 * len(arms)
    found = orders(arms, rounds, seed=7)

    assert all(sorted(order) == sorted(arms) for order in found)
    for place in range(len(arms)):
        assert set(Counter(order[place] for order in found).values()) == {4}


def test_the_eight_rounds_of_the_quick_experiment_start_with_each_arm_two_or_three_times() -> None:
    first = Counter(order[0] for order in orders(("a", "b", "c"), 8, seed=1))

    assert sorted(first.values()) == [2, 3, 3]


def test_orders_depend_on_the_seed_alone() -> None:
    assert orders(("a", "b", "c"), 12, seed=5) == orders(("a", "b", "c"), 12, seed=5)
    assert orders(("a", "b", "c"), 12, seed=5) != orders(("a", "b", "c"), 12, seed=6)


def test_arms_of_a_round_share_the_schedule_and_rounds_differ() -> None:
    planned = trials(("a", "b"), ("chain-4",), ("auto",), 6, seed=1)
    seeds = {trial.round: trial.seed for trial in planned}

    assert all(trial.seed == seeds[trial.round] for trial in planned)
    assert len(set(seeds.values())) == 6


def test_trial_ids_are_file_names_and_unique() -> None:
    planned = trials(("builtin[least-request,mtls]", "envoy"), ("pair",), ("auto",), 2, seed=1)

    assert len({trial.id for trial in planned}) == len(planned)
    assert {trial.id for trial in planned if trial.round == 1} == {
        "r01_pair_auto_builtin.least-request.mtls",
        "r01_pair_auto_envoy",
    }
