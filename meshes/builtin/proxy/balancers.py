"""Who gets the next request, by the balancing that the configuration names; chosen when configuration comes. Opens nothing.

A balancer is told who is there whenever that changes (`refresh`), and asked once per request, only if two or more are well.
"""

from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import Generic, Protocol, TypeVar

from meshes.builtin.policies_balancing import EWMA_DECAY_S, Selection
from meshes.builtin.proxy.balancing import Choose
from meshes.builtin.proxy.ewma import Latency


class Candidate(Protocol):
    """An endpoint as balancers see it: requests in flight, and how long it takes if anybody wants to know."""

    name: str
    active: int
    latency: Latency | None


class Asker(Protocol):
    """A request that wants an endpoint: its head as it goes upstream, and the address that it came from."""

    @property
    def lead(self) -> bytes: ...
    @property
    def source(self) -> bytes: ...


Each = TypeVar("Each", bound=Candidate)


class Balancer(Protocol[Each]):
    """`every` are all that the balancer may ever choose from, `well` those of them that it may choose now."""

    def refresh(self, every: Sequence[Each], well: Sequence[Each]) -> None: ...
    def pick(self, asker: Asker | None) -> Each: ...


class RoundRobin(Generic[Each]):
    """One after another."""

    __slots__ = ("_last", "_well")

    def __init__(self) -> None:
        self._last = -1
        self._well: Sequence[Each] = ()

    def refresh(self, every: Sequence[Each], well: Sequence[Each]) -> None:  # noqa: ARG002 - the well alone are asked
        self._well = well

    def pick(self, asker: Asker | None) -> Each:  # noqa: ARG002 - all requests are alike
        last = self._last = (self._last + 1) % len(self._well)
        return self._well[last]


class LeastRequest(Generic[Each]):
    """The less loaded of two different ones chosen at random (Mitzenmacher, "The power of two choices", 2001). The first wins a tie: it is
    as random as the second."""

    __slots__ = ("_choose", "_well")

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self._well: Sequence[Each] = ()

    def refresh(self, every: Sequence[Each], well: Sequence[Each]) -> None:  # noqa: ARG002
        self._well = well

    def pick(self, asker: Asker | None) -> Each:  # noqa: ARG002
        well, choose = self._well, self._choose
        first = choose(len(well))
        one, other = well[first], well[(first + 1 + choose(len(well) - 1)) % len(well)]
        return other if other.active < one.active else one


class Random(LeastRequest[Each]):
    """Any."""

    __slots__ = ()

    def pick(self, asker: Asker | None) -> Each:  # noqa: ARG002
        return self._well[self._choose(len(self._well))]


class PeakEwma(LeastRequest[Each]):
    """Of two, the one where a request costs less by what answers took lately."""

    __slots__ = ("_decay_ns", "_now_ns")

    def __init__(self, choose: Choose, decay_s: float, now_ns: Callable[[], int] = monotonic_ns) -> None:
        super().__init__(choose)
        self._decay_ns = decay_s * 1e9
        self._now_ns = now_ns

    def refresh(self, every: Sequence[Each], well: Sequence[Each]) -> None:
        self._well = well
        for each in every:
            each.latency = each.latency or Latency(self._decay_ns)

    def pick(self, asker: Asker | None) -> Each:  # noqa: ARG002
        well, choose, now_ns = self._well, self._choose, self._now_ns()
        first = choose(len(well))
        one, other = well[first], well[(first + 1 + choose(len(well) - 1)) % len(well)]
        return other if _cost(other, now_ns) < _cost(one, now_ns) else one


def _cost(each: Candidate, now_ns: int) -> float:
    return 0.0 if each.latency is None else each.latency.cost(each.active, now_ns)


def balancer(balancing: str, selection: Selection | None, choose: Choose) -> Balancer[Each]:
    """The one that is asked for; `selection` has what it needs."""
    given = selection or Selection()
    if balancing == "least-request":
        return LeastRequest(choose)
    if balancing == "random":
        return Random(choose)
    if balancing == "peak-ewma":
        return PeakEwma(choose, given.ewma_decay_s or EWMA_DECAY_S)
    if given.hash is not None:
        from meshes.builtin.proxy.hashed import Maglev  # noqa: PLC0415 - loaded only where it is asked for

        return Maglev(choose, given.hash)
    return RoundRobin()
