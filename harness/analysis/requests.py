"""What the rows of one window say of the requests: response time, service time, and how many failed. Pure.

Every percentile is taken over all rows of the window at once. A request without an answer (censored, timed out, reset) is
later than every answered one; it isn't left out, for that would hide the worst.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.analysis.histogram import exact_quantiles, rows_needed
from harness.analysis.metrics import QUANTILES, Metric, Reading, quantile_name
from harness.load.rows import Rows
from harness.model.run import Run

SUBJECT = "entry"


@dataclass(frozen=True, slots=True)
class Latencies:
    """Times of the answered requests of a window in ns, one element each, and how many have no answer."""

    response_ns: NDArray[np.int64]
    service_ns: NDArray[np.int64]
    unanswered: int

    def __len__(self) -> int:
        return len(self.response_ns) + self.unanswered


def latencies(rows: Rows) -> Latencies:
    """Response time (done − due) and service time (done − sent) of the window's rows."""
    answered = rows.in_window & rows.answered
    done = rows.done[answered]
    return Latencies(
        response_ns=done - rows.due[answered],
        service_ns=done - rows.sent[answered],
        unanswered=int(rows.in_window.sum() - answered.sum()),
    )


def request_readings(rows: Rows) -> Iterator[Reading]:
    """Quantiles and mean of response and service time, microseconds."""
    times = latencies(rows)
    for name, values in (("response", times.response_ns), ("service", times.service_ns)):
        found = exact_quantiles(values, times.unanswered, QUANTILES)
        yield from (_quantile(name, q, value, len(times)) for q, value in found.items())
        yield _mean(name, values, times.unanswered)


def error_reading(run: Run) -> Reading:
    """The share of the window's requests that failed: an error of any kind, or no answer before the drain ended."""
    metric = Metric("request", SUBJECT, "errors", "mean", "share", "share")
    generator = run.generator
    if not generator.due:
        return Reading(metric, None, "no request was due")
    return Reading(metric, (generator.errors + generator.censored) / generator.due)


def _quantile(name: str, q: float, value_ns: float | None, rows: int) -> Reading:
    metric = Metric("request", SUBJECT, name, quantile_name(q), "us", "latency")
    if value_ns is not None:
        return Reading(metric, value_ns / 1000)
    if rows < rows_needed(q):
        return Reading(metric, None, f"{metric.statistic} needs {rows_needed(q)} rows, the window has {rows}")
    return Reading(metric, None, f"{metric.statistic} lies among the requests without an answer")


def _mean(name: str, values_ns: NDArray[np.int64], unanswered: int) -> Reading:
    metric = Metric("request", SUBJECT, name, "mean", "us", "mean")
    if unanswered or not len(values_ns):
        return Reading(metric, None, f"{unanswered} requests have no answer, so there is no mean")
    return Reading(metric, float(values_ns.mean()) / 1000)
