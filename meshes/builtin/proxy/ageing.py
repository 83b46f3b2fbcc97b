"""Connections of clients that are old enough to end, and how they do so without a request lost. Knows no bytes.

A connection is not closed because it is old: its next answer says that it is the last, and only who asks for nothing is closed.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Generic, TypeVar

from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.rules import Rules

if TYPE_CHECKING:
    from meshes.builtin.proxy.downstream import Downstream, Listener
    from meshes.builtin.proxy.http2.serving import ServingConnection

Each = TypeVar("Each")
JITTER = 0.1
"""Connections that were made at once mustn't all end at once: ages differ by that share (gRPC's proposal A9 has the same)."""


class Ages(Generic[Each]):
    """Since when connections are open, as far as sweeps can tell. `draw` gives a number from 0 to 1."""

    def __init__(self, age_s: float, draw: Callable[[], float]) -> None:
        self.age_s = age_s
        self._draw = draw
        self._since: dict[Each, float] = {}

    def expired(self, here: Iterable[Each], now_s: float) -> list[Each]:
        """Of those that are open now, those that are too old. One that is seen for the first time begins its age."""
        former = self._since
        self._since = since = {each: former[each] if each in former else self._birth_s(now_s) for each in here}
        return [each for each, birth_s in since.items() if now_s - birth_s > self.age_s]

    def _birth_s(self, now_s: float) -> float:
        return now_s - self.age_s * JITTER * self._draw()


class Leaving:
    """A listener as a connection sees it that is to end: as if it were draining."""

    draining = True

    def __init__(self, listener: "Listener") -> None:
        self._listener = listener

    @property
    def rules(self) -> Rules:
        return self._listener.rules

    def opened(self, connection: "Downstream") -> bool:
        return self._listener.opened(connection)

    def shaken(self) -> None:
        self._listener.shaken()

    def tls_failed(self) -> None:
        self._listener.tls_failed()

    def replaced(self, connection: "Downstream", by: "ServingConnection") -> None:
        self._listener.replaced(connection, by)

    def closed(self, connection: "Downstream") -> None:
        self._listener.closed(connection)

    def failed(self, failure: Failure) -> None:
        self._listener.failed(failure)
