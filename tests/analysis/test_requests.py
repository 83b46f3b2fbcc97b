"""Percentiles come from all rows of a window at once, and requests without an answer are never left out."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest

from harness.analysis import requests
from harness.analysis.histogram import exact_quantiles
from harness.analysis.metrics import Reading
from harness.analysis.requests import error_reading, latencies, request_readings
from harness.load.rows import Int64s, Rows
from tests.analysis import synthetic

MS = 1_000_000


def readings(rows: Rows) -> dict[tuple[str, str], Reading]:
    return {(found.metric.metric, found.metric.statistic): found for found in request_readings(rows)}


def uneven() -> Rows:
    """Five seconds of 400 requests: in four of them 1 ms, in the last one 100 ms."""
    return synthetic.request_rows("r", np.repeat([1 * MS, 1 * MS, 1 * MS, 1 * MS, 100 * MS], 400))


def test_percentiles_are_of_all_rows_and_not_averages_of_parts() -> None:
    """The p90 of each second is 1, 1, 1, 1 and 100 ms, on average 20.8; of all requests it is 100."""
    rows = uneven()
    times = latencies(rows)
    second = (rows.due[rows.in_window] - synthetic.START_NS) // 1_000_000_000
    averaged = np.mean([np.quantile(times.response_ns[second == n], 0.9) for n in range(5)]) / 1000
    assert averaged == pytest.approx(20_800)
    assert readings(rows)["response", "p90"].value == 100_000
    assert readings(rows)["response", "p50"].value == 1_000


def test_averaging_the_percentiles_of_parts_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def averaged(values: Int64s, censored: int, qs: Sequence[float]) -> dict[float, float | None]:
        parts = [exact_quantiles(part, censored, qs) for part in np.array_split(values, 5)]
        return {q: fmean(part[q] or 0.0 for part in parts) for q in qs}

    monkeypatch.setattr(requests, "exact_quantiles", averaged)
    with pytest.raises(AssertionError):
        test_percentiles_are_of_all_rows_and_not_averages_of_parts()


def test_response_counts_from_due_and_service_from_sent() -> None:
    found = readings(uneven())
    assert found["response", "p50"].value == 1_000
    assert found["service", "p50"].value == 980
    assert found["response", "mean"].value == pytest.approx(20_800)


def test_the_warm_up_doesnt_count() -> None:
    times = latencies(uneven())
    assert len(times) == 2000
    assert times.response_ns.max() == 100 * MS


def test_unanswered_requests_raise_percentiles_and_forbid_a_mean() -> None:
    rows = synthetic.request_rows("r", np.full(2000, 1 * MS), unanswered=100)
    found = readings(rows)
    assert latencies(rows).unanswered == 100
    assert found["response", "p90"].value == 1_000
    assert found["response", "p99"].value is None
    assert "without an answer" in found["response", "p99"].note
    assert found["response", "mean"].value is None
    assert found["response", "mean"].note == "100 requests have no answer, so there is no mean"


def test_too_few_rows_are_said() -> None:
    found = readings(synthetic.request_rows("r", np.full(200, 1 * MS)))
    assert found["response", "p90"].value == 1_000
    assert found["response", "p99"].value is None
    assert found["response", "p99"].note == "p99 needs 1000 rows, the window has 200"


def test_errors_are_a_share_of_what_was_due() -> None:
    run = synthetic.result(rounds=1).runs[0]
    failed = replace(run, generator=replace(run.generator, errors=30, censored=10))
    assert error_reading(failed).value == 40 / 2000
    nothing = replace(run, generator=replace(run.generator, due=0))
    assert error_reading(nothing).value is None
