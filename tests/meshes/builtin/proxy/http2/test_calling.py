"""Requests over a connection of HTTP/2 to an endpoint that was not written here (hyper-h2), without sockets."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest

from meshes.builtin.policies import Breaker
from meshes.builtin.proxy.http2.calling import CallingConnection
from meshes.builtin.proxy.http2.lane import EXPECTED_STREAMS, Lane
from meshes.builtin.proxy.pool import Waiter
from meshes.builtin.proxy.upstream import Upstream
from tests.meshes.builtin.proxy.stage import Clock, Stage, Transport

GET = b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"
ANSWER = ((":status", "200"), ("content-length", "2"))


class Endpoint:
    """The other end of one connection."""

    def __init__(self, connection: CallingConnection, clock: Clock, streams: int) -> None:
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.h2.local_settings = h2.settings.Settings(
            client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: streams}
        )
        self.connection = connection
        self.transport = Transport(connection, clock)
        self.asked: list[int] = []
        self.heads: dict[int, dict[str, str]] = {}
        self.bodies: dict[int, bytes] = {}
        self.ended: list[int] = []
        self.resets: dict[int, int] = {}
        self.takes = True
        self._clock = clock
        connection.connection_made(self.transport)
        self.h2.initiate_connection()
        self.exchange()

    def exchange(self) -> None:
        """What both have to say, until nobody has."""
        self._clock.run()
        while True:
            said, self.transport.written = self.transport.written, b""
            ours = self.h2.data_to_send()
            if not said and not ours:
                return
            for event in self.h2.receive_data(said):
                self._note(event)
            if ours and not self.transport.is_closing():
                self.connection.data_received(ours)
            self._clock.run()

    def _note(self, event: Any) -> None:  # Any: one of many kinds of event
        if isinstance(event, h2.events.RequestReceived):
            self.asked.append(event.stream_id)
            self.heads[event.stream_id] = {name.decode(): value.decode() for name, value in event.headers}
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] = self.bodies.get(event.stream_id, b"") + event.data
            if self.takes:
                self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.append(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.resets[event.stream_id] = event.error_code

    def answer(self, stream: int, body: bytes = b"ok") -> None:
        self.h2.send_headers(stream, ANSWER)
        self.h2.send_data(stream, body, end_stream=True)
        self.exchange()


class Play:
    """Clients of one proxy, whose callee is asked in HTTP/2."""

    def __init__(self, *, streams: int = 100, protocol: str = "http/2", policies: dict[str, Any] | None = None) -> None:
        self.stage = Stage(policies={"protocol": protocol, **(policies or {})}, accept=False)
        self.clock = self.stage.clock
        self.endpoints: list[Endpoint] = []
        self.dialled = 0
        self._streams = streams
        pool = self.stage.pool
        self.lane = pool.lane = Lane(pool, cast("asyncio.AbstractEventLoop", self.clock))
        pool.speak(protocol)
        self.lane._dial = self._dial  # type: ignore[method-assign]

    def _dial(self) -> None:
        self.lane._dialling += 1
        self.lane._pool.callee.connections.open += 1
        self.lane._pool.connections += 1
        self.dialled += 1

    def connect(self, *, takes: bool = True) -> Endpoint:
        """The connection that was asked for is there."""
        loop = cast("asyncio.AbstractEventLoop", self.clock)
        connection = CallingConnection(self.lane, loop, None, (), 0)
        self.lane._dialling -= 1
        self.lane._connections.append(connection)
        endpoint = Endpoint(connection, self.clock, self._streams)
        endpoint.takes = takes
        self.endpoints.append(endpoint)
        self.lane.has_room(connection)
        self.lane._go_on()
        endpoint.exchange()
        return endpoint


class Caller:
    """One who wants a stream and sends a request on it; stands for a client's connection."""

    sent_all = True

    def __init__(self, play: Play, request: bytes = GET, *, bodiless: bool = False) -> None:
        self.play, self.request, self.bodiless = play, request, bodiless
        self.upstream: Upstream | None = None
        self.status = 0
        self.body = b""
        self.trailers = b""
        self.interims: list[int] = []
        self.done = False
        self.failure = ""
        self.reads = True
        self.wanted = True

    def go(self) -> "Caller":
        pool = self.play.stage.pool
        if pool.ready[0]:
            self.connected(pool.ready[0].pop(), 1)
        else:
            pool.open(cast("Waiter", self), 1)
        return self

    def wants(self, attempt: int) -> bool:
        return self.wanted

    def connected(self, upstream: Upstream, attempt: int) -> bool:
        self.upstream = upstream
        upstream.start(cast("Any", self), self.request, self.bodiless)
        return True

    def connect_failed(self, failure: Any, detail: str, attempt: int) -> None:
        self.failure = failure.flag

    def interim(self, head: Any) -> None:
        self.interims.append(head.status)

    def respond(self, head: Any, payload: bytes, done: bool, trailers: bytes = b"") -> None:
        self.status = head.status
        self.more(payload, done, trailers)

    def more(self, payload: bytes, done: bool, trailers: bytes = b"") -> None:
        self.body += payload
        self.trailers += trailers
        self.done = self.done or done

    def upstream_failed(self, failure: Any, detail: str) -> None:
        self.failure = failure.flag

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


