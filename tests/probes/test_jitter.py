"""What a spinning loop loses: from a clock that is made up, and on this machine."""

import gc
import os
from collections.abc import Iterable

import pytest

from harness.probes.jitter import LEAST_GAP_NS, jitter, measure, spin

MS = 1_000_000


def clock(gaps_ns: Iterable[int]) -> list[int]:
    """Readings with these gaps between them, then steps of 1 µs for ever (long enough)."""
    readings = [5_000 * MS]
    for gap in gaps_ns:
        readings.append(readings[-1] + gap)
    for _ in range(20_000):
        readings.append(readings[-1] + 1_000)
    return readings


def test_gaps_between_readings_are_found_and_steps_of_the_loop_are_not() -> None:
    readings = iter(clock([1_000, 3 * MS, LEAST_GAP_NS, LEAST_GAP_NS + 1, 2_000]))
    elapsed_ns, gaps_ns = spin(10 * MS, lambda: next(readings))
    assert gaps_ns == [3 * MS, LEAST_GAP_NS + 1]
    assert 10 * MS <= elapsed_ns <= 10 * MS + 1_000


def test_a_gap_over_the_end_is_counted_whole() -> None:
    readings = iter(clock([1_000, 80 * MS]))
    assert spin(10 * MS, lambda: next(readings)) == (80 * MS + 1_000, [80 * MS])


def test_shares_of_the_time() -> None:
    found = jitter(3, 1_000 * MS, 990 * MS, [15 * MS, 4 * MS, 1 * MS])
    assert (found.cpu, found.elapsed_s, found.lost_share) == (3, 1.0, 0.02)
    assert found.others_share == 0.01  # the kernel knows of 10 ms; the other 10 ms the host took
    assert found.late_share == 0.017  # 14 ms of the first gap and 3 of the second have 1 ms of it before them
    assert (found.late_gaps, found.longest_ms) == (2, 15.0)


def test_nothing_lost_is_no_division_by_nothing() -> None:
    found = jitter(0, 1_000 * MS, 1_001 * MS, [])
    assert (found.lost_share, found.others_share, found.late_share, found.longest_ms) == (0.0, 0.0, 0.0, 0.0)


def test_others_never_took_more_than_was_lost() -> None:
    assert jitter(0, 1_000 * MS, 900 * MS, [MS]).others_share == 0.001


@pytest.mark.parametrize("collecting", [True, False])
def test_a_measurement_leaves_affinity_and_collector_as_they_were(collecting: bool) -> None:
    before, was = os.sched_getaffinity(0), gc.isenabled()
    (gc.enable if collecting else gc.disable)()
    try:
        found = measure(min(before), 0.02)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if was else gc.disable)()
    assert os.sched_getaffinity(0) == before
    assert found.elapsed_s >= 0.02
    assert 0 <= found.late_share <= found.lost_share <= 1
