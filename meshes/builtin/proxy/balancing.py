"""Chance, as everything that is decided by it takes it. Pure but for its state."""

from collections.abc import Callable
from typing import Final

Choose = Callable[[int], int]
"""A whole number below n, each as likely as the others."""
CHANCES: Final = 1 << 30
"""Chance is drawn as a whole number below that."""


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
