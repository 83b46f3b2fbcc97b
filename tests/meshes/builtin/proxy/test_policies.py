"""Policies in conversations: what is sent again and where, what is refused, what goes on in the trace. No sockets."""

import json
from dataclasses import replace
from typing import Any

import pytest

from meshes.builtin.policies import Authorization, Breaker, Ejection, Retry, Split, Tracing
from meshes.builtin.proxy.access_log import AccessLog
from meshes.builtin.proxy.authorization import Guard
from meshes.builtin.proxy.ejecting import Ejections, Record
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.tracing import Tracer
from meshes.builtin.snapshot import Cluster, Endpoint, Limits
from tests.meshes.builtin.proxy.stage import CLOSED, Stage
from tests.meshes.builtin.proxy.test_conversation import GET, GET_SENT, OK, flag, status

BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
RETRY = Retry(2, 1.0, 0.2, 3, 0.025, 0.25)
MOST_WAIT_S = 0.25


def retrying(**more: Any) -> Stage:
    return Stage(policies={"retry": more.pop("retry", RETRY)}, choose=lambda below: below // 2, **more)


def again(stage: Stage) -> bytes:
    """What the callee gets after the wait."""
    stage.clock.run(MOST_WAIT_S)
    stage.accept()
    return stage.to_callee()


@pytest.mark.parametrize("code", [502, 503, 504])
def test_an_answer_of_a_busy_callee_is_not_passed_on_but_asked_for_again(code: int) -> None:
    stage = retrying()
    stage.client(GET)
    assert stage.to_callee() == GET_SENT
    stage.callee(BUSY.replace(b"503", b"%d" % code))
    assert stage.to_client() == b""
    assert again(stage) == GET_SENT
    stage.callee(OK)
    assert stage.to_client() == OK
    assert stage.telemetry.policies["retries_total", "b"]() == 1
    assert stage.telemetry.traffic["outbound", "b"].status[2] == 1
    assert stage.telemetry.traffic["outbound", "b"].active == stage.pool.active == 0


@pytest.mark.parametrize("code", [200, 404, 500, 501])
def test_other_answers_are_final(code: int) -> None:
    stage = retrying()
    stage.client(GET)
    stage.to_callee()
    stage.callee(OK.replace(b"200", b"%d" % code))
    assert status(stage.to_client()) == code
    assert again(stage) == b""


TRAILERS_ONLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: %d\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("on", "statuses", "answer", "repeated"),
    [
        (("5xx",), None, OK.replace(b"200", b"500"), True),
        (("connect-failure",), None, BUSY, False),
        (("retriable-4xx",), None, OK.replace(b"200", b"409"), True),
        (("retriable-status-codes",), (425,), OK.replace(b"200", b"425"), True),
        (("retriable-status-codes",), (425,), BUSY, False),
        (("unavailable",), None, TRAILERS_ONLY % 14, True),
        (("unavailable",), None, TRAILERS_ONLY % 13, False),
        (("unavailable", "internal"), None, TRAILERS_ONLY % 13, True),
        ((), None, BUSY, False),
    ],
)
def test_what_is_asked_for_again_is_what_the_conditions_name(
    on: tuple[str, ...], statuses: tuple[int, ...] | None, answer: bytes, repeated: bool
) -> None:
    stage = retrying(retry=replace(RETRY, on=on, statuses=statuses))
    stage.client(GET)
    stage.to_callee()
    stage.callee(answer)
    assert (again(stage) == GET_SENT) == repeated
    assert (stage.to_client() == b"") == repeated


@pytest.mark.parametrize(("on", "repeated"), [(("connect-failure",), False), (("reset",), True), (("5xx",), True)])
def test_a_connection_that_breaks_is_no_connection_that_fails(on: tuple[str, ...], repeated: bool) -> None:
    stage = retrying(retry=replace(RETRY, on=on))
    stage.client(GET)
    stage.to_callee()
    stage.callee_closes()
    stage.clock.run(MOST_WAIT_S)
    assert len(stage.waiting()) == repeated


