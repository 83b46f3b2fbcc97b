"""How far a worker's clock is from its master's, bounded by exchanges of messages. Pure; it reads no clock.

The worker's stamp was taken after the master asked and before the master had the answer. So worker − master lies between
stamp − answered and stamp − asked, whatever each way took; of many exchanges the narrowest bounds hold together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.model.errors import EnvironmentFailure
from harness.model.run import WorkerClock


@dataclass(frozen=True, slots=True)
class Exchange:
    """The master's clock when it asked and when the answer was there, and the worker's stamp in between, in ns."""

    asked_ns: int
    stamp_ns: int
    answered_ns: int


def bounded(worker: int, boot_id: str, exchanges: Sequence[Exchange]) -> WorkerClock:
    """The tightest bounds that all exchanges (at least one) allow; EnvironmentFailure if no offset fits them all."""
    low = max(exchange.stamp_ns - exchange.answered_ns for exchange in exchanges)
    high = min(exchange.stamp_ns - exchange.asked_ns for exchange in exchanges)
    if low > high:
        raise EnvironmentFailure(
            f"the clock of load worker {worker} jumped by {low - high} ns while it was compared: CLOCK_MONOTONIC must not; "
            "measure on another machine"
        )
    return WorkerClock(worker, boot_id, low, high, len(exchanges))


def check_same(clock: WorkerClock, boot_id: str) -> None:
    """EnvironmentFailure unless this is the master's own clock: its stamps are compared with the master's due times."""
    if clock.boot_id != boot_id:
        raise EnvironmentFailure(
            f"load worker {clock.worker} runs on another machine (boot id {clock.boot_id}, the master's is {boot_id}): "
            "workers share the master's machine and clock"
        )
    if not clock.offset_low_ns <= 0 <= clock.offset_high_ns:
        raise EnvironmentFailure(
            f"the clock of load worker {clock.worker} is {clock.offset_low_ns} to {clock.offset_high_ns} ns off the master's, "
            "allowed is a range that holds 0: start all in one time namespace"
        )
