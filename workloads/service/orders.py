"""Misbehaviour on demand, for probes: the next so many requests are answered late or with an error. Knows no socket."""


class Order:
    """What the next `times` requests get: `sleep_ns` of waiting, then `status`. `most_at_once` of them waited at the same time."""

    __slots__ = ("_now", "left", "most_at_once", "sleep_ns", "status")

    def __init__(self, status: int, sleep_ns: int, times: int) -> None:
        self.status = status
        self.sleep_ns = sleep_ns
        self.left = times
        self.most_at_once = 0
        self._now = 0

    def take(self) -> bool:
        """Whether a request that arrives is one of them; `done` is due for it then."""
        if not self.left:
            return False
        self.left -= 1
        self._now += 1
        self.most_at_once = max(self.most_at_once, self._now)
        return True

    def done(self) -> None:
        """One of them is about to be answered."""
        self._now -= 1