def test_no_more_requests_are_retried_at_once_than_the_breaker_allows() -> None:
    stage = Stage(policies={"retry": RETRY, "breaker": Breaker(9, 9, max_retries=0)})
    stage.client(GET)
    stage.callee(BUSY)
    assert status(stage.to_client()) == 503
    assert stage.telemetry.policies["retries_denied_total", "b"]() == 1
    reconfigure(stage, retry=RETRY, breaker=Breaker(9, 9))
    stage.client(GET)
    stage.callee(BUSY)
    assert stage.to_client() == b"", "without a bound the budget alone decides"


def test_requests_beyond_those_that_the_breaker_allows_in_flight_are_refused() -> None:
    stage = Stage(policies={"breaker": Breaker(9, 9, max_requests=2)})
    stage.telemetry.traffic["outbound", "b"].active = 2
    stage.client(GET)
    assert (status(answer := stage.to_client()), flag(answer)) == (503, "breaker-open")
    assert stage.telemetry.policies["breaker_refused_total", "b"]() == 1
    stage.telemetry.traffic["outbound", "b"].active = 1
    stage.client(GET)
    assert stage.to_callee() == GET_SENT
    reconfigure(stage, breaker=Breaker(9, 9))
    assert stage._callee._most_requests == Limits().max_requests


def test_after_the_last_try_its_answer_is_passed_on() -> None:
    stage = retrying()
    stage.client(GET)
    for _ in range(3):
        assert stage.to_callee() == GET_SENT
        stage.callee(BUSY)
        stage.clock.run(MOST_WAIT_S)
    assert status(stage.to_client()) == 503
    assert stage.telemetry.policies["retries_total", "b"]() == 2
    stage.client(GET)
    stage.callee(OK)
    assert stage.to_client() == OK


def test_a_connection_that_breaks_before_the_answer_costs_one_try() -> None:
    stage = retrying()
    stage.client(GET)
    stage.callee_closes()
    stage.clock.run(MOST_WAIT_S)
    stage.accept()
    assert stage.to_callee() == GET_SENT
    stage.callee(OK)
    assert stage.to_client() == OK


def test_a_connection_that_can_not_be_made_costs_one_try() -> None:
    stage = retrying(accept=False)
    stage.client(GET)
    stage.refuse(Failure.CONNECT_FAILED)
    assert again(stage) == GET_SENT


def test_nothing_is_sent_again_once_the_client_has_some_of_the_answer() -> None:
    stage = retrying()
    stage.client(GET)
    stage.callee(OK[:-1])
    assert status(stage.to_client()) == 200
    stage.callee_closes()
    stage.clock.run(MOST_WAIT_S)
    assert stage.waiting() == []
    assert len(stage.upstreams) == 1


def test_a_try_that_takes_too_long_is_repeated_and_its_late_answer_thrown_away() -> None:
    stage = retrying()
    stage.client(GET)
    stage.clock.run(RETRY.per_try_timeout_s + MOST_WAIT_S)
    stage.accept()
    assert len(stage.upstreams) == 2
    stage.callee(OK.replace(b"ok", b"no"), connection=0)
    assert stage.to_client() == b""
    stage.callee(OK)
    assert stage.to_client() == OK


def test_the_request_timeout_holds_for_all_tries_together() -> None:
    stage = retrying(request_s=1.5)
    stage.client(GET)
    stage.clock.run(1.5)
    assert flag(stage.to_client()) == "request-timeout"


def test_the_whole_body_is_sent_again() -> None:
    stage = retrying()
    stage.client(b"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 6\r\n\r\nabc")
    stage.client(b"def")
    first = stage.to_callee()
    assert first.endswith(b"\r\n\r\nabcdef")
    stage.callee(BUSY)
    assert again(stage) == first


def test_what_of_the_body_comes_during_the_wait_follows() -> None:
    stage = retrying()
    stage.client(b"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 6\r\n\r\nabc")
    stage.callee_closes()
    assert not stage.client_is_read()
    stage.client(b"d")
    assert again(stage).endswith(b"\r\n\r\nabcd")
    assert stage.client_is_read()
    stage.client(b"ef")
    assert stage.to_callee() == b"ef"
    stage.callee(OK)
    assert stage.to_client() == OK


