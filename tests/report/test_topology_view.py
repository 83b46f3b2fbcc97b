"""A topology's picture: well-formed XML that needs nothing else, every service and every call on it."""

from xml.etree import ElementTree as ET

import pytest

from harness import registry
from harness.model.program import Program
from harness.model.topology import Call, Command, Service, Step, Topology, document
from harness.report.topology_view import services_of, standalone
from harness.topologies import find_topology

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("name", sorted(registry.workload_files("topologies")))
def test_every_service_and_every_call_is_drawn_inside_the_picture(name: str) -> None:
    topology = find_topology(name)
    root = ET.fromstring(standalone(document(topology)))
    width, height = (float(root.attrib[side]) for side in ("width", "height"))
    boxes = [
        {key: float(rect.attrib[key]) for key in ("x", "y", "width", "height")} for rect in root.iter(f"{SVG}rect")
    ]
    assert len(boxes) == len(topology.services)
    assert all(0 <= box["x"] <= box["x"] + box["width"] <= width for box in boxes)
    assert all(0 <= box["y"] <= box["y"] + box["height"] <= height for box in boxes)
    assert {text.text for text in root.iter(f"{SVG}text")} >= {service.name for service in topology.services}
    tips = {title.text.partition(":")[0] for title in root.iter(f"{SVG}title") if title.text}
    assert tips >= {hop.id for hop in topology.hops()}


def test_the_picture_of_a_tree_shows_it_as_one() -> None:
    """Each caller stands at the height of the middle one of the three that it calls."""
    root = ET.fromstring(standalone(document(find_topology("tree-3x3"))))
    middle = {
        text.text: float(rect.attrib["y"]) + float(rect.attrib["height"]) / 2
        for rect, text in zip(root.iter(f"{SVG}rect"), [t for t in root.iter(f"{SVG}text") if t.get("class") == "strong"], strict=True)
    }  # fmt: skip
    assert all(middle[caller] == middle[callee] for caller, callee in ("ac", "bf", "ci", "dl"))


def test_notes_and_tips_tell_what_is_not_plain() -> None:
    program = Program("p", module="p")
    script = (Step((Call("b"),)), Step((Call("b", 2048, 0.5),)))
    found = Topology(
        "<t>", "a", (Service("a", program, 2, script=script), Service("b", program, command=Command(("x",))))
    )
    told = document(found)
    assert [(service.name, service.note) for service in services_of(told)] == [
        ("a", "entry, 2 replicas"),
        ("b", "own program"),
    ]
    picture = standalone(told)
    assert "<t>" not in picture
    titles = {title.text for title in ET.fromstring(picture).iter(f"{SVG}title")}
    assert {
        "a#0>b/http: step 1 of its caller",
        "a#1>b/http: step 2 of its caller, 0.5 of the time, 2,048 bytes sent",
    } < titles
