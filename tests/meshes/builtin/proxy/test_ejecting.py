"""Who is left out: errors in a row, times that grow, a share that may be out."""

import pytest

from meshes.builtin.policies import MOST_EJECTED_S, Ejection
from meshes.builtin.proxy.ejecting import Ejections, Record


def fail(judge: Ejections, record: Record, times: int) -> list[float | None]:
    return [judge.judge(record, failed=True) for _ in range(times)]


def test_the_last_of_so_many_errors_in_a_row_puts_an_endpoint_out() -> None:
    judge, record = Ejections(Ejection(3, 10.0, 0.5), 2), Record()
    assert fail(judge, record, 2) == [None, None]
    judge.judge(record, failed=False)
    assert fail(judge, record, 3) == [None, None, 10.0]
    assert (record.out, judge.out, judge.made) == (True, 1, 1)


@pytest.mark.parametrize("base_s", [10.0, 500.0])
def test_each_time_is_longer_up_to_a_most(base_s: float) -> None:
    judge, record, seen = Ejections(Ejection(1, base_s, 0.5), 2), Record(), []
    for _ in range(40):
        seen += fail(judge, record, 1)
        judge.back(record)
    most_s = max(MOST_EJECTED_S, base_s)
    assert seen == [min(base_s * times, most_s) for times in range(1, 41)]


@pytest.mark.parametrize(
    ("endpoints", "share", "most"), [(1, 0.5, 1), (3, 0.5, 1), (4, 0.5, 2), (4, 0.0, 1), (4, 1.0, 4)]
)
def test_no_more_than_a_share_is_out_but_one_may_always_be(endpoints: int, share: float, most: int) -> None:
    judge, records = Ejections(Ejection(1, 10.0, share), endpoints), [Record() for _ in range(endpoints)]
    for record in records:
        fail(judge, record, 2)
    assert judge.out == sum(record.out for record in records) == most
    judge.back(records[0])
    judge.back(records[0])
    assert judge.out == most - 1


def test_what_comes_while_it_is_out_counts_neither_way() -> None:
    """Answers to requests that were under way: they would put it out again with the first error after its return."""
    judge, record = Ejections(Ejection(3, 10.0, 0.5), 2), Record()
    fail(judge, record, 9)
    judge.back(record)
    assert fail(judge, record, 3) == [None, None, 20.0]