def test_requests_share_one_connection_and_wait_for_it_while_it_is_made() -> None:
    play = Play()
    callers = [Caller(play).go() for _ in range(10)]
    assert play.dialled == 1
    endpoint = play.connect()
    assert endpoint.asked == [2 * n + 1 for n in range(10)]
    assert endpoint.heads[1] == {":method": "GET", ":scheme": "http", ":authority": "b", ":path": "/"}
    for stream in reversed(endpoint.asked):
        endpoint.answer(stream, b"%02d" % stream)
    assert [caller.body for caller in callers] == [b"%02d" % stream for stream in endpoint.asked]
    assert all(caller.status == 200 and caller.done for caller in callers)
    Caller(play).go()
    endpoint.exchange()
    assert (play.dialled, len(endpoint.asked)) == (1, 11)


def test_who_finds_a_connection_full_gets_another_or_the_next_free_stream() -> None:
    play = Play(streams=2)
    callers = [Caller(play).go() for _ in range(5)]
    first = play.connect()
    assert len(first.asked) == 2
    second = play.connect()
    assert (len(second.asked), play.dialled) == (2, 3)
    first.answer(first.asked[0])
    assert len(first.asked) == 3
    assert [caller.done for caller in callers] == [True, False, False, False, False]


def test_more_than_a_connection_is_expected_to_carry_ask_for_one_more() -> None:
    play = Play()
    for _ in range(EXPECTED_STREAMS + 1):
        Caller(play).go()
    assert play.dialled == 2


def test_the_breaker_bounds_connections_and_those_that_wait() -> None:
    play = Play(streams=1, policies={"breaker": Breaker(1, 1)})
    callers = [Caller(play).go() for _ in range(2)]
    endpoint = play.connect()
    assert [caller.status for caller in callers] == [0, 0]
    endpoint.answer(1)
    assert callers[0].done
    endpoint.answer(3)
    assert callers[1].done


def test_a_body_goes_as_data_with_its_trailers() -> None:
    play = Play()
    head = b"POST /x HTTP/1.1\r\nHost: b\r\nX-A: 1\r\nvia: 1.1 hoptax\r\ntransfer-encoding: chunked\r\n\r\n"
    caller = Caller(play, head + b"3\r\nabc\r\n").go()
    endpoint = play.connect()
    assert endpoint.bodies == {1: b"abc"}
    assert endpoint.heads[1]["x-a"] == "1"
    assert "transfer-encoding" not in endpoint.heads[1]
    assert caller.upstream is not None
    caller.upstream.send(b"2\r\nde\r\n0\r\nlast: y\r\n\r\n")
    endpoint.exchange()
    assert (endpoint.bodies, endpoint.ended) == ({1: b"abcde"}, [1])


def test_interim_answers_trailers_and_answers_to_head() -> None:
    play = Play()
    caller = Caller(play).go()
    endpoint = play.connect()
    endpoint.h2.send_headers(1, ((":status", "103"), ("link", "</x>")))
    endpoint.h2.send_headers(1, ((":status", "200"),))
    endpoint.h2.send_data(1, b"abc")
    endpoint.h2.send_headers(1, (("grpc-status", "0"), ("x", "y")), end_stream=True)
    endpoint.exchange()
    assert (caller.interims, caller.status, caller.body, caller.done) == ([103], 200, b"abc", True)
    assert caller.trailers == b"grpc-status: 0\r\nx: y\r\n"
    head = Caller(play, GET.replace(b"GET", b"HEAD"), bodiless=True).go()
    endpoint.exchange()
    endpoint.h2.send_headers(3, ANSWER, end_stream=True)
    endpoint.exchange()
    assert (head.status, head.body, head.done) == (200, b"", True)


def test_a_slow_reader_is_sent_no_more_than_a_window() -> None:
    play = Play()
    caller = Caller(play).go()
    endpoint = play.connect()
    assert caller.upstream is not None
    caller.upstream.pause_reading()
    endpoint.h2.send_headers(1, ((":status", "200"),))
    sent = 0
    while (window := endpoint.h2.local_flow_control_window(1)) > 0:
        endpoint.h2.send_data(1, b"x" * min(window, 16384))
        endpoint.exchange()
        sent += min(window, 16384)
    assert len(caller.body) == sent < 1 << 20
    caller.upstream.resume_reading()
    endpoint.exchange()
    assert endpoint.h2.local_flow_control_window(1) > 0


