"""isotope's quantities as ours read them."""

import pytest

from harness.isotope_values import ms_text, percent_text, replicas, size_text
from harness.model.errors import UsageError
from harness.model.quantities import duration_s, share, size_bytes


@pytest.mark.parametrize(
    ("value", "size"),
    [(0, 0), (128, 128), ("128", 128), ("1 KB", 1024), ("1kb", 1024), ("10K", 10240), ("1.5KiB", 1536), ("2MB", 2**21), ("7b", 7)],
)  # fmt: skip
def test_sizes_are_powers_of_1024(value: object, size: int) -> None:
    assert size_bytes(size_text(value, "x")) == size


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("100ms", 0.1), ("1m30s", 90), ("1.5s", 1.5), ("10us", 1e-5), ("10µs", 1e-5), ("1h0m1s", 3601), (".5s", 0.5)],
)
def test_durations_may_have_several_parts(value: object, seconds: float) -> None:
    assert duration_s(ms_text(value, "x")) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("value", "part"), [("0.1%", 0.001), ("100%", 1), (0.001, 0.001), (0, 0), (1, 1), (1e-7, 1e-7)]
)
def test_shares_are_percents_or_parts_of_one(value: object, part: float) -> None:
    assert share(percent_text(value, "x")) == pytest.approx(part)


@pytest.mark.parametrize("value", [None, True, "", "KB", "-1", -1, "1 XB", 1.5, [1]])
def test_what_is_no_size(value: object) -> None:
    with pytest.raises(UsageError, match=r"^x: allowed are sizes"):
        size_text(value, "x")


@pytest.mark.parametrize("value", [None, 5, "", "5", "-5s", "5 s", "1s1", "five"])
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(UsageError, match=r"^x\.sleep: allowed are durations"):
        ms_text(value, "x")


@pytest.mark.parametrize("value", [None, True, "101%", "0.1", -0.1, 1.1, "x%", float("nan")])
def test_what_is_no_share(value: object) -> None:
    with pytest.raises(UsageError, match=r"^x: allowed are shares"):
        percent_text(value, "x")


@pytest.mark.parametrize("value", [None, True, 0, -1, 1.5, "2"])
def test_what_is_no_number_of_replicas(value: object) -> None:
    with pytest.raises(UsageError, match=r"^x: allowed are whole numbers"):
        replicas(value, "x")
