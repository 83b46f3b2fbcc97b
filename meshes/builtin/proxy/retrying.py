"""Whether a failed try is repeated, and when: attempts, budget and waits. Pure: chance is passed in, requests are counted by callers."""

import sys
from collections.abc import Callable

from meshes.builtin.policies import Retry

UNBOUNDED = sys.maxsize


class Retries:
    """The retries of one callee. `active` are those under way, `made` all so far, `denied` those that the budget forbade, or `most`: so
    many may be under way whatever the budget says."""

    __slots__ = ("_draw", "active", "config", "denied", "made", "most")

    def __init__(self, config: Retry, draw: Callable[[], float]) -> None:
        """`draw` gives a number from 0 to 1."""
        self.config = config
        self._draw = draw
        self.active = 0
        self.made = 0
        self.denied = 0
        self.most = UNBOUNDED

    def begin(self, retried: int, in_flight: int) -> float | None:
        """The seconds to wait before the next try, or None if there is none. `retried` counts this request's retries so far, `in_flight` the
        requests to the callee, this one among them. A request counts once in `active` until `over`, however often it is tried.

        The wait is drawn between 0 and a bound that doubles from the base ("full jitter": Brooker, "Exponential Backoff And Jitter", 2015).
        """
        config = self.config
        if retried >= config.attempts:
            return None
        if not retried:
            if self.active >= min(self.most, max(config.budget_least, int(config.budget_share * in_flight))):
                self.denied += 1
                return None
            self.active += 1
        self.made += 1
        return self._draw() * min(config.backoff_base_s * (1 << min(retried, 30)), config.backoff_most_s)

    def over(self) -> None:
        """A request that was retried is over."""
        self.active -= 1
