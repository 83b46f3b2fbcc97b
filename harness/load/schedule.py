"""When requests are due, from rate, duration, arrivals and seed alone. Pure: it knows no clock, and no answer moves a due time."""

import numpy as np
from numpy.typing import NDArray

from harness.model.errors import UsageError, unknown

NS_PER_S = 1_000_000_000
ARRIVALS = ("poisson", "uniform")
MAX_REQUESTS = 20_000_000
"""Every request has a row of about 60 bytes in the engine's memory: this many take 1.2 GB."""
MAX_DURATION_S = 24 * 3600.0


def due_offsets_ns(rate_rps: float, duration_s: float, arrivals: str, seed: int) -> NDArray[np.int64]:
    """Due times in [0, duration) as int64 ns from the start, not decreasing. The same arguments give the same schedule.

    poisson: gaps are exponential with mean 1/rate and the first gap starts at 0, so the number of arrivals is itself Poisson
    distributed (mean rate·duration); the first arrival at or after the end is the first left out.
    uniform: request k is due at k/rate, beginning with 0; there are ceil(rate·duration) of them.
    """
    check_schedule(rate_rps, duration_s, arrivals)
    horizon_ns = round(duration_s * NS_PER_S)
    if arrivals == "uniform":
        count = int(np.ceil(rate_rps * duration_s))
        offsets = (np.arange(count, dtype=np.float64) * (NS_PER_S / rate_rps)).astype(np.int64)
    else:
        offsets = _poisson(rate_rps, duration_s, seed)
    return offsets[offsets < horizon_ns]


def _poisson(rate_rps: float, duration_s: float, seed: int) -> NDArray[np.int64]:
    """Arrivals beyond the end included. Drawn in blocks, so that a longer duration only appends to the same arrivals."""
    generator = np.random.Generator(np.random.PCG64(seed))
    mean_ns, horizon_ns = NS_PER_S / rate_rps, duration_s * NS_PER_S
    blocks, last = [np.empty(0)], 0.0
    while last < horizon_ns:
        block = last + np.cumsum(generator.exponential(mean_ns, 65536))
        blocks.append(block)
        last = float(block[-1])
    arrivals = np.concatenate(blocks)
    return arrivals[arrivals < horizon_ns + mean_ns].astype(np.int64)


def check_schedule(rate_rps: float, duration_s: float, arrivals: str) -> None:
    """UsageError for a schedule that makes no sense or that memory couldn't hold."""
    if not (np.isfinite(rate_rps) and rate_rps > 0):
        raise UsageError(f"rate {rate_rps:g} requests/s: allowed is a number above 0, e.g. --rate 1000")
    if not (np.isfinite(duration_s) and 0 < duration_s <= MAX_DURATION_S):
        raise UsageError(f"duration {duration_s:g} s: allowed is more than 0, at most {MAX_DURATION_S:.0f} s (24 h)")
    if arrivals not in ARRIVALS:
        raise unknown("arrivals", arrivals, ARRIVALS)
    if rate_rps * duration_s > MAX_REQUESTS:
        raise UsageError(
            f"{rate_rps:g} requests/s for {duration_s:g} s are {rate_rps * duration_s:.0f} requests, at most "
            f"{MAX_REQUESTS} fit in memory: lower the rate or the duration"
        )
