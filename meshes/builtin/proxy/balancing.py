"""Which endpoint gets the next request. Pure: the loads and the source of chance are passed in."""

from collections.abc import Callable, Sequence
from typing import Final

Choose = Callable[[int], int]
"""A whole number below n, each as likely as the others."""
CHANCES: Final = 1 << 30
"""Chance is drawn as a whole number below that."""


def round_robin(last: int, endpoints: int) -> int:
    """The index after `last`, around."""
    return (last + 1) % endpoints


def least_request(loads: Sequence[int], choose: Choose) -> int:
    """The less loaded of two different endpoints chosen at random (Mitzenmacher, "The power of two choices", 2001).

    `loads` are requests in flight per endpoint, at least one endpoint. The first wins a tie: it is as random as the second.
    """
    count = len(loads)
    if count == 1:
        return 0
    first = choose(count)
    second = (first + 1 + choose(count - 1)) % count
    return second if loads[second] < loads[first] else first


def fraction(choose: Choose) -> float:
    """At least 0 and below 1."""
    return choose(CHANCES) / CHANCES


def seeded(seed: int) -> Choose:
    """xorshift64* (Vigna, "An experimental exploration of Marsaglia's xorshift generators", 2016): chance without the
    memory that importing `random` costs. The modulo's bias is below n / 2**32."""
    bits = seeded_bits(seed)
    return lambda below: (bits() >> 32) % below


def seeded_bits(seed: int) -> Callable[[], int]:
    """The same generator, all 64 bits of each draw."""
    state = seed & 0xFFFFFFFFFFFFFFFF or 1

    def draw() -> int:
        nonlocal state
        state ^= state >> 12
        state = (state ^ (state << 25)) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 27
        return (state * 0x2545F4914F6CDD1D) & 0xFFFFFFFFFFFFFFFF

    return draw
