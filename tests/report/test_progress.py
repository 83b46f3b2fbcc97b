"""Progress: the time left by plan and pace, one plain line per trial, a bar only on a terminal."""

import io

import pytest
from rich.console import Console

from harness.report.progress import Pace, Progress, remaining_s, spoken

S = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.now_ns = 5 * S

    def __call__(self) -> int:
        return self.now_ns

    def pass_s(self, seconds: float) -> None:
        self.now_ns += round(seconds * S)


def run_two(console: Console) -> None:
    clock = Clock()
    with Progress([10.0, 10.0], clock, console) as progress:
        progress.trial("round 1 · envoy[mtls]")
        clock.pass_s(10)
        progress.done("round 1 · envoy[mtls]")
        progress.trial("round 1 · [red]odd")
        clock.pass_s(10)
        progress.done("round 1 · [red]odd", "invalid: late")


@pytest.mark.parametrize(
    ("pace", "expected"),
    [
        (Pace([10.0] * 10, 0, 0.0, 0.0), 100.0),  # nothing done: the plan
        (Pace([10.0] * 10, 0, 0.0, 30.0), 70.0),  # and it counts down
        (Pace([10.0] * 10, 5, 50.0, 0.0), 50.0),  # on plan
        (Pace([10.0] * 10, 9, 190.0, 0.0), 20.0),  # twice as slow: (10 + 190) / 10 a trial
        (Pace([10.0] * 10, 9, 90.0, 500.0), 0.0),  # overdue: never negative
        (Pace([1.0, 1.0, 10.0], 2, 2.0, 0.0), 10.0),  # short steps first say nothing of long ones
        (Pace([10.0] * 10, 10, 90.0, 0.0), 0.0),
    ],
)
def test_the_time_left_moves_from_the_plan_to_the_pace(pace: Pace, expected: float) -> None:
    assert remaining_s(pace) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 00 s"), (200, "3 min 20 s"), (3900, "1 h 05 min")],
)
def test_durations_read_as_people_say_them(seconds: float, expected: str) -> None:
    assert spoken(seconds) == expected


def test_a_plain_log_gets_one_line_per_trial_and_no_markup_is_obeyed() -> None:
    out = io.StringIO()
    run_two(Console(file=out, force_terminal=False, width=30))
    assert out.getvalue().splitlines() == [
        "[1/2] round 1 · envoy[mtls] (about 10 s left)",
        "[2/2] round 1 · [red]odd: invalid: late (all done)",
    ]


def test_a_terminal_shows_the_trial_in_work_and_keeps_only_notes() -> None:
    out = io.StringIO()
    run_two(Console(file=out, force_terminal=True, width=100, legacy_windows=False))
    shown = out.getvalue()
    assert "0/2 about 20 s left round 1 · envoy[mtls]" in _plain(shown)
    assert "round 1 · [red]odd: invalid: late" in _plain(shown)


def _plain(text: str) -> str:
    import re

    return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).split())
