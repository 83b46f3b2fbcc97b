"""Waits grow, are bounded, and never vanish."""

from hypothesis import given
from hypothesis import strategies as st

from meshes.builtin.proxy.backoff import FIRST_S, MOST_S, delay_s


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_are_bounded(failures: int, chance: float) -> None:
    assert FIRST_S * 0.1 <= delay_s(failures, chance) <= MOST_S


def test_waits_double() -> None:
    assert [round(delay_s(failures, 1.0), 6) for failures in range(8)] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
