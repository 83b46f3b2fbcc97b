"""What several workers measured is what one would have measured."""

from pathlib import Path

import numpy as np
import pytest

from harness.load.merging import Seconds, merged_done, merged_rows, raw_columns, share
from harness.load.messages import Done, Progress
from harness.load.rows import COLUMNS, Rows, from_columns, read_raw, write_raw
from harness.load.schedule import due_offsets_ns
from harness.load.seconds import Second
from harness.model.run import ClockDomain

DOMAIN = ClockDomain("boot", 1, 2)


def rows(worker: int, due: list[int], names: tuple[str, ...] = ("GET /",), name: int = 0) -> Rows:
    columns = {column: np.zeros(len(due), kind) for column, kind in COLUMNS.items()}
    columns |= {
        "due": np.array(due, np.int64),
        "worker": np.full(len(due), worker),
        "name": np.full(len(due), name),
    }
    return from_columns("part", names, columns)


def progress(second: int, buckets: dict[int, int], due: int = 10) -> Progress:
    return Progress(second, due, due - 1, 1, 2, {}, Second(buckets, 5, 1, 9))


@pytest.mark.parametrize("workers", [1, 2, 3, 7])
def test_shares_of_a_schedule_put_together_are_the_schedule(workers: int) -> None:
    whole = due_offsets_ns(500, 1.0, "poisson", 4)
    parts = [rows(worker, whole[worker::workers].tolist()) for worker in range(workers)]
    merged = merged_rows(parts, "r")
    np.testing.assert_array_equal(merged.due, whole)
    np.testing.assert_array_equal(merged.worker, np.arange(len(whole)) % workers)
    assert merged.run_id == "r"


def test_names_of_workers_are_numbered_anew() -> None:
    merged = merged_rows([rows(0, [1, 5], ("a", "b"), 1), rows(1, [3], ("c", "b"), 0), rows(2, [], ("d",))], "r")
    assert [merged.names[number] for number in merged.name] == ["b", "c", "b"]


def test_rows_survive_their_raw_file(tmp_path: Path) -> None:
    before = rows(3, [10, 20, 30])
    with (tmp_path / "raw").open("wb") as file:
        write_raw(file, before.run_id, before.names, len(before), raw_columns(before))
    after = read_raw(tmp_path / "raw")
    for column in COLUMNS:
        np.testing.assert_array_equal(getattr(after, column), getattr(before, column))


def test_a_second_is_told_when_the_last_worker_has_said_it_and_the_median_is_of_all_answers() -> None:
    seconds = Seconds.of(2)
    assert seconds.said(0, progress(1, {100: 30})) is None
    assert seconds.said(0, progress(2, {100: 30})) is None
    whole = seconds.said(1, progress(1, {300: 90}))
    assert whole is not None
    assert (whole.due, whole.done, whole.errors, whole.waiting) == (20, 18, 2, 4)
    assert whole.seen.buckets == {100: 30, 300: 90}
    # The mean of the workers' medians would be 200.
    assert whole.response_us["p50"] == pytest.approx(0.3)


def test_a_second_is_told_once() -> None:
    seconds = Seconds.of(1)
    assert seconds.said(0, progress(1, {1: 1})) is not None
    assert seconds.said(0, progress(1, {1: 1})) is None
    assert seconds.said(0, progress(2, {1: 1})) is not None


def test_too_few_answers_have_no_median() -> None:
    whole = Seconds.of(1).said(0, progress(1, {100: 3}))
    assert whole is not None
    assert whole.response_us == {}


def test_cpu_times_are_added_and_the_worst_run_delay_counts() -> None:
    parts = [
        Done("a", 10, 110, 200, cpu_ns=5, run_delay_ns=7, domain=DOMAIN, domain_end=DOMAIN, reasons=("x",)),
        Done("b", 12, 115, 190, cpu_ns=6, run_delay_ns=3, domain=DOMAIN, domain_end=DOMAIN, reasons=("y",)),
    ]
    done = merged_done(parts, "all")
    assert (done.window_start_ns, done.window_end_ns, done.over_ns) == (10, 115, 200)
    assert (done.cpu_ns, done.run_delay_ns, done.reasons, done.rows_file) == (11, 7, ("x", "y"), "all")


@pytest.mark.parametrize(("count", "workers"), [(16, 1), (16, 3), (5, 5), (17, 4)])
def test_shares_differ_by_one_at_most_and_add_up(count: int, workers: int) -> None:
    shares = [share(count, worker, workers) for worker in range(workers)]
    assert sum(shares) == count
    assert max(shares) - min(shares) <= 1
