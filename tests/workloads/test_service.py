"""The fan-out service as processes on loopback: what it answers, what it counts, and how it ends."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from harness.model.mesh import Traffic
from harness.model.plan import APP_PORT, FRONT_PORT
from harness.model.topology import Call, Topology
from tests.workloads.replicas import Replicas, pair, running, service, stranger

pytestmark = pytest.mark.system

SLEEP_US = 100_000
FAN = Topology(
    "fan",
    "a",
    (
        service("a", (Call("b"), Call("c")), (Call("b"),)),
        service("b", sleep_us=SLEEP_US),
        service("c", sleep_us=SLEEP_US),
    ),
)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Replicas]:
    with running(pair(response_bytes=300), tmp_path) as replicas:
        yield replicas


def test_a_pair_counts_every_call_and_its_parts_add_up(chain: Replicas) -> None:
    for _ in range(20):
        assert chain.call().status == 200
    hop = chain.hop()
    sums = hop["sums_ns"]
    assert (hop["calls"], hop["errors"], hop["measured"]) == (20, 0, 20)
    assert sums["request"] + sums["callee"] + sums["response"] == sums["elapsed"]
    assert min(sums.values()) > 0


def test_only_the_callers_own_work_is_its_answers_size(chain: Replicas) -> None:
    assert len(chain.call().body) == 128
    assert len(chain.ask("b-0", "/", APP_PORT).body) == 300


def test_trace_headers_are_passed_on_and_others_are_not(chain: Replicas) -> None:
    chain.call({"traceparent": "00-1-2-01", "X-B3-TraceId": "7", "x-private": "1"})
    got = dict(chain.observe("b-0", "/served")["last_headers"])
    assert (got["traceparent"], got["x-b3-traceid"]) == ("00-1-2-01", "7")
    assert got["host"] == "b"
    assert "x-private" not in got


def test_served_counts_requests_and_connections_and_reset_forgets_them(chain: Replicas) -> None:
    for _ in range(5):
        chain.call()
    served = chain.observe("b-0", "/served")
    assert (served["requests"], served["connections_accepted"], served["connections_open"]) == (5, 1, 1)
    assert served["last_version"] == "1.1"
    assert list(chain.observe("a-0", "/served")["races"].values()) == [0]
    assert (chain.reset("a-0"), chain.reset("b-0")) == (200, 200)
    served = chain.observe("b-0", "/served")
    assert (served["requests"], served["connections_accepted"], served["connections_open"]) == (0, 0, 1)
    assert (served["last_headers"], chain.observe("a-0", "/hops")["seconds"]) == ([], {})


def test_hops_are_cut_to_the_asked_seconds_and_say_whose_they_are(chain: Replicas) -> None:
    chain.call()
    document = chain.observe("a-0", "/hops")
    (second,) = document["seconds"]
    assert (document["kind"], document["schema"], document["service"], document["replica"]) == ("hops", 1, "a", 0)
    assert document["domain"]["monotonic_ns"] // 10**9 >= int(second)
    assert chain.observe("a-0", f"/hops?from={second}&to={int(second) + 1}")["seconds"] == document["seconds"]
    assert chain.observe("a-0", f"/hops?to={second}")["seconds"] == {}


@pytest.mark.parametrize(("path", "status"), [("/hops?from=now", 400), ("/nothing", 404)])
def test_what_the_observe_port_does_not_understand(chain: Replicas, path: str, status: int) -> None:
    assert chain.ask("a-0", path, 8090).status == status


def test_calls_of_a_step_overlap_and_steps_follow_each_other(tmp_path: Path) -> None:
    """One after the other, three calls take the caller at least the sum of the three; with one step of two, the sum less one."""
    with running(FAN, tmp_path) as replicas:
        received, answered = replicas.call().stamps
        elapsed = {hop: replicas.hop(hop)["sums_ns"]["elapsed"] for hop in ("a#0>b/http", "a#1>c/http", "a#2>b/http")}
    assert answered - received < sum(elapsed.values())
    assert answered - received >= max(elapsed["a#0>b/http"], elapsed["a#1>c/http"]) + elapsed["a#2>b/http"]


TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}


def test_a_sampled_request_is_answered_with_its_hop_tree(tmp_path: Path) -> None:
    """a calls b, which calls c: stamps nest as the calls do, and agree with what the hops were counted as."""
    topology = Topology("t", "a", (service("a", (Call("b"),)), service("b", (Call("c"),)), service("c")))
    with running(topology, tmp_path) as replicas:
        reply = replicas.call(TRACE)
        elapsed = replicas.hop()["sums_ns"]["elapsed"]
    tree = json.loads(reply.body)
    (b,) = tree["calls"]
    (c,) = b["calls"]
    assert (tree["service"], b["hop"], c["hop"], c["calls"]) == ("a", "a#0>b/http", "b#0>c/http", [])
    assert (tree["received_ns"], b["done_ns"] - b["sent_ns"]) == (reply.stamps[0], elapsed)
    order = [reply.stamps[0], b["sent_ns"], b["received_ns"], c["sent_ns"], c["received_ns"]]
    order += [c["answered_ns"], c["done_ns"], b["answered_ns"], b["done_ns"], reply.stamps[1]]
    assert order == sorted(order)


def test_a_leaf_asked_for_its_tree_has_one_without_calls_and_others_get_what_they_always_get(chain: Replicas) -> None:
    asked = chain.ask("b-0", "/", APP_PORT, headers=TRACE)
    assert (json.loads(asked.body)["service"], json.loads(asked.body)["calls"]) == ("b", [])
    assert chain.call({"traceparent": TRACE["traceparent"][:-1] + "0"}).body == b"x" * 128


def test_the_tree_of_a_failed_request_says_where_it_failed(tmp_path: Path) -> None:
    with running(pair(error_rate=1.0), tmp_path) as replicas:
        reply = replicas.call(TRACE)
    (b,) = json.loads(reply.body)["calls"]
    assert (reply.status, b["status"], b["error"], b["replica"]) == (502, 500, "500", 0)


def test_replicas_take_turns(tmp_path: Path) -> None:
    topology = Topology("t", "a", (service("a", (Call("b"),)), service("b", replicas=2)))
    with running(topology, tmp_path) as replicas:
        for _ in range(6):
            replicas.call()
        assert [replicas.observe(host, "/served")["requests"] for host in ("b-0", "b-1")] == [3, 3]


def test_a_callee_that_answers_500_is_a_502_and_an_error_on_the_hop(tmp_path: Path) -> None:
    with running(pair(error_rate=1.0), tmp_path) as replicas:
        assert [replicas.call().status for _ in range(3)] == [502] * 3
        hop = replicas.hop()
        assert (hop["calls"], hop["errors"], hop["measured"]) == (3, 3, 0)
        assert replicas.ask("b-0", "/", APP_PORT).status == 500


def test_a_failed_step_is_the_last(tmp_path: Path) -> None:
    topology = Topology(
        "t", "a", (service("a", (Call("b"),), (Call("c"),)), service("b", error_rate=1.0), service("c"))
    )
    with running(topology, tmp_path) as replicas:
        assert replicas.call().status == 502
        assert replicas.observe("c-0", "/served")["requests"] == 0


def test_a_callee_that_is_down_is_a_502(tmp_path: Path) -> None:
    with running(pair(), tmp_path, without="b") as replicas:
        assert replicas.call().status == 502
        assert replicas.hop()["error_kinds"] == {"connect": 1}


def test_a_callee_that_goes_away_is_found_again(chain: Replicas) -> None:
    assert chain.call().status == 200
    assert chain.stop("b-0") == 0
    assert chain.call().status == 502
    chain.start(chain.topology.service("b"))
    chain.ready()
    assert chain.call().status == 200


def test_a_callee_that_is_too_slow_is_a_504(tmp_path: Path) -> None:
    with running(pair(sleep_us=10_000_000), tmp_path, Traffic(request_timeout_s=0.1)) as replicas:
        assert replicas.call().status == 504
        hop = replicas.hop()
        assert (hop["calls"], hop["errors"], hop["error_kinds"]) == (1, 1, {"timeout": 1})


@pytest.mark.parametrize("stamps", [None, "", "soon", "1", "1,2,3"])
def test_an_answer_without_readable_stamps_is_a_502(tmp_path: Path, stamps: str | None) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        if stamps is not None:
            handler.send_header("x-hoptax-stamps", stamps)

    with running(pair(), tmp_path, without="b") as replicas, stranger(replicas.address["b-0"], answer):
        assert replicas.call().status == 502
        assert replicas.hop()["error_kinds"] == {"stamps": 1}


def test_a_call_of_probability_zero_is_never_made(tmp_path: Path) -> None:
    with running(pair(Call("b", probability=0.0)), tmp_path) as replicas:
        assert [replicas.call().status for _ in range(20)] == [200] * 20
        assert replicas.observe("b-0", "/served")["requests"] == 0


def test_a_call_of_probability_one_half_is_made_now_and_then(tmp_path: Path) -> None:
    """The chances are seeded by service and replica: the same in every run."""
    with running(pair(Call("b", probability=0.5)), tmp_path) as replicas:
        for _ in range(40):
            assert replicas.call().status == 200
        assert 10 < replicas.observe("b-0", "/served")["requests"] < 30


def test_a_request_body_arrives(tmp_path: Path) -> None:
    with running(pair(Call("b", request_bytes=100_000)), tmp_path) as replicas:
        assert replicas.call().status == 200
        assert dict(replicas.observe("b-0", "/served")["last_headers"])["content-length"] == "100000"


def test_work_takes_the_callee_at_least_its_time(tmp_path: Path) -> None:
    with running(pair(cpu_us=2_000, sleep_us=3_000), tmp_path) as replicas:
        received, answered = (replicas.call(), replicas.ask("b-0", "/", APP_PORT))[1].stamps
        assert answered - received >= 5_000_000
        assert replicas.hop()["sums_ns"]["callee"] >= 5_000_000


def test_a_planted_delay_shows_in_the_request_leg_and_not_in_the_callee(tmp_path: Path) -> None:
    planted_ns = 50_000_000
    with running(pair(), tmp_path, more={"b": {"receive_delay_us": planted_ns // 1000}}) as replicas:
        assert replicas.call().status == 200
        sums = replicas.hop()["sums_ns"]
        assert sums["request"] >= planted_ns
        assert sums["callee"] < sums["request"]


@pytest.mark.parametrize("port", [APP_PORT, FRONT_PORT])
def test_sigterm_lets_the_request_in_hand_be_answered(tmp_path: Path, port: int) -> None:
    alone = Topology("t", "a", (service("a", sleep_us=300_000),))
    with (
        running(alone, tmp_path) as replicas,
        socket.create_connection((replicas.address["a-0"], port), timeout=20) as peer,
    ):
        peer.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        while replicas.observe("a-0", "/served")["requests"] == 0:
            pass
        assert replicas.stop("a-0") == 0
        assert peer.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")


def test_sigterm_ends_idle_connections_at_once(chain: Replicas) -> None:
    with socket.create_connection((chain.address["a-0"], FRONT_PORT), timeout=20) as idle:
        idle.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert idle.recv(65536)
        assert chain.stop("a-0") == 0
        assert idle.recv(1) == b""


def test_a_service_that_cannot_listen_says_where_and_why(chain: Replicas, capfd: pytest.CaptureFixture[str]) -> None:
    first = chain.processes.pop("b-0")
    try:
        chain.start(chain.topology.service("b"))
        assert chain.processes.pop("b-0").wait(20) == 1
    finally:
        first.kill()
        first.wait()
    message = f"the service can't listen on {chain.address['b-0']}:8080: "
    assert [line[: len(message)] for line in capfd.readouterr().err.splitlines()] == [message]
