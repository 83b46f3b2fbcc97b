"""How long before a due time the engine asks to be woken: as late as this machine is, nearly always. Pure."""


class Margin:
    """How long before a due time to be woken: about the 95th percentile of how late this machine wakes us.

    The time between waking and due is spent polling, so answers that come meanwhile are seen at once. After each wake the
    margin grows by `GROW_NS` when the wake was later than it, else shrinks by `SHRINK_NS`: it settles where
    P(later) = SHRINK/(GROW + SHRINK), whatever the size of outliers.
    """

    GROW_NS = 1900
    SHRINK_NS = 100

    def __init__(self, most_ns: int) -> None:
        self._most_ns = most_ns
        self.ns = most_ns // 2

    def woke(self, late_ns: int) -> None:
        """Learn from one wake-up, `late_ns` after it was asked for."""
        step = self.GROW_NS if late_ns > self.ns else -self.SHRINK_NS
        self.ns = min(max(self.ns + step, 0), self._most_ns)
