"""Topology files: what is understood, what is refused and in which words, and a digest of the content alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import registry
from harness.model.errors import UsageError
from harness.model.topology import Call, Step, Topology, Work
from harness.topology import MAX_SERVICES, load_topology

PROGRAM = registry.service_program()
SHOP = """
name: shop
entry: web
services:
  web:
    calls:
      - cart
      - [stock, {service: price, request: 2KiB, probability: 50%}]
  cart: {replicas: 2, work: {cpu: 200us, response: 1KiB}}
  stock: {work: {sleep: 2ms, errors: 1%}}
  price: {}
"""


def loaded(folder: Path, text: str) -> Topology:
    path = folder / "t.yaml"
    path.write_text(text)
    return load_topology(path, PROGRAM)


def refusal(folder: Path, text: str) -> str:
    """The message, without the file that every message names."""
    with pytest.raises(UsageError) as caught:
        loaded(folder, text)
    prefix = f"topology {folder / 't.yaml'}"
    assert str(caught.value).startswith(prefix)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(prefix).lstrip(": ")


def test_every_key_of_a_file(tmp_path: Path) -> None:
    shop = loaded(tmp_path, SHOP)
    assert (shop.name, shop.entry) == ("shop", "web")
    assert shop.service("web").script == (
        Step((Call("cart"),)),
        Step((Call("stock"), Call("price", request_bytes=2048, probability=0.5))),
    )
    assert shop.service("cart").replicas == 2
    assert shop.service("cart").work == Work(cpu_us=200, response_bytes=1024)
    assert shop.service("stock").work == Work(sleep_us=2000, error_rate=0.01)
    assert shop.service("price").work == Work()
    assert all(service.program == PROGRAM for service in shop.services)


def test_a_step_may_sleep_alone_or_beside_calls_for_the_longest_of_its_sleeps(tmp_path: Path) -> None:
    text = "name: t\nentry: a\nservices:\n  a: {calls: [{sleep: 2ms}, [{sleep: 5us}, b, {sleep: 1ms}]]}\n  b: {}"
    assert loaded(tmp_path, text).service("a").script == (Step((), 2000), Step((Call("b"),), 1000))


def test_hops_are_numbered_by_call_site(tmp_path: Path) -> None:
    assert [hop.id for hop in loaded(tmp_path, SHOP).hops()] == [
        "web#0>cart/http",
        "web#1>stock/http",
        "web#2>price/http",
    ]


@pytest.mark.parametrize(
    ("name", "services", "hops"),
    [
        ("pair", "ab", 1),
        ("chain-4", "abcd", 3),
        ("chain-4-work", "abcd", 3),
        ("diamond", "abcd", 4),
        ("fanout-4", "abcde", 4),
        ("fanout-16", "abcdefghijklmnopq", 16),
        ("tree-3x3", "abcdefghijklm", 12),
        ("replicas", "ab", 1),
    ],
)
def test_shipped_topologies(name: str, services: str, hops: int) -> None:
    topology = load_topology(registry.find_file("topologies", name), PROGRAM)
    assert (topology.name, topology.entry) == (name, "a")
    assert [service.name for service in topology.services] == list(services)
    assert len(topology.hops()) == hops


def test_every_shipped_topology_is_known_here() -> None:
    assert sorted(registry.workload_files("topologies")) == [
        "chain-4",
        "chain-4-work",
        "diamond",
        "fanout-16",
        "fanout-4",
        "pair",
        "replicas",
        "tree-3x3",
    ]


def test_topologies_of_earlier_results_keep_their_digests() -> None:
    """What came later (own commands, steps that sleep) is in no digest of a topology that doesn't use it."""
    digests = {
        name: load_topology(path, PROGRAM).digest for name, path in registry.workload_files("topologies").items()
    }
    assert digests["chain-4"] == "0f9fdd1a1d991fa9"
    assert digests["replicas"] == "d13593caab7e1239"


