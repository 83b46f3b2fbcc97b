"""Places of services and calls: layers, lanes of their own, and the same for the same graph."""

from itertools import pairwise

from harness.report.layers import Call, Layout, depths, layout


def calls(*edges: str) -> list[Call]:
    return [Call(f"{edge[0]}#{index}>{edge[1]}", edge[0], edge[1]) for index, edge in enumerate(edges)]


def rows(placed: Layout) -> dict[str, tuple[float, ...]]:
    return {route.call.id: route.rows for route in placed.routes}


def test_a_chain_is_a_straight_line() -> None:
    placed = layout("abcd", calls("ab", "bc", "cd"))
    assert [box.layer for box in placed.boxes] == [0, 1, 2, 3]
    assert {box.centre for box in placed.boxes} == {0.5}
    assert set(rows(placed).values()) == {(0.5,)}


def test_a_fan_out_gives_every_callee_a_row_and_centres_the_caller() -> None:
    placed = layout("abcde", calls("ab", "ac", "ad", "ae"))
    assert placed.lanes == 4
    assert [box.centre for box in placed.boxes] == [2.0, 0.5, 1.5, 2.5, 3.5]


def test_calls_into_one_service_have_lanes_of_their_own() -> None:
    placed = layout("abcd", calls("ab", "ac", "bd", "cd"))
    into_d = [ends[-1] for call, ends in rows(placed).items() if call.endswith(">d")]
    assert len(set(into_d)) == 2
    assert next(box for box in placed.boxes if box.name == "d").lanes == 2


def test_two_calls_between_the_same_services_do_not_share_a_lane() -> None:
    placed = layout("ab", calls("ab", "ab"))
    assert sorted(ends[-1] for ends in rows(placed).values()) == [0.5, 1.5]


def test_a_call_past_a_layer_gets_room_in_it() -> None:
    placed = layout("abcd", calls("ab", "bc", "ac", "cd"))
    long = rows(placed)["a#2>c"]
    b = next(box for box in placed.boxes if box.name == "b")
    assert len(long) == 2
    assert not b.top <= long[0] < b.top + b.lanes


def test_no_two_boxes_or_lanes_of_a_layer_overlap() -> None:
    edges = calls("ab", "ac", "ad", "bd", "cd", "be", "ce", "de", "ae")
    placed = layout("abcde", edges)
    for layer in range(placed.layers):
        taken = [(box.top, box.top + box.lanes) for box in placed.boxes if box.layer == layer]
        taken += [
            (row - 0.5, row + 0.5)
            for route in placed.routes
            for step, row in enumerate(route.rows[:-1])
            if depths("abcde", edges)[route.call.caller] + 1 + step == layer
        ]
        taken.sort()
        assert all(first[1] <= second[0] for first, second in pairwise(taken))


def test_depth_is_the_longest_way() -> None:
    assert depths("abc", calls("ab", "bc", "ac")) == {"a": 0, "b": 1, "c": 2}


def test_a_service_that_nobody_calls_stands_first() -> None:
    assert {box.name: box.layer for box in layout("axb", calls("ab")).boxes} == {"a": 0, "x": 0, "b": 1}


def test_a_caller_stands_in_the_middle_of_what_it_calls() -> None:
    placed = layout("abcdefghij", calls("ab", "ac", "ad", "be", "bf", "bg", "ch", "ci", "cj"))
    centre = {box.name: box.centre for box in placed.boxes}
    assert [centre[name] for name in "efghij"] == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]
    assert (centre["b"], centre["c"]) == (1.5, 4.5)
    assert centre["a"] == sum(centre[name] for name in "bcd") / 3


def test_those_who_would_stand_in_one_place_stand_beside_each_other_and_inside_the_picture() -> None:
    placed = layout("abcdefgh", calls("ab", "ac", "ad", "ae", "ef", "eg", "eh"))
    centre = {box.name: box.centre for box in placed.boxes}
    assert placed.lanes == 4
    assert [centre[name] for name in "fgh"] == [1.5, 2.5, 3.5]
