"""Quantities are read with their unit and refused without."""

import pytest

from harness.model.errors import UsageError
from harness.model.quantities import duration_s, share, size_bytes


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("500ms", 0.5), ("200us", 0.0002), ("2m", 120), ("1.5 s", 1.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "size"), [("128B", 128), ("1KiB", 1024), ("2MB", 2_000_000)])
def test_sizes(text: str, size: int) -> None:
    assert size_bytes(text) == size


def test_shares() -> None:
    assert share("0.5%") == pytest.approx(0.005)
    with pytest.raises(UsageError, match="more than the whole"):
        share("101%")


@pytest.mark.parametrize("text", ["30", "", "s", "-1s", "1 fortnight", "1e3s", "nan s"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(UsageError, match="write a number with a unit"):
        duration_s(text)
