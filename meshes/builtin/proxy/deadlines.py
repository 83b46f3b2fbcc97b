"""Who is late, for many waiting at once with one and the same patience. Pure: the time is passed in, seconds of any clock."""

from collections import OrderedDict
from typing import Generic, TypeVar

Waiting = TypeVar("Waiting")


class Deadlines(Generic[Waiting]):
    """Since the patience is the same for all, the first to come is the first to be late: no heap, no timer per request."""

    __slots__ = ("_since", "patience_s")

    def __init__(self, patience_s: float) -> None:
        self.patience_s = patience_s
        self._since: OrderedDict[Waiting, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._since)

    def add(self, waiting: Waiting, now_s: float) -> None:
        """Starts the wait, or starts it again."""
        self._since[waiting] = now_s
        self._since.move_to_end(waiting)

    def remove(self, waiting: Waiting) -> None:
        """The wait is over; no matter if there was none."""
        self._since.pop(waiting, None)

    def late(self, now_s: float) -> list[Waiting]:
        """Takes out and returns all whose patience has run out."""
        late: list[Waiting] = []
        while self._since:
            waiting, since = next(iter(self._since.items()))
            if since + self.patience_s > now_s:
                break
            del self._since[waiting]
            late.append(waiting)
        return late

    def next_s(self) -> float | None:
        """When the first one will be late; None if nobody waits."""
        return next(iter(self._since.values())) + self.patience_s if self._since else None
