"""Chance stays in its range."""

from hypothesis import given
from hypothesis import strategies as st

from meshes.builtin.proxy.balancing import fraction, seeded


@given(st.integers(0, 2**64 - 1), st.integers(1, 1000))
def test_chance_stays_in_range(seed: int, below: int) -> None:
    choose = seeded(seed)
    assert all(0 <= choose(below) < below for _ in range(20))
    assert all(0 <= fraction(choose) < 1 for _ in range(20))
