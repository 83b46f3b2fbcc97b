"""Who is left out: errors in a row by kind, success less often than others, times that grow and shrink, a share that may be out."""

from dataclasses import replace

import pytest

from meshes.builtin.policies import MOST_EJECTED_S, Ejection
from meshes.builtin.policies_balancing import SuccessRate
from meshes.builtin.proxy.ejecting import NO_ANSWER, Ejections, Record, outliers

PLAIN = Ejection(3, 10.0, 0.5)
RATE = SuccessRate(10.0, 1.9, 5, 100)


def judged(judge: Ejections, record: Record, *answers: int, now_s: float = 0.0) -> list[float | None]:
    return [judge.judge(record, status, now_s) for status in answers]


def test_the_last_of_so_many_errors_in_a_row_puts_an_endpoint_out() -> None:
    judge, record = Ejections(PLAIN, 2), Record()
    assert judged(judge, record, 500, NO_ANSWER) == [None, None]
    assert judged(judge, record, 200, 503, 500, NO_ANSWER) == [None, None, None, 10.0]
    assert (record.out, judge.out, judge.made["errors"]) == (True, 1, 1)


@pytest.mark.parametrize(
    ("config", "answers", "kind"),
    [
        (PLAIN, (500, 502, NO_ANSWER), "errors"),
        (PLAIN, (500, 502, 499, 500, 500), ""),
        (replace(PLAIN, gateway=2), (502, NO_ANSWER), "gateway"),
        (replace(PLAIN, gateway=2), (503, 500, 504, 500)[:2], ""),
        (replace(PLAIN, consecutive=99, gateway=2), (503, 500, 504, 500, 502), ""),
        (replace(PLAIN, consecutive=99, gateway=2), (503, 200, 504), ""),
        (replace(PLAIN, consecutive=99, gateway=2), (500, 504, 502), "gateway"),
        (replace(PLAIN, gateway=3), (502, 502, 502), "errors"),
        (replace(PLAIN, local=2), (NO_ANSWER, NO_ANSWER), "local"),
        (replace(PLAIN, local=2), (NO_ANSWER, 500, NO_ANSWER, 500), ""),
        (replace(PLAIN, local=2), (NO_ANSWER, 500, NO_ANSWER, 500, 500), "errors"),
        (replace(PLAIN, local=9, gateway=1), (NO_ANSWER, NO_ANSWER), ""),
        (replace(PLAIN, local=2), (NO_ANSWER, 200, NO_ANSWER), ""),
    ],
)
def test_errors_in_a_row_are_counted_by_kind(config: Ejection, answers: tuple[int, ...], kind: str) -> None:
    judge, record = Ejections(config, 2), Record()
    seen = judged(judge, record, *answers)
    assert [out_s for out_s in seen[:-1] if out_s] == []
    assert {name for name, count in judge.made.items() if count} == ({kind} if kind else set())
    assert record.out == bool(kind)


def test_good_answers_are_listened_to_only_while_they_matter() -> None:
    judge, record = Ejections(replace(PLAIN, local=3), 2), Record()
    for status, listens in ((500, True), (200, False), (NO_ANSWER, True), (500, True), (200, False)):
        judge.judge(record, status, 0.0)
        assert record.listens == listens
    judge.config = replace(PLAIN, success_rate=RATE)
    judge.judge(record, 200, 0.0)
    assert record.listens


@pytest.mark.parametrize("base_s", [10.0, 500.0])
@pytest.mark.parametrize("most_s", [None, 30.0])
def test_each_time_is_longer_up_to_a_most(base_s: float, most_s: float | None) -> None:
    judge, record, seen = Ejections(Ejection(1, base_s, 0.5, most_s=most_s), 2), Record(), []
    for _ in range(40):
        seen += judged(judge, record, 500)
        judge.back(record, 0.0)
    bound_s = max(most_s or MOST_EJECTED_S, base_s)
    assert seen == [min(base_s * times, bound_s) for times in range(1, 41)]


