"""Which CPUs are whose."""

from collections.abc import Sequence

import pytest

from harness.platforms.placement import place


@pytest.mark.parametrize(
    ("cpus", "system", "load", "apart"),
    [
        ([0], (0,), (0,), False),
        ([0, 1], (0,), (1,), True),
        ([7, 2, 5], (2, 5), (7,), True),
        (range(64), tuple(range(63)), (63,), True),
    ],
)
def test_load_has_the_last_cpu_and_the_system_the_others(
    cpus: Sequence[int], system: tuple[int, ...], load: tuple[int, ...], apart: bool
) -> None:
    placement = place(cpus)

    assert (placement.system, placement.load, placement.apart) == (system, load, apart)
