"""Whole conversations through one proxy: what each side says, and what the other gets. No sockets."""

import pytest

from meshes.builtin.proxy.failures import Failure
from meshes.builtin.snapshot import Limits
from tests.meshes.builtin.proxy.stage import ABORTED, CLOSED, HALF_CLOSED, Stage

GET = b"GET /x HTTP/1.1\r\nHost: b\r\n\r\n"
GET_SENT = b"GET /x HTTP/1.1\r\nHost: b\r\nvia: 1.1 hoptax\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def status(data: bytes) -> int:
    return int(data.split(b" ", 2)[1])


def flag(data: bytes) -> str:
    return data.partition(b"x-hoptax-error: ")[2].partition(b"\r\n")[0].decode()


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_request_goes_on_and_its_response_comes_back(one_by_one: bool) -> None:
    stage = Stage()
    stage.client(GET, one_by_one=one_by_one)
    assert stage.to_callee() == GET_SENT
    stage.callee(OK, one_by_one=one_by_one)
    assert stage.to_client() == OK
    stage.client(GET)
    assert stage.to_callee() == GET_SENT
    stage.callee(OK)
    assert stage.to_client() == OK
    assert len(stage.upstreams) == 1
    assert stage.telemetry.traffic["outbound", "b"].status[2] == 2
    assert stage.telemetry.traffic["outbound", "b"].active == stage.pool.active == 0


@pytest.mark.parametrize("one_by_one", [False, True])
def test_a_body_of_known_length_streams(one_by_one: bool) -> None:
    stage = Stage()
    post = b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\n"
    stage.client(post + b"hello", one_by_one=one_by_one)
    assert stage.to_callee() == b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\nvia: 1.1 hoptax\r\n\r\nhello"
    stage.callee(OK)
    assert stage.to_client() == OK


