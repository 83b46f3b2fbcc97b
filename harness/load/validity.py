"""Whether the generator did its part, from its own facts. Pure; what the system under load did is no concern of it."""

from harness.model.run import Generator

MOST_UNSENT_SHARE = 0.01
MOST_LATE_SHARE = 0.01
MOST_RUN_DELAY_SHARE = 0.05
"""Of the window, the time in which the generator had work and no CPU.

Each such wait delays whatever stamp is due in it. Arrivals are spread over the window, so about that share of the requests
is touched: 5 % leave medians and p90 alone. Single waits long enough to move p99 are found by the rule on lateness.
"""


def generator_reasons(generator: Generator) -> tuple[str, ...]:
    """Why the numbers of this window may not be used; empty if they may. Each is fact, value, allowed."""
    if generator.due == 0:
        return ("no request was due in the window: raise the rate or the duration",)
    return tuple(filter(None, (_unsent(generator), _late(generator), _starved(generator))))


def _unsent(generator: Generator) -> str:
    share = generator.unsent_own_fault / generator.due
    if share <= MOST_UNSENT_SHARE:
        return ""
    return (
        f"the generator left {generator.unsent_own_fault} of {generator.due} scheduled requests unsent by its own fault "
        f"({share:.1%}, allowed {MOST_UNSENT_SHARE:.0%}): lower the rate"
    )


def _late(generator: Generator) -> str:
    share = generator.late_over_1ms / generator.due
    if share <= MOST_LATE_SHARE:
        return ""
    return (
        f"the generator was later than 1 ms for {generator.late_over_1ms} of {generator.due} requests "
        f"({share:.1%}, allowed {MOST_LATE_SHARE:.0%}): lower the rate, give it a CPU of its own, or take a quieter machine"
    )


def _starved(generator: Generator) -> str:
    share = generator.run_delay_ns / max(generator.window_ns, 1)
    if share <= MOST_RUN_DELAY_SHARE:
        return ""
    return (
        f"the generator waited for a CPU in {share:.1%} of the window (allowed {MOST_RUN_DELAY_SHARE:.0%}): "
        "stop other programs or give it a CPU of its own"
    )
