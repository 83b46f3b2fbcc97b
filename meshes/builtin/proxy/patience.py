"""The request timeout on an event loop: `deadlines` with one timer for all requests that wait. Knows no HTTP."""

import asyncio
from typing import Protocol

from meshes.builtin.proxy.deadlines import Deadlines


class Impatient(Protocol):
    """Whoever waits."""

    def timed_out(self) -> None: ...
    def try_timed_out(self) -> None: ...


class Patience:
    """Calls `timed_out` on whoever started and didn't stop in time. The loop's clock ticks in milliseconds."""

    __slots__ = ("_armed", "_deadlines", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self._loop = loop
        self._deadlines: Deadlines[Impatient] = Deadlines(seconds)
        self._armed = False

    def start(self, request: Impatient) -> None:
        """The wait begins."""
        now_s = self._loop.time()
        self._deadlines.add(request, now_s)
        if not self._armed:
            self._arm(now_s + self._deadlines.patience_s)

    def stop(self, request: Impatient) -> None:
        """The wait is over."""
        self._deadlines.remove(request)

    def _tell(self, late: Impatient) -> None:
        late.timed_out()

    def _arm(self, at_s: float) -> None:
        self._armed = True
        self._loop.call_at(at_s, self._ring)

    def _ring(self) -> None:
        """A timer that outlives its request costs less than one that is cancelled with every request."""
        self._armed = False
        for request in self._deadlines.late(self._loop.time()):
            self._tell(request)
        next_s = self._deadlines.next_s()
        if next_s is not None and not self._armed:
            self._arm(next_s)


class TryPatience(Patience):
    """Calls `try_timed_out` instead: the request as a whole may have time left."""

    __slots__ = ()

    def _tell(self, late: Impatient) -> None:
        late.try_timed_out()