def test_a_request_longer_than_the_buffer_is_tried_once() -> None:
    stage = retrying(limits=Limits(buffer_bytes=1024))
    stage.client(b"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 2000\r\n\r\n")
    stage.client(b"x" * 2000)
    stage.callee(BUSY)
    assert status(stage.to_client()) == 503


def test_a_client_that_goes_during_the_wait_ends_it() -> None:
    stage = retrying()
    stage.client(GET)
    stage.to_callee()
    stage.callee(BUSY)
    stage.client_closes()
    assert again(stage) == b""
    assert stage.telemetry.traffic["outbound", "b"].active == stage.pool.active == 0


def test_retries_beyond_the_budget_are_not_made() -> None:
    stage = retrying(retry=Retry(2, 1.0, 0.0, 0, 0.025, 0.25))
    stage.client(GET)
    stage.callee(BUSY)
    assert status(stage.to_client()) == 503
    assert stage.telemetry.policies["retries_denied_total", "b"]() == 1


def test_a_retry_goes_to_another_endpoint() -> None:
    stage = retrying(endpoints=3)
    stage.client(GET)
    stage.callee(BUSY)
    stage.clock.run(MOST_WAIT_S)
    (wish,) = stage.waiting()
    assert wish[2].endpoint.port != 1
    stage.accept([wish])
    assert stage.to_callee() == GET_SENT


def test_a_try_whose_request_became_whole_before_its_connection_is_cut_all_the_same() -> None:
    stage = retrying(accept=False)
    stage.client(b"POST /x HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\na")
    stage.client(b"b")
    stage.accept()
    stage.clock.run(RETRY.per_try_timeout_s + MOST_WAIT_S)
    assert len(stage.waiting()) == 1


def test_a_wait_is_no_try() -> None:
    """Neither is it cut, nor does its end speak against the endpoint once more."""
    slow = Retry(2, 0.01, 0.2, 3, 0.2, 0.2)
    stage = retrying(retry=slow, request_s=0.05)
    stage.callee_pools[0].record = record = Record()
    stage._callee.outliers._ejections = Ejections(Ejection(9, 10.0, 0.5), 1)
    stage.client(GET)
    stage.callee(BUSY)
    assert record.row == 1
    stage.clock.run(0.05)
    assert flag(stage.to_client()) == "request-timeout"
    assert record.row == 1
    assert stage.telemetry.policies["retries_total", "b"]() == 1


@pytest.mark.parametrize("drawn", [0.0, 0.9])
def test_a_retry_of_a_split_callee_goes_to_whoever_else_there_is(drawn: float) -> None:
    """With one other endpoint beside the canary chance has no say."""
    stage = Stage(
        endpoints=2,
        policies={"retry": RETRY, "split": Split(0.5)},
        choose=lambda below: int(drawn * below),
        accept=False,
    )
    stage.client(GET)
    ((_, _, first),) = wishes = stage.waiting()
    stage.accept(wishes)
    stage.callee(BUSY)
    stage.clock.run(MOST_WAIT_S)
    ((_, _, second),) = stage.waiting()
    assert {first.endpoint.port, second.endpoint.port} == {1, 2}


def breaking(connections: int, pending: int) -> Stage:
    return Stage(policies={"breaker": Breaker(connections, pending)}, accept=False)


class Crowd:
    """Requests that want connections without being one client's."""

    def __init__(self, stage: Stage, size: int) -> None:
        self.got: list[int] = []
        self.gone: set[int] = set()
        self.pool = stage.pool
        self.size = size

    def wants(self, attempt: int) -> bool:
        return attempt not in self.gone

    def connected(self, upstream: Any, attempt: int) -> bool:
        if attempt not in self.gone:
            self.got.append(attempt)
        return attempt not in self.gone

    def connect_failed(self, failure: Failure, detail: str, attempt: int) -> None:
        self.gone.add(attempt)

    def ask(self) -> None:
        for attempt in range(self.size):
            self.pool.open(self, attempt)


