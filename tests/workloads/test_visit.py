"""One request through a service without sockets: the test plays the callees and says how each call went."""

import random
from collections.abc import Callable
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


class Bed:
    """In the place of a sleeper: who sleeps wakes when told."""

    def __init__(self) -> None:
        self.sleeping: list[tuple[int, Callable[[], None]]] = []

    def after(self, sleep_ns: int, wake: Callable[[], None]) -> None:
        self.sleeping.append((sleep_ns, wake))


class Node:
    """A replica of `a` with a call site for each letter of `steps`, e.g. ("b", "cd"): first b, then c and d together.

    Each step sleeps as long as `sleeps_ns` say, and callees are `stamped` or not.
    """

    def __init__(self, *steps: str, sleeps_ns: tuple[int, ...] = (), stamped: bool = True) -> None:
        self.callees = {name: Callee() for step in steps for name in step}
        self.answers: list[bytes] = []
        self.recorder = Recorder()
        script = tuple(tuple(self._call(name, stamped) for name in step) for step in steps)
        sleeps = sleeps_ns or (0,) * len(steps)
        config = Config("a", 0, "", 0, 0, 0, 0, 0, 0, 0.0, b"xyz", Timeouts(1, 1, 1), script, sleeps)
        self.bed = Bed()
        sleeper = cast("Sleeper", self.bed)
        self.app = App(
            config, self.recorder, sleeper, lambda host, _: cast("Pool", self.callees[host]), random.Random(1)
        )

    def _call(self, name: str, stamped: bool) -> Call:
        return Call(name, name, ((name, 1),), 1.0, stamped, b"GET / HTTP/1.1\r\n", b"")

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


def test_a_step_takes_its_calls_and_its_sleep_whichever_is_longer() -> None:
    node = Node("b", "", "c", sleeps_ns=(5, 7, 0)).enter()
    assert node.called == {"b": 1, "c": 0}
    (first,) = node.bed.sleeping
    first[1]()
    assert len(node.bed.sleeping) == 1  # b hasn't answered
    node.back("b")
    assert [sleep_ns for sleep_ns, _ in node.bed.sleeping] == [5, 7]
    assert node.called["c"] == 0
    node.bed.sleeping[1][1]()
    node.back("c")
    assert node.statuses == [200]


@pytest.mark.parametrize(("attempts", "timed"), [("1", 1), ("2", 0)])
def test_a_callee_of_the_users_own_needs_no_stamps(attempts: str, timed: int) -> None:
    node = Node("b", stamped=False).enter().back("b", x_hoptax_stamps="", x_envoy_attempt_count=attempts)
    counts = node.counts()
    assert (node.statuses, counts["calls"], counts["errors"], counts["retried"]) == ([200], 1, 0, 1 - timed)
    assert counts["sums_ns"]["elapsed"] == 30 * timed
    assert [sum(counts[part].values()) for part in ("elapsed", "request", "callee", "response", "transit")] == [
        timed, 0, 0, 0, 0
    ]  # fmt: skip


def test_stamps_of_a_callee_of_the_users_own_are_read_if_it_gives_any() -> None:
    counts = Node("b", stamped=False).enter().back("b").counts()
    assert (counts["sums_ns"]["request"], counts["sums_ns"]["callee"]) == (10, 10)


def test_a_failure_of_a_callee_of_the_users_own_is_one() -> None:
    node = Node("b", stamped=False).enter().back("b", 500, x_hoptax_stamps="")
    assert (node.statuses, node.counts()["error_kinds"]) == ([502], {"500": 1})
