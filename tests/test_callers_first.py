"""Callers before callees, whatever the order of the file; cycles shown."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.callers_first import callers_first
from harness.model.errors import UsageError


@given(st.permutations("abcdef"), st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))))
def test_every_caller_stands_before_its_callees(order: list[str], pairs: set[tuple[str, str]]) -> None:
    calls = {name: sorted(callee for caller, callee in pairs if caller == name < callee) for name in order}
    place = {name: number for number, name in enumerate(callers_first(calls, "a"))}
    assert sorted(place) == list("abcdef")
    assert all(place[caller] < place[callee] for caller in calls for callee in calls[caller])


@given(st.permutations("abcdef"), st.sets(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef"))))
def test_a_graph_is_refused_exactly_when_it_has_a_cycle(order: list[str], pairs: set[tuple[str, str]]) -> None:
    calls = {name: sorted(callee for caller, callee in pairs if caller == name) for name in order}
    left = set(order)
    while without := {name for name in left if not left & set(calls[name])}:
        left -= without
    if not left:
        assert len(callers_first(calls, "a")) == 6
        return
    with pytest.raises(UsageError, match="is a cycle") as caught:
        callers_first(calls, "a")
    shown = str(caught.value).partition(" is a cycle")[0].split(" > ")
    assert shown[0] == shown[-1]
    assert all(callee in calls[caller] for caller, callee in pairwise(shown))


def test_calls_keep_the_order_of_the_script() -> None:
    assert callers_first({"a": ["b", "c", "d"], "b": [], "c": [], "d": []}, "a") == list("abcd")


def test_a_chain_may_be_longer_than_the_stack() -> None:
    calls = {str(number): [str(number + 1)] for number in range(5000)} | {"5000": []}
    assert callers_first(calls, "0") == list(calls)