@pytest.mark.parametrize(
    ("passed_s", "out_s"), [(0.0, 40.0), (9.9, 40.0), (10.0, 30.0), (25.0, 20.0), (30.0, 10.0), (9999.0, 10.0)]
)
def test_a_while_without_being_out_makes_the_next_time_shorter(passed_s: float, out_s: float) -> None:
    judge, record = Ejections(Ejection(1, 10.0, 0.5, shrink_s=10.0), 2), Record()
    for _ in range(3):
        judged(judge, record, 500, now_s=100.0)
        judge.back(record, 100.0)
    assert judged(judge, record, 500, now_s=100.0 + passed_s) == [out_s]


@pytest.mark.parametrize(
    ("endpoints", "share", "most"), [(1, 0.5, 1), (3, 0.5, 1), (4, 0.5, 2), (4, 0.0, 1), (4, 1.0, 4)]
)
def test_no_more_than_a_share_is_out_but_one_may_always_be(endpoints: int, share: float, most: int) -> None:
    judge, records = Ejections(Ejection(1, 10.0, share), endpoints), [Record() for _ in range(endpoints)]
    for record in records:
        judged(judge, record, 500, 500)
    assert judge.out == sum(record.out for record in records) == most
    judge.back(records[0], 0.0)
    judge.back(records[0], 0.0)
    assert judge.out == most - 1


def test_what_comes_while_it_is_out_counts_neither_way() -> None:
    """Answers to requests that were under way: they would put it out again with the first error after its return."""
    judge, record = Ejections(PLAIN, 2), Record()
    judged(judge, record, *[500] * 9)
    judge.back(record, 0.0)
    assert judged(judge, record, 500, 500, 500) == [None, None, 20.0]


def answered(answers: int, good: int) -> Record:
    record = Record()
    record.answers, record.good = answers, good
    return record


@pytest.mark.parametrize(
    ("rates", "given", "left_out"),
    [
        ((100, 100, 100, 100, 100), RATE, []),
        ((100, 100, 100, 100, 0), RATE, [4]),  # mean 80, deviation 40: below 4
        ((100, 100, 100, 100, 5), RATE, [4]),
        ((100, 100, 100, 0), RATE, []),  # too few endpoints
        ((90, 92, 94, 96, 98), RATE, []),
        ((90, 92, 94, 96, 98), replace(RATE, factor=1.0), [0]),
        ((50, 51, 50, 51, 0), replace(RATE, factor=1.0), [4]),
        ((100, 0), replace(RATE, factor=0.5, least_endpoints=2), [1]),
    ],
)
def test_who_succeeds_less_often_than_the_others(
    rates: tuple[int, ...], given: SuccessRate, left_out: list[int]
) -> None:
    records = [answered(100, rate) for rate in rates]
    assert outliers(records, given) == [records[index] for index in left_out]


def test_who_has_answered_too_little_has_no_say() -> None:
    records = [*(answered(100, 100) for _ in range(4)), answered(99, 0)]
    assert outliers(records, RATE) == []
    heard = answered(100, 0)
    assert outliers([*records, heard], RATE) == [heard]


def test_an_interval_ends_with_who_goes_and_the_next_one_begins_at_nothing() -> None:
    judge = Ejections(replace(PLAIN, success_rate=replace(RATE, factor=1.0)), 5)
    records = [answered(100, 100) for _ in range(4)] + [answered(100, 0)]
    assert judge.compare(records, 0.0) == [(records[4], 10.0)]
    assert judge.made["success_rate"] == 1
    assert {(record.answers, record.good) for record in records} == {(0, 0)}
    assert judge.compare(records, 10.0) == []


def test_who_is_out_already_is_not_compared() -> None:
    judge = Ejections(replace(PLAIN, consecutive=1, success_rate=RATE), 10)
    records = [answered(100, 100) for _ in range(4)] + [answered(100, 0)]
    judged(judge, records[4], 500)
    assert judge.compare(records, 0.0) == []


def test_no_more_than_the_share_goes_by_comparison_either() -> None:
    judge = Ejections(replace(PLAIN, most_share=0.2, success_rate=replace(RATE, factor=0.1)), 10)
    records = [answered(100, 100) for _ in range(6)] + [answered(100, 0) for _ in range(4)]
    assert len(judge.compare(records, 0.0)) == 2