def test_requests_beyond_the_connections_wait_in_order_and_those_beyond_are_refused() -> None:
    stage = breaking(1, 2)
    crowd = Crowd(stage, 3)
    crowd.ask()
    stage.client(GET)
    assert (status(answer := stage.to_client()), flag(answer)) == (503, "breaker-open")
    assert stage.telemetry.policies["breaker_refused_total", "b"]() == 1
    assert stage.telemetry.policies["requests_pending", "b"]() == 2
    stage.accept()
    assert crowd.got == [0]
    upstream = stage.upstreams[0][0]
    stage.pool.released(upstream)
    assert crowd.got == [0, 1]
    stage.pool.released(upstream)
    stage.pool.released(upstream)
    assert crowd.got == [0, 1, 2]
    assert stage.pool.idle == [upstream]
    assert stage.telemetry.policies["requests_pending", "b"]() == 0


def test_those_that_went_make_room_in_the_line() -> None:
    stage = breaking(1, 1)
    crowd = Crowd(stage, 2)
    crowd.ask()
    crowd.gone = {1}
    stage.pool.open(crowd, 2)
    stage.accept()
    stage.pool.released(stage.upstreams[0][0])
    assert crowd.got == [0, 2]


def test_a_connection_that_ends_gives_its_place_to_one_that_waits() -> None:
    stage = breaking(1, 1)
    crowd = Crowd(stage, 2)
    crowd.ask()
    stage.accept()
    stage.callee_closes()
    stage.accept()
    assert crowd.got == [0, 1]


def test_an_endpoint_that_goes_tells_those_that_wait_for_it() -> None:
    stage = breaking(1, 1)
    crowd = Crowd(stage, 2)
    crowd.ask()
    stage.pool.retire()
    stage.clock.run()
    assert crowd.gone == {1}


def reconfigure(stage: Stage, endpoints: int = 1, **policies: Any) -> None:
    where = tuple(Endpoint("127.0.0.1", 1 + n) for n in range(endpoints))
    stage._callee.apply(Cluster("b", where, mtls=False, **policies), Limits())
    stage.clock.run()


def test_a_breaker_that_is_widened_or_taken_away_lets_those_in_that_wait() -> None:
    changes: tuple[dict[str, Any], ...] = ({"breaker": Breaker(2, 2)}, {})
    for change in changes:
        stage = breaking(1, 2)
        crowd = Crowd(stage, 2)
        crowd.ask()
        reconfigure(stage, **change)
        stage.accept()
        assert crowd.got == [0, 1]
        assert stage.telemetry.policies["requests_pending", "b"]() == 0


def test_what_was_counted_outlives_changes_of_the_policies() -> None:
    every = {"retry": RETRY, "ejection": Ejection(1, 10.0, 0.5), "breaker": Breaker(64, 64)}
    stage = retrying(endpoints=2)
    reconfigure(stage, 2, **every)
    stage.client(GET)
    answer(stage, BUSY)
    for change in ({}, every, {"retry": Retry(9, 1.0, 0.2, 3, 0.025, 0.25), "ejection": Ejection(2, 1.0, 0.5)}):
        reconfigure(stage, 2, **change)
        assert stage.telemetry.policies["retries_total", "b"]() == 1
        assert stage.telemetry.policies["ejections_total", "b"]() == 1
        assert stage.telemetry.policies["endpoints_ejected", "b"]() == 0


def test_an_endpoint_that_is_out_stays_out_when_others_come_and_go() -> None:
    judged = {"ejection": Ejection(1, 10.0, 0.5)}
    stage = Stage(endpoints=2, policies=judged)
    assert picked(stage) == 1
    reconfigure(stage, 3, **judged)
    assert {picked(stage) for _ in range(2)} == {2, 3}
    assert stage.telemetry.policies["endpoints_ejected", "b"]() == 1
    stage.clock.run(10.0)
    assert stage.telemetry.policies["endpoints_ejected", "b"]() == 0


def picked(stage: Stage) -> int:
    """The port of the endpoint that gets a request, which then fails."""
    stage.client(GET)
    port = next(pool.endpoint.port for pool in stage.callee_pools if pool.active)
    answer(stage, BUSY.replace(b"503", b"500"))
    return port


def answer(stage: Stage, data: bytes) -> None:
    """The answer of the endpoint that has the request."""
    stage.callee(data, connection=next(n for n, (upstream, _) in enumerate(stage.upstreams) if upstream.owner))
    stage.to_client()


