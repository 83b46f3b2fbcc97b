"""Round robin is fair to the last request; the better of two choices avoids what is loaded, and its chance is even."""

from hypothesis import given
from hypothesis import strategies as st

from meshes.builtin.proxy.balancing import least_request, round_robin, seeded


@given(st.integers(1, 20), st.integers(1, 10))
def test_round_robin_visits_all_equally(endpoints: int, laps: int) -> None:
    last, seen = -1, [0] * endpoints
    for _ in range(endpoints * laps):
        last = round_robin(last, endpoints)
        seen[last] += 1
    assert set(seen) == {laps}


@given(st.lists(st.integers(0, 50), min_size=1, max_size=10), st.integers(1, 2**64 - 1))
def test_least_request_never_takes_the_uniquely_most_loaded(loads: list[int], seed: int) -> None:
    chosen = least_request(loads, seeded(seed))
    if len(loads) > 1 and loads.count(max(loads)) == 1:
        assert loads[chosen] != max(loads)


def test_least_request_spreads_equal_loads_evenly() -> None:
    choose, seen = seeded(7), [0] * 5
    for _ in range(10_000):
        seen[least_request([0] * 5, choose)] += 1
    assert all(1_850 < count < 2_150 for count in seen)


def test_least_request_keeps_loads_together() -> None:
    choose, loads = seeded(11), [0] * 10
    for _ in range(1_000):
        loads[least_request(loads, choose)] += 1
    assert max(loads) - min(loads) <= 5


@given(st.integers(0, 2**64 - 1), st.integers(1, 1000))
def test_chance_stays_in_range(seed: int, below: int) -> None:
    choose = seeded(seed)
    assert all(0 <= choose(below) < below for _ in range(20))
