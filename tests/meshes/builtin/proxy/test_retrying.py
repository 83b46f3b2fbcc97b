"""Whether a try is repeated: attempts, budget, and waits that double and are random."""

import pytest

from meshes.builtin.policies import Retry
from meshes.builtin.proxy.retrying import Retries


def retries(attempts: int = 2, share: float = 0.2, least: int = 3, chance: float = 1.0) -> Retries:
    return Retries(Retry(attempts, 1.0, share, least, 0.025, 0.25), lambda: chance)


def test_no_more_than_its_attempts() -> None:
    found = retries(attempts=2)
    assert found.begin(0, 1) is not None
    assert found.begin(1, 1) is not None
    assert found.begin(2, 1) is None
    assert (found.made, found.denied, found.active) == (2, 0, 1)


@pytest.mark.parametrize(("in_flight", "allowed"), [(1, 3), (15, 3), (19, 3), (20, 4), (100, 20)])
def test_the_budget_is_a_share_of_the_requests_in_flight_and_never_less_than_so_many(
    in_flight: int, allowed: int
) -> None:
    found = retries()
    begun = [found.begin(0, in_flight) is not None for _ in range(allowed + 2)]
    assert begun == [True] * allowed + [False] * 2
    assert found.denied == 2
    found.over()
    assert found.begin(0, in_flight) is not None


def test_a_request_that_is_retried_again_takes_no_second_place_in_the_budget() -> None:
    found = retries(attempts=9, share=0.0, least=1)
    assert all(found.begin(retried, 1) is not None for retried in range(9))
    assert found.active == 1


@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_waits_are_drawn_from_a_bound_that_doubles_up_to_the_most(chance: float) -> None:
    found = retries(attempts=100, chance=chance)
    waits = [found.begin(retried, 1) for retried in (0, 1, 2, 3, 4, 99)]
    assert waits == [chance * bound for bound in (0.025, 0.05, 0.1, 0.2, 0.25, 0.25)]
