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


@pytest.mark.parametrize(
    ("cores", "system", "load"),
    [
        ("0011", (0, 1), (2, 3)),
        ("0101", (0, 2), (1, 3)),
        ("00", (0,), (1,)),
        ("001", (0, 1), (2,)),
    ],
)
def test_a_core_is_given_away_whole_unless_it_is_the_only_one(
    cores: str, system: tuple[int, ...], load: tuple[int, ...]
) -> None:
    placement = place(range(len(cores)), cores.__getitem__)

    assert (placement.system, placement.load) == (system, load)
