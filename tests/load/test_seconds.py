"""Seconds: counts that add up over time and workers without loss."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from harness.load.rows import ERROR_KINDS
from harness.load.seconds import Columns, Counted, Second, bucket_counts, second_of, together
from harness.wire import buckets

TIMES = st.lists(st.integers(0, 10**12), max_size=60)


def columns(response_ns: list[int], kinds: list[str] | None = None) -> Columns:
    count = len(response_ns)
    due = np.arange(count) * 1000 + 10
    named = np.array([ERROR_KINDS.index(kind) for kind in kinds or [""] * count], np.uint8)
    return Columns(due, due + np.array(response_ns, np.int64), named, np.full(count, 7))


def rows(count: int) -> NDArray[np.int64]:
    return np.arange(count)


@given(TIMES)
def test_values_fall_into_the_buckets_of_the_wire(values: list[int]) -> None:
    expected: dict[int, int] = {}
    for value in values:
        expected[buckets.index(value)] = expected.get(buckets.index(value), 0) + 1
    assert bucket_counts(np.array(values, np.int64)) == expected


@pytest.mark.parametrize("power", range(54))
def test_the_edges_of_every_power_of_two_fall_right(power: int) -> None:
    values = [value for value in (2**power - 1, 2**power, 2**power + 1) if value < 2**53]
    assert set(bucket_counts(np.array(values, np.int64))) == set(map(buckets.index, values))


@given(st.lists(TIMES, min_size=1, max_size=5))
def test_the_seconds_of_workers_together_are_the_second_of_all_requests(parts: list[list[int]]) -> None:
    everything = [value for part in parts for value in part]
    merged = together(second_of(rows(len(part)), columns(part)) for part in parts)
    assert merged == second_of(rows(len(everything)), columns(everything))
    assert merged.answered == len(everything)


def test_failures_are_counted_by_kind_and_only_answers_have_a_time() -> None:
    seen = second_of(rows(4), columns([100, 200, 300, 400], ["", "status", "timeout", "timeout"]))
    assert seen == Second({100: 1, 200: 1}, 300, 100, 200, {"status": 1, "timeout": 2}, 28)
    assert (seen.answered, seen.finished) == (2, 4)


def test_nothing_finished_is_an_empty_second() -> None:
    assert together([]) == second_of(rows(0), columns([])) == Second()


def test_a_request_counts_once_in_the_second_in_which_it_is_finished() -> None:
    made: Any = columns([50, 60, 70])
    slow_done = int(made.done[1])
    made.done[1] = 0
    counted = Counted()
    assert counted.since(0, 2, made).buckets == {50: 1}
    assert counted.since(2, 2, made).finished == 0
    made.done[1] = slow_done
    assert counted.since(2, 3, made).buckets == {60: 1, 70: 1}
    assert counted.since(3, 3, made).finished == 0
