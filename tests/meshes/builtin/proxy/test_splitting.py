"""Who is the canary."""

import pytest

from meshes.builtin.proxy.splitting import parted


@pytest.mark.parametrize(
    ("well", "others", "canary"),
    [("abc", "ab", "c"), ("bc", "b", "c"), ("ab", "ab", None), ("c", "c", "c"), ("a", "a", None), ("", "", None)],
)
def test_the_last_of_all_is_the_canary_if_it_is_well(well: str, others: str, canary: str | None) -> None:
    assert parted(list(well), ["c"]) == (list(others), canary)


def test_of_nobody_nobody_is_the_canary() -> None:
    assert parted([], []) == ([], None)
