"""The rate follows from what a request costs and never exceeds what half of the cores can carry."""

from dataclasses import replace

import pytest

from harness import registry
from harness.model.platform import Placement
from harness.pilot import asked, cpu_s_per_request, rate_rps
from tests.analysis import synthetic
from tests.analysis.synthetic import usage

APART, TWO, SHARED = Placement((0,), (1,)), Placement((0, 1), (2,)), Placement((0, 1), (0, 1))


def test_half_a_core_is_used() -> None:
    assert rate_rps(0.00123, APART) == pytest.approx(400.0)


def test_two_cores_carry_twice_as_much() -> None:
    assert rate_rps(0.001, TWO) == 2 * rate_rps(0.001, APART)


def test_cpus_that_the_generator_shares_are_used_to_a_fifth() -> None:
    assert rate_rps(0.001, SHARED) == pytest.approx(400.0)


def test_a_request_costs_what_the_units_use_and_on_shared_cpus_all_that_is_used() -> None:
    run = next(run for run in synthetic.result(rounds=1).runs if run.arm == "baseline")
    run = replace(run, units=(usage("a-0", "app", 0.5, 1), usage("load", "load", 9.0, 1)), machine_busy_ns=4 * 10**9)
    assert cpu_s_per_request(run, APART) == pytest.approx(0.5 / run.generator.done)
    assert cpu_s_per_request(run, SHARED) == pytest.approx(4.0 / run.generator.done)


@pytest.mark.parametrize(("cost", "rate"), [(0.0, 5000.0), (1e-9, 5000.0), (1.0, 10.0), (0.00199, 250.0)])
def test_the_rate_is_bounded_and_rounded_down_to_two_digits(cost: float, rate: float) -> None:
    assert rate_rps(cost, APART) == pytest.approx(rate)


def test_an_arm_whose_features_another_of_its_mesh_has_too_is_not_the_dearest() -> None:
    arms = [
        registry.arm(text)
        for text in ("baseline", "envoy[mtls]", "builtin", "builtin[mtls]", "builtin[mtls,least-request]")
    ]
    assert [arm.id for arm in asked(arms)] == ["baseline", "envoy[mtls]", "builtin[least-request,mtls]"]


def test_variants_of_an_arm_are_asked_each() -> None:
    arm = registry.arm("baseline")
    assert len(asked([arm, replace(arm, variant="again")])) == 2
