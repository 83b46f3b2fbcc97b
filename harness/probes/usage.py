"""CPU and memory of every unit at the edges of a window. It reads a Deployment and keeps what it read; sums are done elsewhere."""

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.model.errors import EnvironmentFailure
from harness.model.platform import Deployment, Usage
from harness.model.run import UnitUsage

SAMPLE_EVERY_S = 1.0
LOWEST_PRIORITY = 19
SIZES = ("rss_bytes", "pss_bytes", "uss_bytes")
COUNTERS = (
    "cpu_ns",
    "run_delay_ns",
    "voluntary_switches",
    "involuntary_switches",
    "periods",
    "throttled_periods",
    "throttled_ns",
    "oom_kills",
)


@dataclass(frozen=True, slots=True)
class _Edge:
    units: dict[str, Usage]
    machine_ns: tuple[int, int]
    platform_ns: Mapping[str, int]


class WindowUsage:
    """Four readings around a window: `idle` before load, `open` and `close` at its edges, `loaded` right after it.

    Memory is read at `idle` and `loaded` only, since reading it stops the unit for a moment. Between the edges the CPU counters are
    sampled once a second, for plots.
    """

    def __init__(self, deployment: Deployment, every_s: float = SAMPLE_EVERY_S) -> None:
        self._deployment = deployment
        self._every_s = every_s
        self._stop = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="usage", daemon=True)
        self._samples: list[dict[str, Any]] = []
        self._idle: dict[str, Usage] = {}
        self._loaded: dict[str, Usage] = {}
        self._first: _Edge | None = None
        self._last: _Edge | None = None

    def idle(self) -> None:
        """Memory before any load."""
        self._idle = self._read(memory=True)

    def open(self) -> None:
        """The window begins."""
        self._first = self._edge()
        self._sampler.start()

    def close(self) -> None:
        """The window ends; EnvironmentFailure if a unit did before it."""
        self._stop.set()
        try:
            self._last = self._edge()
        finally:
            self._sampler.join()

    def loaded(self) -> None:
        """Memory after the load, before anything is freed for lack of use."""
        self._loaded = self._read(memory=True)

    def units(self) -> tuple[UnitUsage, ...]:
        """Every unit's counters as differences between the edges, and its memory idle and loaded."""
        first, last = self._edges()
        return tuple(self._unit(name, first.units[name], last.units[name]) for name in first.units)

    def machine_ns(self) -> tuple[int, int]:
        """(busy, all) CPU time of the system's CPUs inside the window."""
        first, last = self._edges()
        return last.machine_ns[0] - first.machine_ns[0], last.machine_ns[1] - first.machine_ns[1]

    def platform_ns(self) -> dict[str, int]:
        """CPU time inside the window of what carried the units and is none of them, by name."""
        first, last = self._edges()
        return {name: last.platform_ns[name] - first.platform_ns[name] for name in first.platform_ns}

    def samples(self) -> list[dict[str, Any]]:
        """One entry a second: `at_ns` and `cpu_ns` of each unit since the window began."""
        return self._samples

    def _edges(self) -> tuple[_Edge, _Edge]:
        if self._first is None or self._last is None:
            raise RuntimeError("usage() is asked before open() and close()")
        return self._first, self._last

    def _edge(self) -> _Edge:
        units = self._read(memory=False)
        return _Edge(units, self._deployment.machine_cpu_ns(), self._deployment.platform_cpu_ns())

    def _read(self, *, memory: bool) -> dict[str, Usage]:
        return {name: self._deployment.usage(name, memory=memory) for name in self._deployment.units}

    def _unit(self, name: str, first: Usage, last: Usage) -> UnitUsage:
        unit = self._deployment.plan.unit(name)
        return UnitUsage(
            unit=name,
            role=unit.role,
            service=unit.service,
            elapsed_ns=last.at_ns - first.at_ns,
            idle=_sizes(self._idle[name]),
            loaded=_sizes(self._loaded[name]),
            **{each: getattr(last, each) - getattr(first, each) for each in COUNTERS},
        )

    def _sample(self) -> None:
        """The thread gives way to the generator, which has the same CPU. It ends with a unit: `close` finds that out again, and says it."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        first = self._first
        while first is not None and not self._stop.wait(self._every_s):
            try:
                now = self._read(memory=False)
            except EnvironmentFailure:
                return
            self._samples.append(
                {
                    "at_ns": max(usage.at_ns for usage in now.values()),
                    "cpu_ns": {name: usage.cpu_ns - first.units[name].cpu_ns for name, usage in now.items()},
                }
            )


def _sizes(usage: Usage) -> dict[str, int]:
    """The working set is a container's only."""
    working = {"working_set_bytes": usage.working_set_bytes} if usage.working_set_bytes else {}
    return {size: getattr(usage, size) for size in SIZES} | working
