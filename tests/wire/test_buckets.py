"""The buckets' algebra: every value has exactly one bucket, buckets leave no gap, and none is wider than 0.4 % of its values."""

from hypothesis import given
from hypothesis import strategies as st

from harness.wire.buckets import EXACT_BELOW, index, low, width

VALUES = st.integers(0, 2**63) | st.integers(0, 4 * EXACT_BELOW)
BUCKETS = st.integers(0, 20_000)


@given(VALUES)
def test_a_value_lies_in_its_bucket(value: int) -> None:
    bucket = index(value)
    assert low(bucket) <= value < low(bucket) + width(bucket)


@given(BUCKETS)
def test_buckets_follow_each_other_without_gap_or_overlap(bucket: int) -> None:
    assert low(bucket + 1) == low(bucket) + width(bucket)
    assert index(low(bucket)) == bucket
    assert index(low(bucket) + width(bucket) - 1) == bucket


@given(VALUES, VALUES)
def test_order_is_kept(one: int, other: int) -> None:
    assert (index(one) <= index(other)) == (low(index(one)) <= low(index(other)))
    assert one > other or index(one) <= index(other)


@given(st.integers(EXACT_BELOW, 2**63))
def test_no_bucket_is_wider_than_its_share(value: int) -> None:
    bucket = index(value)
    assert width(bucket) / low(bucket) <= 0.004


def test_small_values_are_exact() -> None:
    assert [(low(index(value)), width(index(value))) for value in range(EXACT_BELOW)] == [
        (value, 1) for value in range(EXACT_BELOW)
    ]


def test_known_buckets() -> None:
    """Worked out by hand: 512 is the first of the pairs; 1 ms = 1,000,000 ns = 488 · 2^11 + 576 lies in octave 11."""
    assert (index(511), index(512), index(513), index(514)) == (511, 512, 512, 513)
    bucket = index(1_000_000)
    assert (bucket, low(bucket), width(bucket)) == (11 * 256 + 488, 488 * 2048, 2048)
