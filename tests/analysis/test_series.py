"""Series for pictures: percentiles within a round, never averaged; only what the rows suffice for."""

import numpy as np
import pytest

from fixtures.recorded import recorded
from harness.analysis.pairing import Cell, pair
from harness.analysis.series import (
    Answers,
    answers_by_arm,
    answers_of,
    latency_curves,
    quantile_over_time,
    rate_over_time,
    role_costs,
    round_shifts,
    slot_s,
)


def window(times_us: list[float], *, due_s: list[float] | None = None) -> Answers:
    """A window of these response times in µs (−1: no answer)."""
    times = np.array([-1 if us < 0 else round(us * 1000) for us in times_us], dtype=np.int64)
    return Answers(np.array(due_s or np.linspace(0, 0.999, len(times_us))), times, times)


def test_a_curve_is_the_median_of_the_rounds_own_percentiles() -> None:
    rounds = [window([shift + n for n in range(1, 101)]) for shift in (0, 10, 1000)]
    (curve,) = latency_curves({"x": rounds}, "response")
    p50 = next(point for point in curve.points if point.x == 0.5)
    assert (p50.middle, p50.low, p50.high, p50.rounds) == (60.0, 50.0, 1050.0, 3)


def test_a_curve_ends_where_the_rows_of_one_round_do() -> None:
    (curve,) = latency_curves({"x": [window([1.0] * 2000), window([1.0] * 100)]}, "response")
    assert max(point.x for point in curve.points) == 0.9


def test_requests_without_an_answer_end_a_curve_and_are_never_left_out() -> None:
    (curve,) = latency_curves({"x": [window([100.0] * 960 + [-1.0] * 40)]}, "response")
    assert max(point.x for point in curve.points) == 0.95


def test_over_time_a_slot_needs_enough_rows_in_every_round() -> None:
    full = window([100.0] * 40, due_s=[n / 20 for n in range(40)])
    thin = window([100.0] * 25, due_s=[n / 20 for n in range(20)] + [1.5] * 5)
    (series,) = quantile_over_time({"x": [full, thin]}, "response", 0.5, 2.0)
    assert [point.x for point in series.points] == [0.0]


def test_the_rate_counts_answers_by_due_time_in_whole_slots() -> None:
    (series,) = rate_over_time({"x": [window([1.0, 1.0, -1.0, 1.0], due_s=[0.1, 0.2, 0.3, 1.7])]}, 2.5)
    assert [(point.x, point.middle) for point in series.points] == [(0.0, 2.0), (1.0, 1.0)]


@pytest.mark.parametrize(("window_s", "expected"), [(5.0, 1), (120.0, 1), (121.0, 2), (3600.0, 30)])
def test_long_windows_get_wider_slots(window_s: float, expected: int) -> None:
    assert slot_s(window_s) == expected


def test_shifts_pair_the_rounds() -> None:
    bare, arm = [window([100.0] * 20), window([200.0] * 20)], [window([150.0] * 20), window([260.0] * 20)]
    (shifts,) = round_shifts({"bare": bare, "arm": arm}, (1, 4), "bare", "response", 0.5)
    assert (shifts.arm, shifts.shifts_us) == ("arm", ((1, 50.0), (4, 60.0)))


def test_a_round_that_lacks_the_quantile_gives_no_shifts_at_all() -> None:
    bare, arm = [window([100.0] * 20), window([200.0] * 20)], [window([150.0] * 20), window([260.0] * 5)]
    assert round_shifts({"bare": bare, "arm": arm}, (1, 2), "bare", "response", 0.5) == ()


def test_rows_become_times_of_the_window_alone() -> None:
    made = recorded(rounds=1, rate_rps=100.0, window_s=2.0)
    run = made.runs[0]
    rows = made.rows(run.id)
    answers = answers_of(rows, run.window_start_ns)
    assert len(answers.due_s) == int(rows.in_window.sum()) < len(rows)
    assert answers.due_s.min() >= 0
    assert answers.due_s.max() < 2.0
    assert (answers.response_ns >= answers.service_ns).all()


def test_costs_by_role_add_up_to_the_units() -> None:
    made = recorded(rounds=2, rate_rps=100.0, window_s=2.0)
    paired = pair(made.runs, Cell("chain-4", "steady"), ("baseline", "envoy[mtls]", "builtin[mtls]"), 2)
    costs = {cost.arm: cost for cost in role_costs(paired)}
    assert set(costs["baseline"].cpu_ms_per_1000) == {"app"}
    assert set(costs["builtin[mtls]"].pss_mb) == {"app", "sidecar", "control"}
    runs = paired.runs["envoy[mtls]"]
    expected = np.mean([sum(u.cpu_ns for u in run.units) / 1e6 / run.generator.done * 1000 for run in runs])
    assert sum(costs["envoy[mtls]"].cpu_ms_per_1000.values()) == pytest.approx(expected)
    assert set(answers_by_arm(paired, made.rows)) == set(costs)
