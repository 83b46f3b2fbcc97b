"""Judgements on outlier ejection: who is left out, how many may be, and when it is over."""

import pytest

from harness.probes import parity_ejection

SERVED = [200] * 30


def test_an_endpoint_that_failed_so_often_gets_nothing() -> None:
    assert parity_ejection.out(20, SERVED, (0, 15, 15)).passed
    assert not parity_ejection.out(20, SERVED, (1, 15, 14)).passed
    assert not parity_ejection.out(20, [*SERVED[1:], 503], (0, 15, 14)).passed
    assert not parity_ejection.out(7, SERVED, (0, 15, 15)).passed


def test_without_it_the_endpoint_goes_on_failing_its_share() -> None:
    failing = [500] * 10 + [200] * 20
    assert parity_ejection.kept(20, failing, (10, 10, 10)).passed
    assert not parity_ejection.kept(20, SERVED, (0, 15, 15)).passed


@pytest.mark.parametrize(
    ("errors", "counts", "passed"), [(20, (0, 20, 10), True), (20, (0, 0, 30), False), (3, (0, 20, 10), False)]
)
def test_a_second_endpoint_stays_in_whatever_it_does(errors: int, counts: tuple[int, ...], passed: bool) -> None:
    assert parity_ejection.most(errors, counts).passed is passed


@pytest.mark.parametrize(("after_s", "passed"), [(2.0, True), (2.2, True), (0.3, False), (4.1, False), (None, False)])
def test_it_comes_back_at_its_time(after_s: float | None, passed: bool) -> None:
    assert parity_ejection.back(after_s).passed is passed
