"""One definition of a quantile, from rows, from buckets and from HdrHistogram, and what each does at its edges."""

from pathlib import Path

import numpy as np
import pytest
from hdrh.histogram import HdrHistogram
from hdrh.log import HistogramLogReader
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.histogram import (
    Recorder,
    bucket_quantile,
    exact_quantile,
    exact_quantiles,
    interval_log,
    merged,
    rows_needed,
)
from harness.wire import buckets

latencies = st.lists(st.integers(0, 10**10), min_size=20, max_size=300)


def counts(values: list[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for value in values:
        found[buckets.index(value)] = found.get(buckets.index(value), 0) + 1
    return found


@pytest.mark.parametrize(("q", "needed"), [(0.5, 20), (0.9, 100), (0.95, 200), (0.99, 1000), (0.999, 10_000)])
def test_rows_needed(q: float, needed: int) -> None:
    assert rows_needed(q) == needed


@pytest.mark.parametrize(("q", "needed"), [(0.5, 20), (0.99, 1000)])
def test_a_quantile_needs_its_rows(q: float, needed: int) -> None:
    assert exact_quantile(np.arange(needed - 1), 0, q) is None
    assert exact_quantile(np.arange(needed), 0, q) is not None


@pytest.mark.parametrize(("q", "expected"), [(0.5, 500), (0.9, 900), (0.99, 990)])
def test_a_quantile_is_the_value_of_its_rank(q: float, expected: int) -> None:
    shuffled = np.random.default_rng(1).permutation(np.arange(1, 1001))
    assert exact_quantile(shuffled, 0, q) == expected


@given(latencies)
def test_the_median_is_numpys_inverted_distribution_function(values: list[int]) -> None:
    data = np.array(values)
    assert exact_quantile(data, 0, 0.5) == np.quantile(data, 0.5, method="inverted_cdf")


def test_unanswered_requests_are_later_than_all_others() -> None:
    answered = np.arange(1, 951)
    found = exact_quantiles(answered, 50, (0.5, 0.9, 0.95, 0.99))
    assert found == {0.5: 500, 0.9: 900, 0.95: 950, 0.99: None}


def test_a_quantile_among_the_unanswered_is_no_number() -> None:
    assert exact_quantile(np.arange(1, 940), 61, 0.95) is None
    assert exact_quantile(np.array([], dtype=np.int64), 100, 0.5) is None


@pytest.mark.parametrize("q", [0.0, 1.0, -0.1, 1.5])
def test_a_quantile_lies_between_none_and_all(q: float) -> None:
    with pytest.raises(ValueError, match="allowed is more than 0 and less than 1"):
        exact_quantile(np.arange(100), 0, q)


@given(latencies)
def test_buckets_and_rows_agree_within_a_bucket(values: list[int]) -> None:
    exact = exact_quantile(np.array(values), 0, 0.5)
    found = bucket_quantile(counts(values), 0.5)
    assert exact is not None
    assert found is not None
    assert abs(found - exact) <= buckets.width(buckets.index(int(exact)))


def test_values_of_a_bucket_lie_evenly_in_it() -> None:
    """A thousand values in [2¹⁶, 2¹⁶ + 256): the median is in the middle, not at the lower edge."""
    assert bucket_quantile({buckets.index(1 << 16): 1000}, 0.5) == pytest.approx((1 << 16) + 128, abs=1)


def test_small_values_are_exact() -> None:
    assert bucket_quantile({100: 50, 200: 50}, 0.5) == 100.0
    assert bucket_quantile({100: 50, 200: 50}, 0.9) == 200.0


def test_buckets_too_need_their_rows() -> None:
    assert bucket_quantile({5: 19}, 0.5) is None
    assert bucket_quantile({}, 0.5) is None


@given(latencies, latencies)
def test_merging_loses_nothing(first: list[int], second: list[int]) -> None:
    assert merged([counts(first), counts(second)]) == counts(first + second)


def test_recorder_counts_what_the_library_would_drop() -> None:
    recorder = Recorder.of([5_000] * 30 + [61_000_000_000] * 3 + [-1])
    assert recorder.overflow == 4
    assert recorder.histogram.get_total_count() == 30


def test_recorder_quantile_counts_the_overflow_as_latest() -> None:
    recorder = Recorder.of([5_000] * 60 + [70_000_000_000] * 40)
    assert recorder.quantile_ns(0.5) == pytest.approx(5_000, rel=1e-3)
    assert recorder.quantile_ns(0.9) is None


@given(latencies)
def test_recorder_and_rows_agree_to_three_digits(values: list[int]) -> None:
    exact = exact_quantile(np.array(values), 0, 0.5)
    assert exact is not None
    assert Recorder.of(values).quantile_ns(0.5) == pytest.approx(exact, rel=1e-3, abs=1)


def test_interval_log_is_read_back_by_the_reference_reader(tmp_path: Path) -> None:
    start_s = np.array([0.1, 0.2, 1.5, 2.5, 2.6, 2.7])
    values = np.array([1_000_000, 2_000_000, 3_000_000, 4_000_000, 70_000_000_000, 5_000_000])
    text = interval_log(start_s, values, "service")
    assert "#[Out of range 0 to 60 s: 1]" in text
    path = tmp_path / "x.hlog"
    path.write_text(text)
    reader = HistogramLogReader(str(path), HdrHistogram(1, 60_000_000_000, 3))
    found = []
    while (histogram := reader.get_next_interval_histogram()) is not None:
        found.append((histogram.get_tag(), histogram.get_total_count(), histogram.get_max_value()))
    reader.close()
    assert [count for _, count, _ in found] == [2, 1, 2]
    assert all(tag == "service" for tag, _, _ in found)
    assert found[-1][2] == pytest.approx(5_000_000, rel=1e-3)
