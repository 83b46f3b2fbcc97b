"""The rate follows from what a request costs and never exceeds what half of the cores can carry."""

from dataclasses import replace

import pytest

from harness import registry
from harness.pilot import asked, rate_rps


def test_half_a_core_is_used() -> None:
    assert rate_rps(0.00123, cores=1) == pytest.approx(400.0)


def test_two_cores_carry_twice_as_much() -> None:
    assert rate_rps(0.001, cores=2) == 2 * rate_rps(0.001, cores=1)


@pytest.mark.parametrize(("cost", "rate"), [(0.0, 5000.0), (1e-9, 5000.0), (1.0, 10.0), (0.00199, 250.0)])
def test_the_rate_is_bounded_and_rounded_down_to_two_digits(cost: float, rate: float) -> None:
    assert rate_rps(cost, cores=1) == pytest.approx(rate)


def test_an_arm_whose_features_another_of_its_mesh_has_too_is_not_the_dearest() -> None:
    arms = [
        registry.arm(text)
        for text in ("baseline", "envoy[mtls]", "builtin", "builtin[mtls]", "builtin[mtls,least-request]")
    ]
    assert [arm.id for arm in asked(arms)] == ["baseline", "envoy[mtls]", "builtin[least-request,mtls]"]


def test_variants_of_an_arm_are_asked_each() -> None:
    arm = registry.arm("baseline")
    assert len(asked([arm, replace(arm, variant="again")])) == 2
