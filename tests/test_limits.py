"""When a container's limits spoil a window."""

from dataclasses import replace

from harness.limits import limit_reasons
from tests.analysis.synthetic import usage

UNIT = usage("b-0", "app", 1.0, 20 << 20)


def test_a_unit_without_limits_gives_no_reason() -> None:
    assert limit_reasons([UNIT]) == ()


def test_one_halt_in_a_hundred_periods_is_allowed_and_more_are_not() -> None:
    assert limit_reasons([replace(UNIT, periods=100, throttled_periods=1, throttled_ns=5_000_000)]) == ()
    assert limit_reasons([UNIT, replace(UNIT, periods=50, throttled_periods=13, throttled_ns=945_305_136)]) == (
        "unit 'b-0' was halted by its CPU limit in 13 of 50 periods, 945 ms in all (26.0%, allowed 1%): "
        "raise its limit or lower the rate",
    )


def test_a_kill_by_the_kernel_is_a_reason() -> None:
    assert limit_reasons([replace(UNIT, oom_kills=2)]) == (
        "the kernel killed 2 processes of unit 'b-0' at its memory limit (allowed 0): raise its limit",
    )
