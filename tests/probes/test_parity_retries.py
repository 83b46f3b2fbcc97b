"""Judgements on retries: each passes on what a right arm shows, and fails on what a wrong one would."""

import pytest

from harness.probes import parity_retries
from harness.probes.observe import Answered

OK, FAILED = Answered(200, 0.01), Answered(503, 0.01)
SLOW = Answered(200, 1.3)


def test_without_retries_each_call_is_made_once_and_waited_for() -> None:
    assert parity_retries.none(FAILED, 1, SLOW, 1).passed
    assert not parity_retries.none(OK, 3, SLOW, 1).passed
    assert not parity_retries.none(FAILED, 2, SLOW, 1).passed
    assert not parity_retries.none(FAILED, 1, Answered(504, 1.0), 1).passed
    assert not parity_retries.none(FAILED, 1, Answered(200, 1.02), 2).passed


def test_two_failures_and_a_success_are_a_success() -> None:
    assert parity_retries.repeated(OK, 3).passed
    assert not parity_retries.repeated(FAILED, 1).passed
    assert not parity_retries.repeated(OK, 4).passed


@pytest.mark.parametrize(("answer", "tries", "passed"), [(FAILED, 3, True), (FAILED, 4, False), (OK, 3, False)])
def test_a_callee_that_never_works_is_not_tried_for_ever(answer: Answered, tries: int, passed: bool) -> None:
    assert parity_retries.bounded(answer, tries).passed is passed


@pytest.mark.parametrize(
    ("elapsed_s", "tries", "passed"), [(1.01, 2, True), (1.3, 1, False), (1.7, 2, False), (0.5, 2, False)]
)
def test_a_slow_try_is_cut_at_its_time(elapsed_s: float, tries: int, passed: bool) -> None:
    assert parity_retries.cut(Answered(200, elapsed_s), tries).passed is passed


@pytest.mark.parametrize(("tries", "passed"), [(8, False), (9, True), (16, True), (17, False), (24, False)])
def test_a_budget_lets_some_be_repeated_and_not_all(tries: int, passed: bool) -> None:
    assert parity_retries.budgeted(tries).passed is passed


def test_a_replica_that_always_fails_fails_no_call() -> None:
    assert parity_retries.elsewhere([200] * 12, (4, 6, 6)).passed
    assert not parity_retries.elsewhere([200] * 11 + [503], (6, 6, 6)).passed
    assert not parity_retries.elsewhere([200] * 12, (0, 6, 6)).passed
