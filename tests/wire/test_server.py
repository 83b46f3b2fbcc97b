"""The server's side of a connection, fed bytes without a socket."""

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire import server
from harness.wire.server import Request, ServerConnection, response
from tests.wire.transport import FakeTransport

GET = b"GET /a?b=1 HTTP/1.1\r\nHost: x\r\nX-Two: 1\r\nx-two: 2\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nhello"
CHUNKED = b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"


class Peer:
    """A connection with what it was handed; `wait` leaves requests unanswered until the test answers them."""

    def __init__(self, wait: bool = False) -> None:
        self.requests: list[Request] = []
        self.wait = wait
        self.ended = 0
        self.connection = ServerConnection(self.handle, lambda _: None, self.closed)
        self.transport = FakeTransport()
        self.connection.connection_made(self.transport)

    def handle(self, request: Request, connection: ServerConnection) -> None:
        self.requests.append(request)
        if not self.wait:
            connection.answer(b"<%d>" % len(self.requests))

    def closed(self, _connection: ServerConnection) -> None:
        self.ended += 1

    def feed(self, data: bytes) -> "Peer":
        self.connection.data_received(data)
        return self

    @property
    def statuses(self) -> list[int]:
        return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+)", self.transport.written)]


def seen(request: Request) -> tuple[object, ...]:
    return request.method, request.target, request.version, request.headers, request.body, request.keep_alive


@pytest.mark.parametrize("message", [GET, POST, CHUNKED])
@given(cuts=st.lists(st.integers(1, 80), max_size=6))
def test_a_request_is_the_same_however_it_is_cut(message: bytes, cuts: list[int]) -> None:
    whole, pieces = Peer().feed(message), Peer()
    edges = [0, *sorted({cut for cut in cuts if cut < len(message)}), len(message)]
    for first, last in pairwise(edges):
        pieces.feed(message[first:last])
    assert [seen(request) for request in pieces.requests] == [seen(request) for request in whole.requests]
    assert len(whole.requests) == 1


def test_a_request_one_byte_at_a_time() -> None:
    peer = Peer()
    for byte in POST:
        assert not peer.requests
        peer.feed(bytes([byte]))
    assert seen(peer.requests[0]) == (
        b"POST", b"/", "1.1", [(b"host", b"x"), (b"content-length", b"5")], b"hello", True,
    )  # fmt: skip


def test_the_first_of_equal_headers_is_found_by_its_lower_case_name() -> None:
    (request,) = Peer().feed(GET).requests
    assert (request.header(b"x-two"), request.header(b"x-three")) == (b"1", None)


def test_pipelined_requests_are_answered_in_order_and_one_at_a_time() -> None:
    peer = Peer(wait=True).feed(GET + POST + GET + b"GET /tail HT")
    assert len(peer.requests) == 1
    for number in (1, 2, 3):
        assert len(peer.requests) == number
        peer.connection.answer(b"<%d>" % number)
    peer.feed(b"TP/1.1\r\nhost: x\r\n\r\n")
    assert peer.transport.written == b"<1><2><3>"
    assert peer.requests[3].target == b"/tail"


def test_too_many_requests_in_advance_are_refused() -> None:
    peer = Peer(wait=True).feed(GET * (server.MAX_PIPELINED + 1))
    assert not peer.transport.closed
    peer.feed(GET)
    while len(peer.requests) <= server.MAX_PIPELINED:
        peer.connection.answer(response(200, b""))
    peer.connection.answer(response(200, b""))
    assert peer.statuses == [200] * (server.MAX_PIPELINED + 1) + [400]


@pytest.mark.parametrize(
    "lines",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked",
        b"transfer-encoding: chunked\r\ncontent-length: 5",
        b"content-length: 5\r\ncontent-length: 6",
        b"content-length: +5",
        b"content-length: 5, 5",
        b"transfer-encoding: chunked, gzip",
        b"bad header: 1",
        b"no colon",
        b"x: 1\r\n folded",
        b"upgrade: h2c\r\nconnection: upgrade",
    ],
)
def test_ambiguous_framing_is_refused_and_the_connection_closed(lines: bytes) -> None:
    peer = Peer().feed(b"POST / HTTP/1.1\r\nhost: x\r\n" + lines + b"\r\n\r\nhello")
    assert peer.statuses == [400]
    assert b"connection: close" in peer.transport.written
    assert (peer.requests, peer.transport.closed) == ([], True)


@pytest.mark.parametrize(
    "garbage",
    [b"\x16\x03\x01\x02\x00\x01", b"CONNECT b:80 HTTP/1.1\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"],
)
def test_what_is_no_request_is_refused(garbage: bytes) -> None:
    peer = Peer().feed(garbage)
    assert (peer.requests, peer.statuses, peer.transport.closed) == ([], [400], True)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"x: " + b"v" * (server.MAX_HEADER_BYTES + 1), 431),
        (b"\r\n".join(b"x: 1" for _ in range(server.MAX_HEADERS + 1)), 431),
        (b"content-length: %d" % (server.MAX_BODY_BYTES + 1), 413),
    ],
    ids=["header bytes", "headers", "body"],
)
def test_what_is_over_the_limits_is_refused(head: bytes, status: int) -> None:
    peer = Peer().feed(b"POST / HTTP/1.1\r\n" + head + b"\r\n\r\n")
    if status == 413:
        peer.feed(b"x" * (server.MAX_BODY_BYTES + 1))
    assert (peer.requests, peer.statuses, peer.transport.closed) == ([], [status], True)


