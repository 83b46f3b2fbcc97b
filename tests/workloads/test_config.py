"""The document of a replica, as plans write it and as the service understands it."""

import json
from pathlib import Path

import pytest

from harness import registry
from harness.model.app import direct, service_document
from harness.model.mesh import Traffic
from harness.model.topology import Call, Service, Step, Topology, Work
from workloads.service.config import Config, load

PROGRAM = registry.service_program()
A = Service(
    "a",
    PROGRAM,
    work=Work(cpu_us=200, sleep_us=3, response_bytes=7, error_rate=0.25),
    script=(Step((Call("b", request_bytes=5, probability=0.5), Call("c"))), Step((Call("b"),))),
)
TOPOLOGY = Topology("t", "a", (A, Service("b", PROGRAM, replicas=2), Service("c", PROGRAM)))
ADDRESSES = {"${address.a-0}": "127.82.0.1", "${address.b-0}": "127.82.0.2"}
ADDRESSES |= {"${address.b-1}": "127.82.0.3", "${address.c-0}": "127.82.0.4"}


def config(folder: Path, name: str = "a", **more: int) -> Config:
    document = service_document(TOPOLOGY, TOPOLOGY.service(name), 0, Traffic(request_timeout_s=2.5), direct) | more
    text = json.dumps(document)
    for reference, address in ADDRESSES.items():
        text = text.replace(reference, address)
    path = folder / "service.json"
    path.write_text(text)
    return load(path)


def test_work_is_in_nanoseconds_and_bytes(tmp_path: Path) -> None:
    read = config(tmp_path)
    assert (read.cpu_ns, read.sleep_ns, read.error_rate, read.body) == (200_000, 3_000, 0.25, b"xxxxxxx")
    assert read.timeouts == (1.0, 2.5, 300.0)
    assert (read.service, read.replica, read.address) == ("a", 0, "127.82.0.1")


@pytest.mark.parametrize(("name", "front"), [("a", 8081), ("b", 0)])
def test_only_the_entry_has_a_front(tmp_path: Path, name: str, front: int) -> None:
    read = config(tmp_path, name)
    assert (read.app_port, read.observe_port, read.front_port) == (8080, 8090, front)


def test_a_planted_delay_is_read_and_absent_otherwise(tmp_path: Path) -> None:
    assert config(tmp_path).receive_delay_ns == 0
    assert config(tmp_path, receive_delay_us=200).receive_delay_ns == 200_000


def test_call_sites_are_numbered_over_steps_and_know_every_replica(tmp_path: Path) -> None:
    steps = config(tmp_path).steps
    assert [[call.hop for call in step] for step in steps] == [["a#0>b/http", "a#1>c/http"], ["a#2>b/http"]]
    assert steps[0][0].endpoints == (("127.82.0.2", 8080), ("127.82.0.3", 8080))
    assert (steps[0][0].probability, steps[0][1].probability) == (0.5, 1.0)


def test_a_call_with_a_body_is_a_post_and_one_without_a_get(tmp_path: Path) -> None:
    (post, get), _ = config(tmp_path).steps
    assert (post.head, post.body) == (b"POST / HTTP/1.1\r\nhost: b\r\ncontent-length: 5\r\n", b"xxxxx")
    assert (get.head, get.body) == (b"GET / HTTP/1.1\r\nhost: c\r\n", b"")