@given(st.permutations("abcde"), st.sets(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), max_size=10))
def test_callers_stand_before_callees_whatever_the_order_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, order: list[str], pairs: set[tuple[str, str]]
) -> None:
    """Calls go from an earlier letter to a later one, so there is no cycle."""
    calls = {name: sorted(callee for caller, callee in pairs if caller == name < callee) for name in order}
    text = "name: t\nentry: a\nservices:\n" + "".join(f"  {name}: {{calls: {calls[name]}}}\n" for name in order)
    topology = loaded(tmp_path_factory.mktemp("t"), text.replace("'", ""))
    place = {service.name: number for number, service in enumerate(topology.services)}
    assert sorted(place) == list("abcde")
    assert all(place[caller] < place[callee] for caller in calls for callee in calls[caller])


def test_many_ways_to_a_service_are_not_walked_one_by_one(tmp_path: Path) -> None:
    """Each service calls the next one twice: 2 to the 99th ways to the last."""
    ladder = "".join(f"  s{number}: {{calls: [s{number + 1}, s{number + 1}]}}\n" for number in range(99))
    topology = loaded(tmp_path, f"name: t\nentry: s0\nservices:\n{ladder}  s99: {{}}\n")
    assert (len(topology.services), len(topology.hops())) == (100, 198)


def test_the_digest_is_of_the_content(tmp_path: Path) -> None:
    reordered = """
# the same shop, written by somebody else
entry: "web"
services:
    price:
        calls: []
    stock: {work: {errors: 1.0%, sleep: 2000us}, replicas: 1}
    cart: {work: {response: 1024B, cpu: 0.2ms}, replicas: 2}
    web: {calls: [[cart], [{service: stock}, {probability: 50%, request: 2048B, service: price}]]}
name: shop
"""
    one, other = loaded(tmp_path, SHOP), loaded(tmp_path, reordered)
    assert one.digest == other.digest
    assert len(one.digest) == 16


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: shop", "name: shop2"),
        ("entry: web", "entry: cart"),
        ("replicas: 2", "replicas: 3"),
        ("cpu: 200us", "cpu: 201us"),
        ("sleep: 2ms", "sleep: 3ms"),
        ("errors: 1%", "errors: 2%"),
        ("response: 1KiB", "response: 1kB"),
        ("probability: 50%", "probability: 51%"),
        ("request: 2KiB", "request: 3KiB"),
        ("- cart", "- stock"),
        ("- [stock, {", "- stock\n      - [{"),
        ("- cart", "- [cart, {sleep: 1us}]"),
    ],
)
def test_the_digest_changes_with_the_content(tmp_path: Path, old: str, new: str) -> None:
    assert old in SHOP
    assert loaded(tmp_path, SHOP).digest != loaded(tmp_path, SHOP.replace(old, new)).digest


HEAD = "name: t\nentry: a\nservices:\n"
NAME_RULE = "allowed are lower-case letters, digits and '-', as in '^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$'"
DURATION_RULE = "is not a duration: write a number with a unit, e.g. 30s, 500ms, 200us, 2m"

