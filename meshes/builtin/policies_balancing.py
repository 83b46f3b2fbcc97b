"""How an endpoint is chosen, beyond the name of the balancing, as the control plane writes it; what is None nobody asked for. Pure."""

from dataclasses import dataclass
from typing import Literal, cast

from meshes.builtin.reading import Section

Balancing = Literal["round-robin", "least-request", "random", "peak-ewma", "maglev"]
BALANCINGS = ("round-robin", "least-request", "random", "peak-ewma", "maglev")
UNHASHED = ("round-robin", "least-request", "random", "peak-ewma")
"""Those that need nothing beside their name."""
HASHED = ("header", "cookie", "source")
EWMA_DECAY_S = 10.0
"""Linkerd's (`linkerd/app/core`, DEFAULT_EWMA)."""
TABLE_SIZE = 4093
"""Of a consistent hash, a prime; with a hundred entries per endpoint shares differ by about one percent (Eisenbud et al., "Maglev", 2016)."""
MOST_TABLE_SIZE = 65537


@dataclass(frozen=True, slots=True)
class Hash:
    """What of a request decides its endpoint: the value of the header or of the cookie `name`, or the address of the client."""

    on: Literal["header", "cookie", "source"]
    name: str | None = None
    table_size: int | None = None


@dataclass(frozen=True, slots=True)
class SuccessRate:
    """Every `interval_s` an endpoint is left out whose share of good answers is below the mean of all less `factor` standard deviations, of
    those with `least_answers`, if they are `least_endpoints`. Compared at sweeps: a second more or less."""

    interval_s: float
    factor: float
    least_endpoints: int
    least_answers: int


@dataclass(frozen=True, slots=True)
class Selection:
    """`hash` goes with maglev, `ewma_decay_s` with peak-ewma."""

    hash: Hash | None = None
    ewma_decay_s: float | None = None


def read_selection(section: Section) -> Selection:
    """Raises SnapshotError, as all of these do, saying where, which value and what is allowed."""
    with section as read:
        return Selection(
            hash=_hash(read.section("hash")) if read.has("hash") else None,
            ewma_decay_s=read.number("ewma_decay_s", 0.001, 3600) if read.has("ewma_decay_s") else None,
        )


def read_success_rate(section: Section) -> SuccessRate:
    """Envoy's defaults are 10 s, a factor of 1.9, 5 endpoints and 100 answers."""
    with section as read:
        return SuccessRate(
            interval_s=read.number("interval_s", 0.01, 86400),
            factor=read.number("factor", 0, 100),
            least_endpoints=read.integer("least_endpoints", 1, 2**20),
            least_answers=read.integer("least_answers", 1, 2**30),
        )


def _hash(section: Section) -> Hash:
    with section as read:
        on = read.choice("on", HASHED)
        name = read.text("name") if read.has("name") else None
        size = read.integer("table_size", 2, MOST_TABLE_SIZE) if read.has("table_size") else None
        if (name is None) != (on == "source"):
            raise read.wrong("name", name, "there for a header or a cookie, and not for the source")
        if name is not None and not name.replace("-", "").replace("_", "").isalnum():
            raise read.wrong("name", name, "of letters, digits, '-' and '_'")
        if size is not None and any(size % divisor == 0 for divisor in range(2, int(size**0.5) + 1)):
            raise read.wrong("table_size", size, "a prime")
        return Hash(cast("Literal['header', 'cookie', 'source']", on), name, size)


def objection(balancing: str, selection: Selection | None) -> str:
    """What is wrong with these two together, or nothing."""
    given = selection or Selection()
    if (given.hash is None) == (balancing == "maglev"):
        return "maglev needs selection.hash, and no other balancing has it"
    if given.ewma_decay_s is not None and balancing != "peak-ewma":
        return "selection.ewma_decay_s is for peak-ewma alone"
    return ""
