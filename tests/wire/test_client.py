"""The client's side of a connection: answers and failures, over a loop that opens connections without sockets."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import client
from harness.wire.client import Answer
from tests.wire.by_hand import REQUEST, Bench, on_loop

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Seen: yes\r\n\r\nhi"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"


@on_loop
async def test_a_whole_answer(bench: Bench) -> None:
    await bench.call()
    assert bench.transports[0].written == REQUEST
    bench.connections[0].data_received(OK)
    (answer,) = bench.answers
    assert (answer.status, answer.size, answer.error, answer.header(b"x-seen")) == (200, 2, "", b"yes")
    assert answer.header(b"x-unseen") is None
    assert 0 < answer.sent_ns <= answer.done_ns


@given(cut=st.integers(1, len(CHUNKED) - 1), again=st.integers(1, len(CHUNKED) - 1))
def test_an_answer_is_the_same_however_it_is_cut(cut: int, again: int) -> None:
    @on_loop
    async def cut_in_three(bench: Bench) -> None:
        await bench.call()
        edges = sorted({0, cut, again, len(CHUNKED)})
        for first, last in pairwise(edges):
            assert not bench.answers
            bench.connections[0].data_received(CHUNKED[first:last])
        assert [(answer.status, answer.size, answer.error) for answer in bench.answers] == [(200, 2, "")]

    cut_in_three()


@on_loop
async def test_an_answer_that_ends_the_connection_is_whole_and_the_connection_is_not_used_again(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
    assert bench.transports[0].closed
    await bench.call()
    assert (bench.errors, len(bench.connections)) == ([""], 2)


@on_loop
async def test_no_answer_in_time(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK[:-1])
    bench.timers[0].ring()
    assert (bench.errors, bench.transports[0].closed) == (["timeout"], True)
    bench.connections[0].connection_lost(None)
    assert len(bench.answers) == 1


@on_loop
async def test_the_timer_of_an_answered_request_is_cancelled(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK)
    assert bench.timers[0].cancelled()


@on_loop
async def test_a_connection_lost_amid_an_answer(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK)
    await bench.call()
    bench.connections[0].data_received(OK[:20])
    bench.connections[0].connection_lost(None)
    assert (bench.errors, bench.pool.races) == (["", "closed"], 0)


@on_loop
async def test_a_fresh_connection_lost_before_its_answer_is_no_race(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].connection_lost(ConnectionResetError())
    await bench.settle()
    assert (bench.errors, bench.pool.races, len(bench.connections)) == (["closed"], 0, 1)


@on_loop
async def test_informational_responses_are_skipped_with_their_headers(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nx-seen: early\r\n\r\n"
    )
    assert not bench.answers
    bench.connections[0].data_received(OK)
    (answer,) = bench.answers
    assert (answer.status, answer.header(b"x-seen")) == (200, b"yes")


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-nope\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
    ],
)
def test_what_is_no_answer(data: bytes) -> None:
    @on_loop
    async def told(bench: Bench) -> None:
        await bench.call()
        bench.connections[0].data_received(data)
        assert (bench.errors, bench.transports[0].closed) == (["protocol"], True)

    told()


@on_loop
async def test_bytes_beyond_the_answer_spoil_the_connection_but_not_the_answer(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK + OK)
    assert (bench.errors, bench.answers[0].size, bench.transports[0].closed) == ([""], 2, True)
    await bench.call()
    assert (len(bench.answers), len(bench.connections)) == (1, 2)


@on_loop
async def test_bytes_that_nobody_asked_for_are_nobodys_answer(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK)
    bench.connections[0].data_received(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
    await bench.call()
    assert (len(bench.answers), len(bench.connections), bench.transports[0].closed) == (1, 2, True)


@on_loop
async def test_an_answer_may_not_be_larger_than_its_limit(bench: Bench) -> None:
    await bench.call()
    size = client.MAX_RESPONSE_BYTES + 1
    bench.connections[0].data_received(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size)
    assert bench.errors == ["protocol"]


@on_loop
async def test_an_exception_of_the_callers_is_not_taken_for_a_malformed_answer(bench: Bench) -> None:
    def broken(_answer: Answer) -> None:
        raise KeyError("a bug of the caller")

    bench.pool.call(REQUEST, broken)
    await bench.settle()
    with pytest.raises(KeyError, match="a bug of the caller"):
        bench.connections[0].data_received(OK)