BAD = {
    "": "it holds no mapping: it needs name, entry and services",
    "- a": "it holds no mapping: it needs name, entry and services",
    "[" * 2000: "is not YAML that can be read: it is nested too deeply",
    "name: 2024-99-99": "is not YAML: month must be in 1..12",
    "name: t\nentry: a": "services: it is missing",
    "name: t\nentry: a\nservices: {}": "services: Dictionary should have at least 1 item after validation, not 0 (is {})",
    "name: t\nentry: a\nservices: [a]": "services.0: it is no mapping (is 'a')",
    "name: t\nentry: z\nservices: {a: {}, b: {}}": "entry: unknown service 'z': have a, b",
    "name: T\nentry: a\nservices: {a: {}}": f"name: {NAME_RULE} (is 'T')",
    HEAD + "  a: {}\n  A: {}": f"services.A: {NAME_RULE} (is 'A')",
    HEAD + "  a: {}\n  1: {}": "services.1: Input should be a valid string (is 1)",
    HEAD + "  a:": "services.a: it holds no mapping (is None)",
    HEAD + "  a: {}\nextra: 1": "extra: unknown key, have name, entry, services",
    HEAD + "  a: {cpu: 1us}": "services.a.cpu: unknown key, have replicas, work, calls, command",
    HEAD + "  a: {}\n  work: {cpu: 1us}": "services.work.cpu: unknown key, have replicas, work, calls, command",
    HEAD + "  a: {}\n  calls: {cpu: 1us}": "services.calls.cpu: unknown key, have replicas, work, calls, command",
    HEAD + "  a: {work: {ram: 1}}": "services.a.work.ram: unknown key, have cpu, sleep, response, errors",
    HEAD + "  a: {calls: [{service: b, size: 1B}]}": (
        "services.a.calls.0.0.size: unknown key, have service, request, probability, sleep"
    ),
    HEAD + "  a: {work: {cpu: 5}}": "services.a.work.cpu: 5 has no unit: write e.g. 200us, 1KiB or 1%",
    HEAD + "  a: {work: {cpu: 5KiB}}": f"services.a.work.cpu: '5KiB' {DURATION_RULE}",
    HEAD + "  a: {work: {cpu: -5us}}": f"services.a.work.cpu: '-5us' {DURATION_RULE}",
    HEAD + "  a: {work: {sleep: 2m}}": "services.a.work.sleep: '2m' is too much: allowed are at most 60s",
    HEAD + "  a: {work: {response: 17MiB}}": "services.a.work.response: '17MiB' is too much: allowed are at most 16MiB",
    HEAD + "  a: {work: {errors: 101%}}": (
        "services.a.work.errors: '101%' is more than the whole: a share is 0% to 100%"
    ),
    HEAD + "  a: {work: {errors: 0.1}}": "services.a.work.errors: 0.1 has no unit: write e.g. 200us, 1KiB or 1%",
    HEAD + "  a: {replicas: 0}": "services.a.replicas: Input should be greater than or equal to 1 (is 0)",
    HEAD + "  a: {replicas: 1001}": "services.a.replicas: Input should be less than or equal to 1000 (is 1001)",
    HEAD + "  a: {replicas: yes}": "services.a.replicas: Input should be a valid integer (is True)",
    HEAD + "  a: {calls: b}": "services.a.calls: Input should be a valid list (is 'b')",
    HEAD + "  a: {calls: [7]}": "services.a.calls.0.0: it holds no mapping (is 7)",
    HEAD + "  a: {calls: [[]]}": (
        "services.a.calls.0: Value should have at least 1 item after validation, not 0 (is [])"
    ),
    HEAD + "  a: {calls: [{service: b, sleep: 1ms}]}": (
        "services.a.calls.0.0: a call names either a service or a sleep: write e.g. cart, {service: cart} or {sleep: 2ms}"
    ),
    HEAD + "  a: {calls: [{}]}": (
        "services.a.calls.0.0: a call names either a service or a sleep: write e.g. cart, {service: cart} or {sleep: 2ms}"
    ),
    HEAD + "  a: {calls: [{sleep: 61s}]}": "services.a.calls.0.0.sleep: '61s' is too much: allowed are at most 60s",
    HEAD + "  a: {calls: [b]}\n  c: {}": "services.a.calls: unknown service 'b': have a, c",
    HEAD + "  a: {calls: [a]}": "a > a is a cycle: a request would never end; remove one of the calls",
    HEAD + "  a: {calls: [b]}\n  b: {calls: [[d, c]]}\n  c: {calls: [b]}\n  d: {}": (
        "c > b > c is a cycle: a request would never end; remove one of the calls"
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=range(len(BAD)))
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


def test_long_values_are_cut(tmp_path: Path) -> None:
    many = ", ".join(f"s{number}: {{}}" for number in range(MAX_SERVICES + 1))
    message = refusal(tmp_path, f"name: t\nentry: s1\nservices: {{{many}}}")
    assert "at most 1000 items" in message
    assert len(message) < 160
