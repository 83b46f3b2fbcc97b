"""isotope's files: what is understood, what is named, what is refused, each in isotope's own words."""

from pathlib import Path

import pytest

from harness import registry
from harness.model.errors import UsageError
from harness.model.topology import Call, Step, Topology
from harness.topologies import find_topology
from harness.topology import load_topology

PROGRAM = registry.service_program()
SHOP = Path(__file__).parent.parent / "docs" / "examples" / "shop.yaml"


def loaded(folder: Path, text: str, name: str = "t.yaml") -> Topology:
    path = folder / name
    path.write_text(text)
    return load_topology(path, PROGRAM)


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(folder, text)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"topology {folder / 't.yaml'}: ")


def test_the_example_means_here_what_it_means_there() -> None:
    shop = find_topology(str(SHOP))
    assert (shop.name, shop.entry) == ("isotope-shop", "front")
    assert {service.name: service.replicas for service in shop.services} == {
        "front": 1,
        "cart": 2,
        "offers": 2,
        "stock": 2,
    }
    assert shop.service("front").script == (
        Step((), 500),
        Step((Call("cart", 1024), Call("offers", 10240, 0.5)), 2000),
        Step((Call("stock", 1024),)),
    )
    assert (shop.service("cart").work.error_rate, shop.service("cart").work.response_bytes) == (0.001, 2048)
    assert shop.service("cart").work.sleep_us == 0


def test_what_cannot_be_honoured_is_named_with_its_places() -> None:
    assert find_topology(str(SHOP)).notes == (
        "isotope fields that can't be honoured: namespace (cart); type: grpc, called over HTTP/1.1 (offers)",
    )


def test_many_places_are_counted_and_several_entrypoints_named(tmp_path: Path) -> None:
    services = "".join(f"- {{name: {name}, isEntrypoint: true, labels: {{x: y}}}}\n" for name in "abcde")
    call = "- name: f\n  script: [{call: {service: a, hostname: 'a.x:8080', extra-header: {k: v}}}]\n"
    found = loaded(tmp_path, f"policies: 3\nservices:\n{services}{call}")
    assert found.entry == "a"
    assert found.notes == (
        "isotope fields that can't be honoured: policies (the file); labels (a, b, c and 2 more); "
        "call.hostname (f); call.extra-header (f); "
        "isEntrypoint (b: load enters at a alone, c: load enters at a alone, d: load enters at a alone and 1 more)",
    )


def test_without_settings_a_service_answers_nothing_at_once(tmp_path: Path) -> None:
    (only,) = loaded(tmp_path, "services: [{name: a, isEntrypoint: true}]").services
    assert (only.replicas, only.work.response_bytes, only.work.error_rate, only.script) == (1, 0, 0.0, ())


def test_defaults_give_a_script_too_and_a_service_overrides_them(tmp_path: Path) -> None:
    text = "default: {script: [{call: z}], responseSize: 7}\nservices:\n- {name: a, isEntrypoint: true}\n- {name: b, responseSize: 8}\n- {name: z, script: []}"
    found = loaded(tmp_path, text)
    assert [hop.id for hop in found.hops()] == ["a#0>z/http", "b#0>z/http"]
    assert [found.service(name).work.response_bytes for name in "abz"] == [7, 8, 7]


@pytest.mark.parametrize(
    ("name", "topology"),
    [
        ("canonical.yaml", "isotope-canonical"),
        ("10-svc_100-end.yaml", "isotope-10-svc-100-end"),
        ("Été.yaml", "isotope-t"),
        (f"{'x' * 60}.yaml", "isotope-" + "x" * 32),
        (f"{'x' * 31}_yy.yaml", "isotope-" + "x" * 31),
    ],
)
def test_a_topology_is_named_after_its_file(tmp_path: Path, name: str, topology: str) -> None:
    assert loaded(tmp_path, "services: [{name: a, isEntrypoint: true}]", name).name == topology


def test_a_chain_of_a_thousand_services_is_read(tmp_path: Path) -> None:
    links = "".join(f"- {{name: s{n}, script: [{{call: s{n + 1}}}]}}\n" for n in range(1, 999))
    text = f"services:\n- {{name: s0, isEntrypoint: true, script: [{{call: s1}}]}}\n{links}- {{name: s999}}"
    assert len(loaded(tmp_path, text).hops()) == 999


ONE = "services:\n- {name: a, isEntrypoint: true, "
BAD = {
    "services: []": "services: the list is empty: it needs at least one service",
    "services: [a]": "services.0: it is no mapping (is 'a')",
    "services: [{}]": "services.0: it needs a name (is None)",
    "services: [{name: a}, {name: b}, {name: c}, {name: d}]": (
        "no service has `isEntrypoint: true`, where load would enter: have a, b, c and 1 more"
    ),
    "services: [{name: a, isEntrypoint: 1}]": "services.a.isEntrypoint: allowed are true and false (is 1)",
    "services: [{name: a, isEntrypoint: true}, {name: a}]": "services.1: there are two services named 'a': rename one",
    "defaults: 3\n" + ONE + "}": "defaults: it is no mapping (is 3)",
    ONE + "type: ftp}": "services.a.type: unknown type 'ftp': have grpc, http",
    ONE + "numReplicas: 0}": "services.a.numReplicas: allowed are whole numbers from 1 (is 0)",
    ONE + "responseSize: big}": ("services.a.responseSize: allowed are sizes such as 128, 1 KB or 16K (is 'big')"),
    ONE + "errorRate: 5}": "services.a.errorRate: allowed are shares such as 0.1% or 0.001, up to 100% or 1 (is 5)",
    ONE + "script: {call: b}}": "services.a.script: it is no list of commands (is {'call': 'b'})",
    ONE + "script: [{curl: b}]}": "services.a.script.0: unknown command 'curl': have call, sleep",
    ONE + "script: [[{sleep: 1ms}, {exec: ls}]]}": "services.a.script.0: unknown command 'exec': have call, sleep",
    ONE + "script: [call]}": "services.a.script.0: a command is a mapping of one key, sleep or call (is 'call')",
    ONE + "script: [{call: b, sleep: 1s}]}": (
        "services.a.script.0: a command is a mapping of one key, sleep or call (is {'call': 'b', 'sleep': '1s'})"
    ),
    ONE + "script: [[[{sleep: 1ms}]]]}": (
        "services.a.script.0: a list of commands inside one that runs at the same time is not allowed"
    ),
    ONE + "script: [{sleep: 5}]}": "services.a.script.0.sleep: allowed are durations such as 10ms or 1m30s (is 5)",
    ONE + "script: [{call: {size: 3}}]}": "services.a.script.0.call: it needs the name of a service (is None)",
    ONE + "script: [{call: {service: a, probability: 101}}]}": (
        "services.a.script.0.call.probability: allowed are whole percents from 1 to 100 (is 101)"
    ),
    ONE + "script: [{call: b}]}": "services.a.calls: unknown service 'b': have a",
    ONE + "script: [{call: b}]}\n- {name: b, script: [{call: a}]}": (
        "b > a > b is a cycle: a request would never end; remove one of the calls"
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=range(len(BAD)))
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message