def test_a_target_over_the_limit_is_refused() -> None:
    assert Peer().feed(b"GET /" + b"a" * server.MAX_HEADER_BYTES + b" HTTP/1.1\r\n\r\n").statuses == [431]


def test_an_exception_of_the_handler_is_not_taken_for_a_malformed_request() -> None:
    def broken(_request: Request, _connection: ServerConnection) -> None:
        raise KeyError("a bug of the application")

    connection, transport = ServerConnection(broken, lambda _: None, lambda _: None), FakeTransport()
    connection.connection_made(transport)
    with pytest.raises(KeyError, match="a bug of the application"):
        connection.data_received(GET)
    assert transport.written == b""


def test_what_is_just_within_the_limits_is_served() -> None:
    headers = b"".join(b"x%d: %s\r\n" % (number, b"v" * 100) for number in range(server.MAX_HEADERS))
    assert len(Peer().feed(b"GET / HTTP/1.1\r\n" + headers + b"\r\n").requests) == 1


def test_limits_count_anew_for_each_request() -> None:
    half = b"GET / HTTP/1.1\r\nx: " + b"v" * (server.MAX_HEADER_BYTES * 2 // 3) + b"\r\n\r\n"
    assert len(Peer().feed(half * 3).requests) == 3


def test_a_refusal_waits_for_the_answers_before_it() -> None:
    peer = Peer(wait=True).feed(GET + GET + b"nonsense\r\n\r\n")
    assert peer.transport.written == b""
    peer.connection.answer(b"<1>")
    peer.connection.answer(b"<2>")
    assert peer.transport.written.startswith(b"<1><2>HTTP/1.1 400 ")
    assert peer.transport.closed


@pytest.mark.parametrize("bad", [b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"])
def test_nothing_is_read_after_a_refusal(bad: bytes) -> None:
    peer = Peer(wait=True).feed(GET + bad).feed(GET).feed(b"more nonsense")
    peer.connection.answer(b"<1>")
    assert (len(peer.requests), peer.statuses, peer.transport.late) == (1, [400], b"")


@pytest.mark.parametrize("message", [b"GET / HTTP/1.0\r\n\r\n", b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n"])
def test_a_peer_that_wants_no_more_is_closed_after_its_answer(message: bytes) -> None:
    peer = Peer().feed(message + GET)
    assert (peer.transport.written, peer.transport.late, peer.transport.closed) == (b"<1>", b"", True)


def test_http_1_0_may_keep_the_connection() -> None:
    assert not Peer().feed(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n").transport.closed


def test_draining_closes_an_idle_connection_at_once() -> None:
    peer = Peer().feed(GET)
    peer.connection.drain()
    assert peer.transport.closed


def test_draining_lets_the_request_in_hand_be_answered() -> None:
    peer = Peer(wait=True).feed(GET + GET)
    peer.connection.drain()
    assert not peer.transport.closed
    peer.connection.answer(b"<1>")
    assert (peer.transport.written, peer.transport.closed, len(peer.requests)) == (b"<1>", True, 1)


def test_a_peer_that_left_is_told_nothing_more() -> None:
    peer = Peer(wait=True).feed(GET + GET)
    peer.connection.connection_lost(None)
    peer.connection.answer(b"<1>")
    peer.connection.drain()
    assert (peer.transport.written, len(peer.requests), peer.ended) == (b"", 1, 1)


def test_a_peer_that_does_not_read_its_answers_is_not_served_until_it_does() -> None:
    peer = Peer(wait=True).feed(GET * 3)
    peer.connection.pause_writing()
    peer.connection.answer(b"<1>")
    assert (len(peer.requests), peer.transport.reading) == (1, False)
    peer.connection.resume_writing()
    assert (len(peer.requests), peer.transport.reading) == (2, True)
    peer.connection.pause_writing()
    peer.connection.resume_writing()
    assert len(peer.requests) == 2
    peer.connection.answer(b"<2>")
    assert len(peer.requests) == 3


def test_the_transport_of_a_peer_that_left_is_not_touched() -> None:
    peer = Peer().feed(GET)
    peer.transport.closed = True
    peer.connection.pause_writing()
    assert peer.transport.reading
    peer.connection.connection_lost(None)
    peer.connection.resume_writing()


def test_the_answer_to_a_head_has_no_body() -> None:
    peer = Peer(wait=True).feed(b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n" + GET)
    peer.connection.answer(response(200, b"{}"))
    peer.connection.answer(response(200, b"{}"))
    head, get = response(200, b"")[:-2], response(200, b"{}")
    assert peer.transport.written == head.replace(b"length: 0", b"length: 2") + b"\r\n" + get


def test_a_response_is_framed_by_its_length() -> None:
    assert response(404, b"{}", headers=b"x: 1\r\n") == (
        b"HTTP/1.1 404 -\r\ncontent-type: application/json\r\ncontent-length: 2\r\nx: 1\r\n\r\n{}"
    )
