"""Who is late, with time as a number."""

from hypothesis import given
from hypothesis import strategies as st

from meshes.builtin.proxy.deadlines import Deadlines


def test_the_first_to_come_is_the_first_to_be_late() -> None:
    waits: Deadlines[str] = Deadlines(1.0)
    waits.add("a", 10.0)
    waits.add("b", 10.5)
    assert waits.next_s() == 11.0
    assert waits.late(10.99) == []
    assert waits.late(11.0) == ["a"]
    waits.add("c", 11.2)
    waits.add("b", 11.3)
    assert waits.next_s() == 12.2
    waits.remove("c")
    waits.remove("never there")
    assert waits.late(20.0) == ["b"]
    assert waits.next_s() is None
    assert len(waits) == 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=50))
def test_nobody_is_late_early_and_nobody_is_forgotten(steps: list[tuple[int, int]]) -> None:
    waits: Deadlines[int] = Deadlines(2.0)
    since: dict[int, float] = {}
    now = 0.0
    for who, passed in steps:
        now += passed
        late = waits.late(now)
        assert set(late) == {each for each, began in since.items() if began + 2.0 <= now}
        for each in late:
            del since[each]
        waits.add(who, now)
        since[who] = now
