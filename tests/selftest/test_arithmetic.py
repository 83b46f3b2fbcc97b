"""The oracle's arithmetic agrees with a simulated queue, and a broken instrument doesn't."""

import numpy as np
import pytest

from harness.selftest.arithmetic import Freeze, judge_freeze

FREEZE = Freeze(freeze_s=1.0, window_s=10.0, rate_rps=1000.0, drain_rps=5000.0)
QUANTILES = (0.95, 0.99)


def simulated_response_s(freeze: Freeze) -> tuple[np.ndarray, np.ndarray]:
    """(due, response) of a single server with fixed service time that stops from 4 s to 5 s."""
    due = np.arange(0, freeze.window_s, 1 / freeze.rate_rps)
    done = np.empty_like(due)
    free = 0.0
    for index, at in enumerate(due):
        start = max(at, free)
        if 4.0 <= start < 4.0 + freeze.freeze_s:
            start = 4.0 + freeze.freeze_s
        free = done[index] = start + 1 / freeze.drain_rps
    return due, done - due


def quantiles(values: np.ndarray) -> dict[float, float | None]:
    return {q: float(np.quantile(values, q)) for q in QUANTILES}


def test_a_correct_instrument_agrees() -> None:
    _, response = simulated_response_s(FREEZE)

    assert all(finding.passed for finding in judge_freeze(FREEZE, quantiles(response)))


def test_a_schedule_that_waits_for_answers_is_caught() -> None:
    """Closed loop with 16 connections: only 16 requests ever see the freeze, the others are not sent until it is over."""
    _, response = simulated_response_s(FREEZE)
    frozen = np.sort(response)[-16:]
    closed = np.concatenate([np.full(len(response) - 16, 1 / FREEZE.drain_rps), frozen])

    assert not any(finding.passed for finding in judge_freeze(FREEZE, quantiles(closed)))


def test_averaged_percentiles_are_caught() -> None:
    """The mean of ten per-second percentiles isn't the percentile of ten seconds."""
    due, response = simulated_response_s(FREEZE)
    averaged = {
        q: float(np.mean([np.quantile(response[(due >= s) & (due < s + 1)], q) for s in range(10)])) for q in QUANTILES
    }

    assert not any(finding.passed for finding in judge_freeze(FREEZE, dict(averaged)))


def test_a_missing_quantile_is_no_agreement() -> None:
    assert not judge_freeze(FREEZE, {0.99: None})[0].passed


@pytest.mark.parametrize("q", QUANTILES)
def test_the_faster_the_drain_the_fewer_wait(q: float) -> None:
    slow = Freeze(1.0, 10.0, 1000.0, 2000.0)
    assert slow.response_s(q) > FREEZE.response_s(q)