@pytest.mark.parametrize("one_by_one", [False, True])
def test_chunks_are_decoded_checked_and_written_anew_without_extensions(one_by_one: bool) -> None:
    stage = Stage()
    head = b"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n"
    stage.client(head + b"3;ext=1\r\nabc\r\n0\r\nx: y\r\n\r\n", one_by_one=one_by_one)
    got = stage.to_callee()
    assert got.startswith(b"POST / HTTP/1.1\r\nHost: b\r\nvia: 1.1 hoptax\r\ntransfer-encoding: chunked\r\n\r\n")
    body = got.partition(b"\r\n\r\n")[2]
    assert body == (
        b"1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nx: y\r\n\r\n" if one_by_one else b"3\r\nabc\r\n0\r\nx: y\r\n\r\n"
    )
    stage.callee(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", one_by_one=one_by_one)
    answer = stage.to_client()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    assert answer.endswith(b"0\r\n\r\n")
    stage.client(GET)
    assert stage.to_callee() == GET_SENT


def test_requests_sent_ahead_are_answered_in_turn() -> None:
    stage = Stage()
    stage.client(GET * 3)
    for _ in range(3):
        assert stage.to_callee() == GET_SENT
        stage.callee(OK)
        assert stage.to_client() == OK
    assert stage.to_callee() == b""


def test_bytes_ahead_are_bounded() -> None:
    stage = Stage()
    stage.client(GET + b"x" * 100_000)
    assert stage.client_is_read()
    stage.client(b"x")
    assert not stage.client_is_read()


def test_hop_by_hop_fields_end_here_and_those_that_connection_names() -> None:
    stage = Stage()
    stage.client(
        b"GET / HTTP/1.1\r\nHost: b\r\nConnection: keep-alive, X-Mine, host\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
        b"Upgrade: h2c\r\nProxy-Connection: close\r\nX-Forwarded-Client-Cert: URI=spiffe://evil\r\nX-Kept: 1\r\n\r\n"
    )
    assert stage.to_callee() == b"GET / HTTP/1.1\r\nHost: b\r\nX-Kept: 1\r\nvia: 1.1 hoptax\r\n\r\n"


def test_absolute_form_becomes_origin_form_and_its_host_wins() -> None:
    stage = Stage()
    stage.client(b"GET http://B:80/p?q HTTP/1.1\r\nHost: other\r\nA: 1\r\n\r\n")
    assert stage.to_callee() == b"GET /p?q HTTP/1.1\r\nhost: B:80\r\nA: 1\r\nvia: 1.1 hoptax\r\n\r\n"


def test_an_unknown_host_is_refused_and_the_connection_stays() -> None:
    stage = Stage()
    stage.client(GET.replace(b"b", b"nowhere", 1))
    answer = stage.to_client()
    assert (status(answer), flag(answer)) == (404, "no-route")
    stage.client(GET)
    assert stage.to_callee() == GET_SENT


def test_a_refused_request_whose_body_is_still_coming_ends_the_connection() -> None:
    stage = Stage()
    stage.client(b"POST / HTTP/1.1\r\nHost: nowhere\r\nContent-Length: 9\r\n\r\nabc")
    answer = stage.to_client()
    assert status(answer) == 404
    assert b"connection: close\r\n" in answer
    assert answer.endswith(HALF_CLOSED)
    stage.client(b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n")
    stage.clock.run(2)
    assert stage.to_client() == ABORTED
    assert not stage.upstreams


def test_head_has_no_body_whatever_its_length_says() -> None:
    stage = Stage()
    stage.client(b"HEAD / HTTP/1.1\r\nHost: b\r\n\r\n")
    stage.callee(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n")
    assert stage.to_client() == b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
    stage.client(GET)
    stage.callee(OK)
    assert stage.to_client() == OK


@pytest.mark.parametrize("code", [b"204 No Content", b"304 Not Modified"])
def test_statuses_without_body(code: bytes) -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(b"HTTP/1.1 " + code + b"\r\n\r\n")
    assert stage.to_client() == b"HTTP/1.1 " + code + b"\r\n\r\n"
    assert stage.pool.idle


def test_interim_responses_pass() -> None:
    stage = Stage()
    stage.client(b"POST / HTTP/1.1\r\nHost: b\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert b"\r\nExpect: 100-continue\r\n" in stage.to_callee()
    stage.callee(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert stage.to_client() == b"HTTP/1.1 100 Continue\r\n\r\n"
    stage.client(b"hi")
    assert stage.to_callee() == b"hi"
    stage.callee(OK)
    assert stage.to_client() == OK


def test_interim_responses_are_bounded() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 17)
    assert flag(stage.to_client()) == "bad-response"


def test_an_early_answer_closes_both_connections() -> None:
    stage = Stage()
    stage.client(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 100\r\n\r\nabc")
    stage.to_callee()
    stage.callee(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
    assert (
        stage.to_client()
        == b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nconnection: close\r\n\r\n" + HALF_CLOSED
    )
    assert stage.to_callee() == CLOSED


def test_a_body_that_ends_with_the_connection_is_chunked_for_the_client() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(b"HTTP/1.1 200 OK\r\n\r\nabc")
    stage.callee_closes()
    assert stage.to_client() == b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert not stage.pool.idle


def test_an_http_1_0_client_gets_what_it_understands() -> None:
    stage = Stage(inbound=True)
    stage.client(b"GET / HTTP/1.0\r\n\r\n")
    assert stage.to_callee() == b"GET / HTTP/1.1\r\nhost: app:8080\r\nvia: 1.0 hoptax\r\n\r\n"
    stage.callee(
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"
    )
    assert stage.to_client() == b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nx" + CLOSED


def test_an_http_1_0_client_may_keep_its_connection() -> None:
    stage = Stage()
    stage.client(b"GET / HTTP/1.0\r\nHost: b\r\nConnection: keep-alive\r\n\r\n")
    stage.callee(OK)
    assert stage.to_client() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: keep-alive\r\n\r\nok"


def test_connection_close_of_the_client_and_of_the_callee() -> None:
    stage = Stage()
    stage.client(b"GET /x HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
    assert stage.to_callee() == GET_SENT
    stage.callee(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    assert stage.to_client() == b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nconnection: close\r\n\r\n" + CLOSED
    assert stage.to_callee() == CLOSED


def test_no_request_is_sent_twice() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee_closes()
    answer = stage.to_client()
    assert (status(answer), flag(answer)) == (503, "upstream-reset")
    assert len(stage.upstreams) == 1
    stage.client(GET)
    assert stage.to_callee() == GET_SENT


def test_a_connection_that_closed_while_idle_is_not_used() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(OK)
    stage.callee_closes()
    stage.client(GET)
    assert len(stage.upstreams) == 2
    assert stage.to_callee() == GET_SENT


def test_an_answer_to_nobody_ends_the_connection() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(OK)
    stage.to_callee()
    stage.callee(OK)
    assert stage.to_callee() == ABORTED
    assert not stage.pool.idle


def test_bytes_after_a_response_make_the_connection_unusable() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(OK + b"HTTP/1.1 200 OK\r\n")
    assert stage.to_client() == OK
    assert not stage.pool.idle


def test_a_response_cut_short_shows() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    stage.callee_closes()
    assert stage.to_client() == b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab" + ABORTED
    assert stage.pool.active == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\n\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 99 No\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 101 + b"\r\n",
    ],
)
def test_answers_that_can_not_be_trusted_are_not_passed_on(answer: bytes) -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(answer)
    got = stage.to_client()
    assert (status(got), flag(got)) == (502, "bad-response")
    assert stage.to_callee().endswith(ABORTED)


def test_a_request_that_takes_too_long_is_cut_and_its_connection_not_used_again() -> None:
    stage = Stage(request_s=1.0)
    stage.client(GET)
    stage.clock.run(0.999)
    assert stage.to_client() == b""
    stage.clock.run(0.002)
    answer = stage.to_client()
    assert (status(answer), flag(answer)) == (504, "request-timeout")
    assert stage.to_callee().endswith(ABORTED)
    stage.client(GET)
    stage.clock.run(0.9)
    stage.callee(OK)
    assert stage.to_client() == OK
    stage.clock.run(5)
    assert stage.to_client() == b""


def test_the_time_a_client_takes_for_its_body_is_not_the_callees() -> None:
    stage = Stage(request_s=1.0)
    stage.client(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 2\r\n\r\na")
    stage.clock.run(3)
    assert stage.to_client() == b""
    stage.client(b"b")
    stage.clock.run(1.1)
    assert status(stage.to_client()) == 504


def test_a_late_answer_cut_in_the_middle_shows() -> None:
    stage = Stage(request_s=1.0)
    stage.client(GET)
    stage.callee(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")
    stage.clock.run(1.1)
    assert stage.to_client().endswith(b"ab" + ABORTED)


@pytest.mark.parametrize(
    ("failure", "code"),
    [(Failure.CONNECT_FAILED, 503), (Failure.CONNECT_TIMEOUT, 504), (Failure.TLS_FAILED, 503)],
)
def test_a_callee_that_can_not_be_reached(failure: Failure, code: int) -> None:
    stage = Stage(accept=False)
    stage.client(GET)
    stage.refuse(failure)
    answer = stage.to_client()
    assert (status(answer), flag(answer)) == (code, failure.flag)
    stage.client(GET)
    stage.accept()
    assert stage.to_callee() == GET_SENT


def test_a_connection_that_comes_too_late_serves_the_next_request() -> None:
    stage = Stage(accept=False, request_s=1.0)
    stage.client(GET)
    stage.clock.run(1.1)
    assert status(stage.to_client()) == 504
    stage.accept()
    assert len(stage.pool.idle) == 1
    stage.client(GET)
    assert stage.to_callee() == GET_SENT


def test_a_late_refusal_does_not_hit_the_next_request() -> None:
    stage = Stage(accept=False, request_s=1.0)
    stage.client(GET)
    stage.clock.run(1.1)
    stage.to_client()
    stage.client(GET)
    former, present = stage.waiting()
    stage.refuse(Failure.CONNECT_TIMEOUT, [former])
    assert stage.to_client() == b""
    stage.accept([present])
    assert stage.to_callee() == GET_SENT


def test_a_client_that_goes_takes_its_request_along() -> None:
    stage = Stage()
    stage.client(GET)
    stage.client_closes()
    assert stage.to_callee() == GET_SENT + ABORTED
    assert stage.pool.active == 0
    assert stage.telemetry.traffic["outbound", "b"].status[0] == 1


def test_back_pressure_reaches_the_other_side() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
    stage.connection.pause_writing()
    assert not stage.callee_is_read()
    stage.connection.resume_writing()
    assert stage.callee_is_read()
    stage.callee(b"defghi")
    stage.client(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 9\r\n\r\nabc")
    stage.upstreams[-1][0].pause_writing()
    assert not stage.client_is_read()
    stage.upstreams[-1][0].resume_writing()
    assert stage.client_is_read()


def test_a_client_that_takes_no_answers_may_not_ask() -> None:
    stage = Stage()
    stage.client(GET * 2)
    stage.connection.pause_writing()
    stage.callee(OK)
    assert not stage.client_is_read()
    assert stage.to_callee() == GET_SENT
    stage.connection.resume_writing()
    stage.clock.run()
    assert stage.client_is_read()
    assert stage.to_callee() == GET_SENT


def test_a_body_waits_for_its_connection_within_bounds() -> None:
    stage = Stage(accept=False, limits=Limits(buffer_bytes=1024))
    stage.client(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 4000\r\n\r\n" + b"x" * 500)
    assert stage.client_is_read()
    stage.client(b"x" * 1000)
    assert not stage.client_is_read()
    stage.accept()
    assert stage.client_is_read()
    assert stage.to_callee().endswith(b"\r\n\r\n" + b"x" * 1500)


def test_draining_says_goodbye_with_the_response() -> None:
    stage = Stage()
    stage.client(GET)
    stage.listener.draining = True
    stage.callee(OK)
    assert stage.to_client() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nconnection: close\r\n\r\nok" + CLOSED


def test_more_requests_than_allowed_are_refused_at_once() -> None:
    stage = Stage(limits=Limits(max_requests=1))
    stage.telemetry.traffic["outbound", "b"].active = 1
    stage.client(GET)
    assert flag(stage.to_client()) == "overflow"


def test_a_client_that_never_finishes_its_head_is_told_so() -> None:
    stage = Stage()
    stage.client(GET[:10])
    stage.connection.stalled()
    answer = stage.to_client()
    assert (status(answer), flag(answer)) == (408, "head-timeout")


def test_a_broken_chunk_after_the_head_went_on_is_refused_and_the_callee_cut() -> None:
    stage = Stage()
    stage.client(b"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
    stage.client(b"zz\r\n")
    assert stage.to_callee().endswith(ABORTED)
    assert status(stage.to_client()) == 400
    assert stage.pool.active == 0


def test_back_pressure_at_the_end_of_a_response_does_not_stop_a_connection_that_is_free_again() -> None:
    stage = Stage()
    stage.client(GET)
    stage.client_takes_nothing()
    stage.callee(OK)
    assert stage.pool.idle
    assert stage.callee_is_read()


def test_a_connection_of_a_former_wish_is_not_used_for_the_present_one() -> None:
    """It may lead to another callee."""
    stage = Stage(accept=False, request_s=1.0)
    stage.client(GET)
    former = stage.waiting()
    stage.clock.run(1.1)
    stage.to_client()
    stage.client(GET)
    present = stage.waiting()
    stage.accept(former)
    assert stage.to_callee() == b""
    stage.accept(present)
    assert stage.to_callee() == GET_SENT