def test_an_endpoint_that_fails_in_a_row_is_left_out_and_comes_back() -> None:
    stage = Stage(endpoints=2, policies={"ejection": Ejection(2, 10.0, 0.5)})
    assert [picked(stage) for _ in range(3)] == [1, 2, 1]
    assert [picked(stage) for _ in range(3)] == [2, 2, 2], "one endpoint may be out, so the other stays"
    assert stage.telemetry.policies["endpoints_ejected", "b"]() == 1
    stage.clock.run(10.0)
    assert 1 in {picked(stage) for _ in range(2)}


def test_a_good_answer_between_errors_forgives() -> None:
    stage = Stage(endpoints=2, policies={"ejection": Ejection(2, 10.0, 0.5)})
    for _ in range(4):
        for reply in (BUSY, BUSY, OK, OK):
            stage.client(GET)
            answer(stage, reply)
    assert stage.telemetry.policies["ejections_total", "b"]() == 0


@pytest.mark.parametrize(("drawn", "port"), [(0.1, 3), (0.3, 1)])
def test_the_canary_gets_its_share(drawn: float, port: int) -> None:
    stage = Stage(endpoints=3, policies={"split": Split(0.2)}, choose=lambda below: int(drawn * below), accept=False)
    stage.client(GET)
    ((_, _, pool),) = stage.waiting()
    assert pool.endpoint.port == port


def test_an_only_endpoint_is_canary_and_all() -> None:
    stage = Stage(policies={"split": Split(1.0)})
    stage.client(GET)
    assert stage.to_callee() == GET_SENT


def test_a_stranger_and_a_denied_path_get_403_and_the_connection_stays() -> None:
    stage = Stage(inbound=True, guard=Guard(Authorization(("",), "/denied")))
    stage.client(GET.replace(b"/x", b"/%64enied/y"))
    assert flag(answer := stage.to_client()) == "denied"
    assert status(answer) == 403
    assert not answer.endswith(CLOSED)
    stage.client(GET)
    assert stage.to_callee().startswith(b"GET /x ")
    nobody = Stage(inbound=True, guard=Guard(Authorization(("spiffe://x/a",), "/denied")))
    nobody.client(GET)
    assert status(nobody.to_client()) == 403


def test_a_trace_goes_on_with_a_span_of_our_own() -> None:
    stage = Stage(tracer=Tracer(Tracing(0.0), lambda: 0xABC))
    stage.client(GET[:-2] + b"TraceParent: 00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01\r\n\r\n")
    sent = stage.to_callee()
    assert sent.lower().count(b"traceparent") == 1
    assert b"\r\ntraceparent: 00-%b-0000000000000abc-01\r\n" % (b"1" * 32) in sent


def test_the_log_tells_sizes_and_flags() -> None:
    written: list[bytes] = []
    log = AccessLog("outbound", written.append, lambda: 1_700_000_000_123_000_000)
    stage = Stage(log=log)
    stage.client(b'POST /a"b\\ HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc')
    stage.callee(OK)
    stage.client(GET)
    stage.callee_closes()
    log.flush()
    first, second = map(json.loads, b"".join(written).splitlines())
    assert first == {
        "time": 1700000000.123, "direction": "outbound", "method": "POST", "path": '/a"b\\', "host": "b", "status": 200, "flag": "",
        "duration_us": first["duration_us"], "bytes_in": 3, "bytes_out": 2, "endpoint": "127.0.0.1:1", "peer": "",
    }  # fmt: skip
    assert (second["status"], second["flag"], second["bytes_in"]) == (503, "upstream-reset", 0)


def test_sizes_are_those_of_the_request_even_if_the_log_begins_between_two() -> None:
    written: list[bytes] = []
    log = AccessLog("outbound", written.append, lambda: 0)
    stage = Stage()
    stage.client(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\n\r\nabc")
    stage.callee_closes()
    stage.listener.rules = replace(stage.listener.rules, log=log)
    stage.client(GET)
    stage.callee(OK)
    stage.client(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
    log.flush()
    served, refused = map(json.loads, b"".join(written).splitlines())
    assert (refused["bytes_in"], refused["flag"], refused["endpoint"]) == (0, "no-route", "")
    assert (served["bytes_in"], served["flag"]) == (0, "")
