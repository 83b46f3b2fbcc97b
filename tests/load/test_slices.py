"""The one system call: the kernel takes it and keeps the nice value, or the machine isn't known."""

import os
import platform

import pytest

from harness.load import slices


def test_the_kernel_takes_it_and_leaves_the_nice_value() -> None:
    if platform.machine() not in slices.SCHED_SETATTR:
        pytest.skip(f"no number of the call on {platform.machine()}")
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    assert slices.shorten()
    assert os.getpriority(os.PRIO_PROCESS, 0) == nice


def test_a_machine_whose_call_is_not_known_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "SCHED_SETATTR", {})
    assert not slices.shorten()
