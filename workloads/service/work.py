"""Work without calls: CPU time burnt, and sleep to the microsecond. Knows no request."""

import asyncio
import heapq
import os
import time
from collections.abc import Callable
from contextlib import suppress

from harness.wire.timerfd import Timer


def burn(cpu_ns: int) -> None:
    """Use that much CPU time of this thread; being preempted doesn't count."""
    end = time.thread_time_ns() + cpu_ns
    while time.thread_time_ns() < end:
        pass


def late_clock(delay_ns: int) -> Callable[[], int]:
    """CLOCK_MONOTONIC (ns) for who is to be late: lets that much time pass, without giving up the CPU, before it says what time it is."""

    def now_ns() -> int:
        end = time.monotonic_ns() + delay_ns
        while (now := time.monotonic_ns()) < end:
            pass
        return now

    return now_ns


class Sleeper:
    """Wakes callbacks at nanosecond times by one timerfd: event loops round timers to milliseconds."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = Timer()
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        loop.add_reader(self._timer.fd, self._ring)

    def after(self, sleep_ns: int, wake: Callable[[], None]) -> None:
        """Call `wake` when `sleep_ns` have passed."""
        self._count += 1
        heapq.heappush(self._waiting, (time.monotonic_ns() + sleep_ns, self._count, wake))
        self._timer.arm(self._waiting[0][0])

    def _ring(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._timer.fd, 8)
        while self._waiting and self._waiting[0][0] <= time.monotonic_ns():
            heapq.heappop(self._waiting)[2]()
        if self._waiting:
            self._timer.arm(self._waiting[0][0])
