"""The topology's two pictures: every hop labelled, names escaped, nothing outside the canvas."""

import re

from harness.report.layers import Call
from harness.report.picture import Label, Service, graph, tree

SERVICES = [Service("a", "entry"), Service("<b>"), Service("c"), Service("d")]
CALLS = [Call("1", "a", "<b>"), Call("2", "a", "c"), Call("3", "<b>", "d"), Call("4", "c", "d")]
LABELS = {str(n): Label(((1, f"+{n}00 [1, 2]"), (2, f"+{n}50 [3, 4]")), f"tip {n}") for n in range(1, 5)}


def test_the_graph_labels_every_hop_with_every_arm() -> None:
    svg = graph(SERVICES, CALLS, LABELS).svg("g", "t", "d")
    assert all(f"+{n}00 [1, 2]" in svg and f"+{n}50 [3, 4]" in svg and f"tip {n}" in svg for n in range(1, 5))
    assert "&lt;b&gt;" in svg
    assert "<b>" not in svg


def test_everything_is_inside_the_graph() -> None:
    canvas = graph(SERVICES, CALLS, LABELS)
    svg = "".join(canvas.parts)
    assert all(0 <= float(y) <= canvas.height for y in re.findall(r' y="(-?[\d.]+)"', svg))
    assert all(0 <= float(x) <= canvas.width for x in re.findall(r' x="(-?[\d.]+)"', svg))


def test_the_tree_follows_a_shared_service_once() -> None:
    calls = [*CALLS, Call("5", "d", "e")]
    svg = "".join(tree([*SERVICES, Service("e")], calls, LABELS, 340).parts)
    assert svg.count(">d</tspan>") == 2
    assert svg.count(">e</tspan>") == 1
    assert "see above" in svg
    assert all(f"+{n}00 [1, 2]" in svg for n in range(1, 5))


def test_a_call_without_figures_is_still_drawn() -> None:
    assert graph(SERVICES, CALLS, {}).svg("g", "t", "d").count('class="wire"') == 2 * len(CALLS)
