"""The table of consistent hashing: even, the same everywhere, and little moved when endpoints come, go or are out."""

from collections import Counter

import pytest

from meshes.builtin.proxy.maglev import first, mixed, table

SIZE = 4093
NAMES = [f"10.0.0.{n}:15006" for n in range(1, 11)]


@pytest.mark.parametrize("count", [1, 2, 3, 10])
def test_every_endpoint_has_the_same_share_of_the_table_but_for_one_entry(count: int) -> None:
    shares = Counter(table(NAMES[:count], SIZE))
    assert sum(shares.values()) == SIZE
    assert set(shares) == set(range(count))
    assert max(shares.values()) - min(shares.values()) <= 1


def test_little_moves_when_an_endpoint_goes() -> None:
    before, after = table(NAMES, SIZE), table(NAMES[:-1], SIZE)
    moved = sum(one != other for one, other in zip(before, after, strict=True) if one != len(NAMES) - 1)
    assert moved < SIZE * 0.1, "beside the tenth that has to"


def test_the_order_of_the_endpoints_hardly_matters() -> None:
    """Only where two of them want an entry in the same turn."""
    straight, reverse = table(NAMES, SIZE), table(NAMES[::-1], SIZE)
    same = sum(NAMES[one] == NAMES[::-1][other] for one, other in zip(straight, reverse, strict=True))
    assert same > SIZE * 0.6


def test_an_empty_table_and_one_with_more_endpoints_than_entries() -> None:
    assert set(table([], 7)) == {-1}
    assert sorted(table(NAMES, 7)) == list(range(7))


def test_keys_are_spread_and_stay_where_they_are() -> None:
    entries = table(NAMES, SIZE)
    falls = Counter(first(entries, b"user-%d" % n, lambda _: True) for n in range(10_000))
    assert min(falls.values()) > 800
    assert max(falls.values()) < 1200
    assert first(entries, b"user-1", lambda _: True) == first(table(NAMES, SIZE), b"user-1", lambda _: True)


def test_what_falls_on_one_that_is_out_is_spread_over_the_others_and_nothing_else_moves() -> None:
    entries, moved = table(NAMES, SIZE), Counter[int]()
    for n in range(10_000):
        before = first(entries, b"%d" % n, lambda _: True)
        after = first(entries, b"%d" % n, lambda index: index != 3)
        assert before in (after, 3)
        moved[after] += before == 3
    assert len([count for count in moved.values() if count]) == 9


def test_nobody_is_well() -> None:
    with pytest.raises(LookupError):
        first(table(NAMES, 7), b"x", lambda _: False)


def test_mixing_is_that_of_splitmix64() -> None:
    """The first numbers of the generator with the seed 0 (Vigna's splitmix64.c)."""
    assert [mixed(0), mixed(0x9E3779B97F4A7C15)] == [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4]
