"""The rate follows from what a request costs and never exceeds what half of the cores can carry."""

import pytest

from harness.pilot import rate_rps


def test_half_a_core_is_used() -> None:
    assert rate_rps(0.00123, cores=1) == pytest.approx(400.0)


def test_two_cores_carry_twice_as_much() -> None:
    assert rate_rps(0.001, cores=2) == 2 * rate_rps(0.001, cores=1)


@pytest.mark.parametrize(("cost", "rate"), [(0.0, 5000.0), (1e-9, 5000.0), (1.0, 10.0), (0.00199, 250.0)])
def test_the_rate_is_bounded_and_rounded_down_to_two_digits(cost: float, rate: float) -> None:
    assert rate_rps(cost, cores=1) == pytest.approx(rate)