def test_an_endpoint_that_takes_no_more_holds_its_own_caller_only() -> None:
    play = Play()
    head = b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 100000\r\n\r\n"
    slow = Caller(play, head + b"x" * 70000).go()
    other = Caller(play).go()
    endpoint = play.connect(takes=False)
    assert not slow.reads
    assert other.reads
    endpoint.answer(3)
    assert other.done
    endpoint.h2.acknowledge_received_data(65535, 1)
    endpoint.exchange()
    assert slow.reads


@pytest.mark.parametrize(
    ("act", "flag"),
    [
        (lambda endpoint: endpoint.h2.reset_stream(1, 7), "stream-refused"),
        (lambda endpoint: endpoint.h2.reset_stream(1, 2), "upstream-reset"),
        (lambda endpoint: endpoint.transport.abort(), "upstream-reset"),
        (lambda endpoint: endpoint.h2.send_headers(1, ((":status", "200"), ("x", "a\x00b"))), "bad-response"),
        (lambda endpoint: endpoint.connection.data_received(b"\0\0\0\x09\0\0\0\0\x01"), "bad-response"),
    ],
    ids=["refused", "reset", "gone", "malformed", "broken"],
)
def test_what_an_endpoint_may_do_to_a_request(act: Callable[[Endpoint], None], flag: str) -> None:
    play = Play()
    caller = Caller(play).go()
    endpoint = play.connect()
    act(endpoint)
    endpoint.exchange()
    assert caller.failure == flag
    assert caller.status == 0


def test_a_connection_that_goes_away_finishes_what_it_has_and_gets_no_more() -> None:
    play = Play()
    caller = Caller(play).go()
    endpoint = play.connect()
    endpoint.h2.close_connection(0, last_stream_id=1)
    endpoint.exchange()
    late = Caller(play).go()
    assert play.dialled == 2
    endpoint.connection.data_received(b"\0\0\x01\x01\x05\0\0\0\x01\x89")  # :status 204, the stream's end
    play.clock.run()
    assert caller.status == 204
    assert endpoint.transport.is_closing()
    assert not late.done


def test_requests_beyond_what_a_leaving_endpoint_looked_at_are_refused_not_lost() -> None:
    play = Play()
    callers = [Caller(play).go() for _ in range(3)]
    endpoint = play.connect()
    endpoint.h2.close_connection(0, last_stream_id=3)
    endpoint.exchange()
    assert [caller.failure for caller in callers] == ["", "", "stream-refused"]


def test_an_abandoned_request_is_reset_and_its_place_is_free() -> None:
    play = Play(streams=1)
    caller = Caller(play).go()
    endpoint = play.connect()
    assert caller.upstream is not None
    caller.upstream.abort()
    endpoint.exchange()
    assert endpoint.resets == {1: 8}
    assert len(play.lane) == 1


def test_an_answer_before_the_requests_end_stops_the_request() -> None:
    play = Play()
    caller = Caller(play, b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n\r\nabc").go()
    endpoint = play.connect()
    endpoint.answer(1)
    assert caller.done
    assert endpoint.resets == {1: 0}


def test_a_new_certificate_retires_connections_as_they_empty() -> None:
    play = Play()
    Caller(play).go()
    endpoint = play.connect()
    play.lane.sweep(play.clock.now_s, 10.0, generation=1)
    endpoint.exchange()
    assert not endpoint.transport.is_closing()
    assert len(play.lane) == 0
    endpoint.answer(1)
    assert endpoint.transport.is_closing()


def test_idle_connections_are_closed() -> None:
    play = Play()
    Caller(play).go()
    endpoint = play.connect()
    endpoint.answer(1)
    play.lane.sweep(play.clock.now_s + 11.0, 10.0, generation=0)
    assert endpoint.transport.is_closing()


def test_a_connection_that_is_too_old_gets_no_new_requests() -> None:
    play = Play()
    Caller(play).go()
    endpoint = play.connect()
    born_s = play.clock.now_s
    play.lane.sweep(born_s, 10.0, 0, born_s)
    assert len(play.lane)
    play.lane.sweep(born_s, 10.0, 0, born_s + 1.0)
    assert not len(play.lane)
    endpoint.answer(1)
    assert endpoint.transport.is_closing()


def test_those_that_wait_when_the_endpoint_goes_are_told() -> None:
    play = Play(streams=1, policies={"breaker": Breaker(1, 5)})
    callers = [Caller(play).go() for _ in range(3)]
    play.connect()
    play.stage.pool.retire()
    play.clock.run()
    assert [caller.failure for caller in callers] == ["", "connect-failed", "connect-failed"]
    assert play.stage.pool.callee.pending == 0


def test_only_grpc_goes_by_http2_where_nothing_is_said() -> None:
    play = Play(protocol="auto")
    others, calls = play.stage.pool.ready
    assert others is play.stage.pool.idle
    assert cast("object", calls) is play.lane
