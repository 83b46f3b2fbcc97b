"""The counts of one replica: parts that add up, calls that measure nothing, and seconds that are forgotten."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.wire.buckets import index
from workloads.service.recorder import KEEP_S, NS_PER_S, PARTS, Recorder

HOP = "a#0>b/http"
SECOND = 100
START = SECOND * NS_PER_S


def hop(recorder: Recorder, second: int = SECOND) -> dict[str, Any]:  # Any: JSON values
    found: dict[str, Any] = recorder.seconds(0, 2**62)[str(second)][HOP]
    return found


@given(st.lists(st.tuples(*[st.integers(0, 10**7)] * 3), min_size=1, max_size=30))
def test_parts_add_up_exactly_and_each_call_is_in_every_histogram(calls: list[tuple[int, int, int]]) -> None:
    recorder = Recorder()
    for request, callee, response in calls:
        done = START + request + callee + response
        recorder.call(HOP, START, START + request, START + request + callee, done, attempts=1)
    counts = hop(recorder)
    sums = counts["sums_ns"]
    assert sums["request"] + sums["callee"] + sums["response"] == sums["elapsed"]
    assert [sums[part] for part in ("request", "callee", "response")] == [
        sum(part) for part in zip(*calls, strict=True)
    ]
    assert counts["calls"] == len(calls)
    assert all(sum(counts[part].values()) == len(calls) for part in PARTS)


def test_each_part_is_counted_in_the_bucket_of_its_length() -> None:
    recorder = Recorder()
    recorder.call(HOP, START, START + 1_000, START + 31_000, START + 231_000, attempts=1)
    values = {"elapsed": 231_000, "request": 1_000, "callee": 30_000, "response": 200_000, "transit": 201_000}
    counts = hop(recorder)
    assert {part: counts[part] for part in PARTS} == {part: {index(value): 1} for part, value in values.items()}
    assert (counts["errors"], counts["retried"]) == (0, 0)


@given(st.permutations([0, 10, 20, 30]))
def test_stamps_that_run_backwards_are_an_error_and_measure_nothing(order: list[int]) -> None:
    recorder = Recorder()
    sent, received, answered, done = (START + offset for offset in order)
    recorder.call(HOP, sent, received, answered, done, attempts=1)
    counts = hop(recorder)
    forwards = order == sorted(order)
    assert (counts["calls"], counts["errors"], sum(counts["elapsed"].values())) == (1, not forwards, forwards)
    assert counts["error_kinds"] == ({} if forwards else {"clock": 1})


def test_a_retried_call_measures_nothing() -> None:
    recorder = Recorder()
    recorder.call(HOP, START, START + 1, START + 2, START + 3, attempts=2)
    counts = hop(recorder)
    assert (counts["calls"], counts["errors"], counts["retried"]) == (1, 0, 1)
    assert (counts["elapsed"], counts["sums_ns"]["elapsed"]) == ({}, 0)


def test_a_failed_call_measures_nothing() -> None:
    recorder = Recorder()
    recorder.failed(HOP, "closed", START)
    counts = hop(recorder)
    assert (counts["calls"], counts["errors"], counts["transit"]) == (1, 1, {})


def test_errors_are_counted_by_kind() -> None:
    recorder = Recorder()
    for kind in ("timeout", "503", "timeout"):
        recorder.failed(HOP, kind, START)
    assert (hop(recorder)["errors"], hop(recorder)["error_kinds"]) == (3, {"timeout": 2, "503": 1})


def test_a_call_belongs_to_the_second_of_its_answer() -> None:
    recorder = Recorder()
    recorder.call(HOP, START - 5, START - 4, START - 2, START - 1, attempts=1)
    recorder.call(HOP, START - 5, START - 4, START - 2, START, attempts=1)
    recorder.call("a#1>c/http", START, START + 1, START + 2, START + 3, attempts=1)
    assert {second: sorted(hops) for second, hops in recorder.seconds(0, 1000).items()} == {
        "99": [HOP],
        "100": [HOP, "a#1>c/http"],
    }


def test_asked_seconds_include_the_first_and_not_the_end() -> None:
    recorder = Recorder()
    for second in range(5):
        recorder.failed(HOP, "closed", second * NS_PER_S)
    assert list(recorder.seconds(1, 3)) == ["1", "2"]


def test_old_seconds_are_forgotten_so_that_a_service_may_run_for_days() -> None:
    recorder = Recorder()
    for second in range(3 * KEEP_S):
        recorder.failed(HOP, "closed", second * NS_PER_S)
    kept = recorder.seconds(0, 2**62)
    assert (len(kept), min(map(int, kept)), max(map(int, kept))) == (KEEP_S + 1, 2 * KEEP_S - 1, 3 * KEEP_S - 1)


def test_reset_forgets_everything() -> None:
    recorder = Recorder()
    recorder.failed(HOP, "closed", START)
    recorder.reset()
    assert recorder.seconds(0, 2**62) == {}
