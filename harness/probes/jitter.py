"""How much of a CPU a loop that never waits gets: what it loses, others or the host took. Spins on the CPU it is told; judges nothing."""

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST_GAP_NS = 100_000
"""A shorter time between two readings of the clock is an interrupt or the loop itself."""

LATE_NS = 1_000_000
"""What a request's start may be late (design §4, Load)."""


@dataclass(frozen=True, slots=True)
class Jitter:
    """What a pinned loop lost, as shares of its time.

    `lost_share` is in gaps of more than LEAST_GAP_NS, of which `others_share` by the kernel's account went to other programs here;
    of the rest the kernel knows nothing: the host took it. `late_share` is how likely a moment has more than LATE_NS of a
    gap before it, which is the share of requests that the generator would start too late.
    """

    cpu: int
    elapsed_s: float
    lost_share: float
    others_share: float
    late_share: float
    late_gaps: int
    longest_ms: float


def measure(cpu: int, seconds: float) -> Jitter:
    """Spin on that CPU for so long, alone in this thread; affinity and garbage collection are then as before."""
    before, collecting = os.sched_getaffinity(0), gc.isenabled()
    os.sched_setaffinity(0, {cpu})
    gc.disable()
    try:
        used_ns = time.thread_time_ns()
        elapsed_ns, gaps_ns = spin(round(seconds * 1e9), time.monotonic_ns)
        return jitter(cpu, elapsed_ns, time.thread_time_ns() - used_ns, gaps_ns)
    finally:
        os.sched_setaffinity(0, before)
        if collecting:
            gc.enable()


def spin(duration_ns: int, clock_ns: Callable[[], int]) -> tuple[int, list[int]]:
    """Read the clock until so much time has passed: the time it was, and every gap between two readings."""
    gaps: list[int] = []
    start = last = clock_ns()
    end = start + duration_ns
    while last < end:
        now = clock_ns()
        if now - last > LEAST_GAP_NS:
            gaps.append(now - last)
        last = now
    return last - start, gaps


def jitter(cpu: int, elapsed_ns: int, used_ns: int, gaps_ns: Sequence[int]) -> Jitter:
    """The shares, from the gaps and the CPU time that the kernel gave the loop."""
    lost_ns, away_ns = sum(gaps_ns), max(0, elapsed_ns - used_ns)
    late_ns = [gap - LATE_NS for gap in gaps_ns if gap > LATE_NS]
    return Jitter(
        cpu=cpu,
        elapsed_s=round(elapsed_ns / 1e9, 3),
        lost_share=round(lost_ns / elapsed_ns, 5),
        others_share=round(min(away_ns, lost_ns) / elapsed_ns, 5),
        late_share=round(sum(late_ns) / elapsed_ns, 5),
        late_gaps=len(late_ns),
        longest_ms=round(max(gaps_ns, default=0) / 1e6, 2),
    )
