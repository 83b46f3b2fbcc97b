"""Usage of a window, from a deployment whose counters are given."""

import os
import threading
from itertools import count
from typing import cast

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Plan, Unit
from harness.model.platform import Deployment, Usage
from harness.model.program import Program
from harness.probes.usage import WindowUsage

PLAN = Plan(
    (
        Unit("a-0", "app", "a-0", Program("app"), service="a"),
        Unit("a-0-proxy", "sidecar", "a-0", Program("proxy"), service="a"),
    ),
    entry_host="a-0",
)


class Counted:
    """Every reading is 1 ms after the last, and everything has grown by then; sizes are given only if asked for."""

    plan = PLAN
    units = dict.fromkeys(unit.name for unit in PLAN.units)

    def __init__(self) -> None:
        self._readings = count(1)
        self._carried = count(3)
        self._stat = iter([(100, 1000), (160, 1200)])
        self.read_often = threading.Event()

    def usage(self, unit: str, *, memory: bool = True) -> Usage:
        n = next(self._readings)
        if n > 20:
            self.read_often.set()
        size = n if memory else 0
        return Usage(n * 1_000_000, n * 1000, n * 100, 3 * size, 2 * size, size, n * 10, n)

    def machine_cpu_ns(self) -> tuple[int, int]:
        return next(self._stat)

    def platform_cpu_ns(self) -> dict[str, int]:
        return {"carrier": 7 * next(self._carried) ** 2}


@pytest.fixture
def deployment() -> Counted:
    return Counted()


def window(deployment: Counted, every_s: float) -> WindowUsage:
    return WindowUsage(cast("Deployment", deployment), every_s)


def test_counters_are_differences_between_the_edges_and_memory_is_from_outside(deployment: Counted) -> None:
    usage = window(deployment, every_s=3600)
    usage.idle()  # readings 1 and 2
    usage.open()  # 3 and 4
    usage.close()  # 5 and 6
    usage.loaded()  # 7 and 8

    app, sidecar = usage.units()
    assert (app.unit, app.role, app.service) == ("a-0", "app", "a")
    assert (sidecar.unit, sidecar.role, sidecar.service) == ("a-0-proxy", "sidecar", "a")
    assert (app.cpu_ns, app.run_delay_ns, app.elapsed_ns) == (2000, 200, 2_000_000)
    assert (app.voluntary_switches, app.involuntary_switches) == (20, 2)
    assert app.idle == {"rss_bytes": 3, "pss_bytes": 2, "uss_bytes": 1}
    assert sidecar.loaded == {"rss_bytes": 24, "pss_bytes": 16, "uss_bytes": 8}
    assert usage.machine_ns() == (60, 200)
    assert usage.platform_ns() == {"carrier": 7 * (16 - 9)}
    assert usage.samples() == []


def test_between_the_edges_cpu_is_sampled_from_the_windows_start(deployment: Counted) -> None:
    usage = window(deployment, every_s=0.0001)
    usage.open()  # readings 1 and 2
    assert deployment.read_often.wait(10)
    usage.close()

    first, second, *_ = usage.samples()
    assert first == {"at_ns": 4_000_000, "cpu_ns": {"a-0": 2000, "a-0-proxy": 2000}}
    assert second == {"at_ns": 6_000_000, "cpu_ns": {"a-0": 4000, "a-0-proxy": 4000}}


def test_closing_ends_the_sampling(deployment: Counted) -> None:
    usage = window(deployment, every_s=3600)
    usage.open()
    assert any(thread.name == "usage" for thread in threading.enumerate())
    usage.close()

    assert not any(thread.name == "usage" for thread in threading.enumerate())


class Dying(Counted):
    """Its units end after some readings."""

    def usage(self, unit: str, *, memory: bool = True) -> Usage:
        reading = super().usage(unit, memory=memory)
        if self.read_often.is_set():
            raise EnvironmentFailure("unit 'a-0' ended")
        return reading


def test_a_unit_that_ends_inside_the_window_ends_it_by_its_message() -> None:
    deployment = Dying()
    usage = window(deployment, every_s=0.0001)
    usage.open()
    assert deployment.read_often.wait(10)
    with pytest.raises(EnvironmentFailure, match="unit 'a-0' ended"):
        usage.close()

    assert not any(thread.name == "usage" for thread in threading.enumerate())


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())


class Asked(Counted):
    """Keeps which threads ask, and their priority."""

    def __init__(self) -> None:
        super().__init__()
        self.priorities: set[tuple[str, int]] = set()

    def usage(self, unit: str, *, memory: bool = True) -> Usage:
        self.priorities.add((threading.current_thread().name, priority()))
        return super().usage(unit, memory=memory)


def test_sampling_gives_way_to_the_generator_and_the_edges_do_not() -> None:
    deployment = Asked()
    usage = window(deployment, every_s=0.0001)
    before = priority()
    usage.open()
    assert deployment.read_often.wait(10)
    usage.close()

    assert deployment.priorities == {(threading.current_thread().name, before), ("usage", 19)}


@pytest.mark.parametrize("steps", [(), ("open",)])
def test_a_window_that_has_not_been_has_no_figures(deployment: Counted, steps: tuple[str, ...]) -> None:
    usage = window(deployment, every_s=3600)
    for step in steps:
        getattr(usage, step)()
    with pytest.raises(RuntimeError, match=r"before open\(\) and close\(\)"):
        usage.machine_ns()
    with pytest.raises(RuntimeError, match=r"before open\(\) and close\(\)"):
        usage.units()
