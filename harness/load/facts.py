"""How the generator itself fared, from its rows and what its process used. Pure; whether that is good enough is elsewhere."""

import numpy as np

from harness.load.messages import Done
from harness.load.rows import Rows
from harness.model.run import Generator

LATE_NS = 1_000_000


def generator_facts(rows: Rows, done: Done) -> Generator:
    """Counts of the window's rows: due = done + errors + censored, where done has a whole answer below status 400.

    Lateness is that of every request for which the generator woke, by nearest rank: it describes all of them and estimates
    nothing, so it needs no minimal number; without any such request it is empty. A request for which it never woke, because
    it was stopped or overloaded to the end of the drain, is unsent by its own fault.
    """
    window = rows.window()
    woke = window.ready > 0
    lateness_ns = np.sort((window.ready - window.due)[woke])
    censored = int((window.done == 0).sum())
    errors = int((window.error_kind > 0).sum())
    return Generator(
        due=len(window),
        sent=int((window.sent > 0).sum()),
        done=len(window) - errors - censored,
        censored=censored,
        errors=errors,
        late_over_1ms=int((lateness_ns > LATE_NS).sum()),
        unsent_own_fault=int((~woke).sum()),
        lateness_us={
            name: float(lateness_ns[_rank(q, len(lateness_ns))]) / 1e3 for name, q in QUANTILES if len(lateness_ns)
        },
        run_delay_ns=done.run_delay_ns,
        cpu_ns=done.cpu_ns,
        window_ns=done.window_end_ns - done.window_start_ns,
        domain=done.domain,
        domain_end=done.domain_end,
        clocks=done.clocks,
    )


QUANTILES = (("p50", 0.5), ("p99", 0.99))


def _rank(q: float, count: int) -> int:
    return max(0, int(np.ceil(q * count)) - 1)
