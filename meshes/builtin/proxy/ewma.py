"""How long an endpoint takes to answer, as a mean that jumps up at once and comes down slowly. Pure: times are passed in.

"Peak EWMA" as in Finagle (Twitter) and Linkerd: an answer that took longer than the mean becomes the mean; one that took less counts by
how long ago the last one was. What nobody has heard of for a while fades, so that an endpoint which was slow once is tried again.
"""

from math import exp

UNKNOWN = float(1 << 53)
"""What a request in flight costs at an endpoint that has answered none: one is enough to find out."""


class Latency:
    """Of one endpoint. `decay_ns`: after that long without news, 1/e of the mean is left."""

    __slots__ = ("_at_ns", "_mean_ns", "decay_ns")

    def __init__(self, decay_ns: float) -> None:
        self.decay_ns = decay_ns
        self._mean_ns = 0.0
        self._at_ns = 0

    def observe(self, took_ns: int, now_ns: int) -> None:
        """An answer came, so long after its request."""
        kept = exp((self._at_ns - now_ns) / self.decay_ns)
        self._mean_ns = max(float(took_ns), self._mean_ns * kept + took_ns * (1.0 - kept))
        self._at_ns = now_ns

    def cost(self, active: int, now_ns: int) -> float:
        """What one request more costs beside so many in flight: the mean by now for each of them. Nanoseconds."""
        if not self._at_ns:
            return UNKNOWN * active
        return self._mean_ns * exp((self._at_ns - now_ns) / self.decay_ns) * (active + 1)
