"""Bounds of clock offsets: they hold the truth, and a clock that isn't the master's is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.load.clocks import Exchange, bounded, check_same
from harness.model.errors import EnvironmentFailure
from harness.model.run import WorkerClock

WAYS = st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), min_size=1, max_size=20)


def exchanges(offset_ns: int, ways: list[tuple[int, int]]) -> list[Exchange]:
    return [
        Exchange(asked, asked + there + offset_ns, asked + there + back)
        for asked, (there, back) in enumerate(ways, start=10**9)
    ]


@given(st.integers(-(10**12), 10**12), WAYS)
def test_the_true_offset_lies_between_the_bounds_however_slow_each_way_was(
    offset_ns: int, ways: list[tuple[int, int]]
) -> None:
    clock = bounded(1, "boot", exchanges(offset_ns, ways))
    assert clock.offset_low_ns <= offset_ns <= clock.offset_high_ns
    assert clock.offset_high_ns - clock.offset_low_ns <= min(there + back for there, back in ways)
    assert clock.exchanges == len(ways)


def test_a_clock_that_jumps_between_exchanges_is_refused() -> None:
    with pytest.raises(EnvironmentFailure, match="jumped by"):
        bounded(2, "boot", [*exchanges(0, [(10, 10)]), *exchanges(10**6, [(10, 10)])])


def test_the_masters_own_clock_is_taken() -> None:
    check_same(WorkerClock(0, "boot", -5, 5, 20), "boot")


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        (WorkerClock(1, "other", -5, 5, 20), "worker 1 runs on another machine"),
        (WorkerClock(1, "boot", 6, 9, 20), "is 6 to 9 ns off"),
        (WorkerClock(1, "boot", -9, -6, 20), "is -9 to -6 ns off"),
    ],
)
def test_any_other_clock_is_refused(clock: WorkerClock, message: str) -> None:
    with pytest.raises(EnvironmentFailure, match=message):
        check_same(clock, "boot")
