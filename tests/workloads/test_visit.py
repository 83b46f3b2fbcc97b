"""One request through a service without sockets: the test plays the callees and says how each call went."""

import random
from typing import Any, cast

import pytest

from harness.wire.client import Answer, Done
from harness.wire.pool import Pool, Timeouts
from harness.wire.server import Request, ServerConnection
from workloads.service.config import Call, Config
from workloads.service.recorder import Recorder
from workloads.service.visit import App
from workloads.service.work import Sleeper


class Callee:
    """Stands for the pool of one endpoint, and for what is behind it."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.waiting: list[Done] = []

    def call(self, request: bytes, done: Done) -> None:
        self.requests.append(request)
        self.waiting.append(done)


class Node:
    """A replica of `a` with a call site for each letter of `steps`, e.g. ("b", "cd"): first b, then c and d together."""

    def __init__(self, *steps: str) -> None:
        self.callees = {name: Callee() for step in steps for name in step}
        self.answers: list[bytes] = []
        self.recorder = Recorder()
        script = tuple(tuple(self._call(name) for name in step) for step in steps)
        config = Config("a", 0, "", 0, 0, 0, 0, 0, 0, 0.0, b"xyz", Timeouts(1, 1, 1), script)
        sleeper = cast("Sleeper", None)  # nobody sleeps here
        self.app = App(
            config, self.recorder, sleeper, lambda host, _: cast("Pool", self.callees[host]), random.Random(1)
        )

    def _call(self, name: str) -> Call:
        return Call(name, name, ((name, 1),), 1.0, b"GET / HTTP/1.1\r\n", b"")

    def enter(self, *headers: tuple[bytes, bytes]) -> "Node":
        request = Request()
        request.received_ns, request.headers = 1, list(headers)
        self.app.handle(request, cast("ServerConnection", self))
        return self

    def answer(self, response: bytes) -> None:
        """As a connection to whom asked."""
        self.answers.append(response)

    def back(self, name: str, status: int = 200, error: str = "", attempts: int = 1, **headers: str) -> "Node":
        """The oldest call to that callee is over."""
        answer = Answer()
        answer.status, answer.error, answer.attempts = status, error, attempts
        answer.sent_ns, answer.done_ns = 10, 40
        told = {"x_hoptax_stamps": "20,30"} | headers
        answer.headers = [(key.replace("_", "-").encode(), value.encode()) for key, value in told.items()]
        self.callees[name].waiting.pop(0)(answer)
        return self

    @property
    def called(self) -> dict[str, int]:
        return {name: len(callee.requests) for name, callee in self.callees.items()}

    @property
    def statuses(self) -> list[int]:
        return [int(answer.split()[1]) for answer in self.answers]

    def counts(self, hop: str = "b") -> Any:  # Any: JSON values
        return self.recorder.seconds(0, 1)["0"][hop]


def test_steps_follow_each_other_and_the_calls_of_a_step_start_together() -> None:
    node = Node("b", "cd").enter()
    assert node.called == {"b": 1, "c": 0, "d": 0}
    node.back("b")
    assert node.called == {"b": 1, "c": 1, "d": 1}
    node.back("d")
    assert not node.answers
    node.back("c")
    assert node.statuses == [200]
    assert node.answers[0].endswith(b"\r\n\r\nxyz")


def test_requests_do_not_wait_for_each_other() -> None:
    node = Node("b", "c").enter().enter()
    assert node.called == {"b": 2, "c": 0}
    node.back("b").back("c")
    assert node.statuses == [200]


def test_trace_headers_go_to_every_call_in_their_order() -> None:
    node = Node("bc").enter((b"host", b"a"), (b"b3", b"1"), (b"traceparent", b"2"), (b"b4", b"3"))
    wanted = b"GET / HTTP/1.1\r\nb3: 1\r\ntraceparent: 2\r\n\r\n"
    assert [callee.requests for callee in node.callees.values()] == [[wanted], [wanted]]


@pytest.mark.parametrize(
    ("status", "error", "stamps", "answered", "kind"),
    [
        (0, "connect", "", 502, "connect"),
        (0, "timeout", "", 504, "timeout"),
        (500, "", "20,30", 502, "500"),
        (503, "", "", 502, "503"),
        (504, "", "", 504, "504"),
        (404, "", "20,30", 502, "404"),
        (200, "", "", 502, "stamps"),
        (200, "closed", "20,30", 502, "closed"),
    ],
)
def test_a_failed_call_ends_the_script_when_its_step_is_over(
    status: int, error: str, stamps: str, answered: int, kind: str
) -> None:
    node = Node("bc", "d").enter().back("b", status, error, x_hoptax_stamps=stamps)
    assert not node.answers
    node.back("c")
    assert (node.statuses, node.called["d"]) == ([answered], 0)
    assert (node.counts()["error_kinds"], node.counts("c")["errors"]) == ({kind: 1}, 0)


@pytest.mark.parametrize(
    ("attempts", "header", "retried"), [(1, "1", 0), (1, "2", 1), (2, "1", 1), (1, "", 0), (2, "", 1)]
)
def test_a_call_of_several_attempts_is_retried_whoever_made_them(attempts: int, header: str, retried: int) -> None:
    node = Node("b").enter().back("b", attempts=attempts, x_envoy_attempt_count=header)
    counts = node.counts()
    assert (counts["calls"], counts["errors"], counts["retried"]) == (1, 0, retried)
    assert sum(counts["elapsed"].values()) == 1 - retried


def test_stamps_that_run_backwards_fail_the_hop_and_not_the_request() -> None:
    node = Node("b").enter().back("b", x_hoptax_stamps="30,20")
    assert (node.statuses, node.counts()["error_kinds"]) == ([200], {"clock": 1})
