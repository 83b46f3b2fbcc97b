"""A client of HTTP/2 (hyper-h2) on a stage without sockets: its streams reach a callee of HTTP/1.1 and the answers come back."""

from typing import Any, cast

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded, StreamReset

from meshes.builtin.proxy.http2 import frames
from meshes.builtin.proxy.http2.serving import STREAM_BYTES, ServingConnection
from tests.meshes.builtin.proxy.stage import CLOSED, Stage, Transport

HEAD = [(":method", "GET"), (":scheme", "http"), (":authority", "b"), (":path", "/x")]
POST = [(":method", "POST"), *HEAD[1:]]


class Served:
    """The stage, with a connection of HTTP/2 before it."""

    def __init__(self, **more: Any) -> None:
        self.stage = Stage(**more)
        stage = self.stage
        self.ours = ServingConnection(stage.listener, cast("Any", stage.clock), None, ())
        stage.connection, stage._transport = cast("Any", self.ours), Transport(self.ours, stage.clock)
        self.ours.connection_made(stage._transport)
        self.client = H2Connection(H2Configuration(header_encoding="utf-8"))
        self.client.initiate_connection()
        self.talk()

    def talk(self) -> list[Any]:
        """Both sides say what they have to; what the client saw."""
        seen: list[Any] = []
        while (said := self.client.data_to_send()) or self.stage._transport.written:
            if said:
                self.stage.client(said)
            seen += self.client.receive_data(self.stage.to_client())
        return seen

    def ask(self, number: int, fields: list[tuple[str, str]], *, end: bool = True) -> list[Any]:
        self.client.send_headers(number, fields, end_stream=end)
        return self.talk()

    def answered(self, data: bytes, connection: int = -1) -> list[Any]:
        self.stage.callee(data, connection=connection)
        return self.talk()


def kinds(seen: list[Any]) -> list[str]:
    wanted = (ResponseReceived, DataReceived, StreamEnded, StreamReset)
    return [type(each).__name__ for each in seen if isinstance(each, wanted)]


def test_a_request_and_its_answer() -> None:
    served = Served()
    served.ask(1, HEAD)
    assert served.stage.to_callee() == b"GET /x HTTP/1.1\r\nhost: b\r\nvia: 1.1 hoptax\r\n\r\n"
    seen = served.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok")
    assert kinds(seen) == ["ResponseReceived", "DataReceived", "StreamEnded"]
    assert seen[0].headers == [(":status", "200"), ("content-length", "2"), ("x", "y")]
    assert not served.ours._streams


def test_two_streams_have_a_connection_each_to_the_callee_and_go_at_once() -> None:
    served = Served()
    served.ask(1, HEAD)
    served.ask(3, HEAD)
    assert len(served.stage.upstreams) == 2
    second = served.answered(b"HTTP/1.1 204 No Content\r\n\r\n", 1)
    first = served.answered(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 0)
    assert [(each.stream_id, dict(each.headers)[":status"]) for each in (second[0], first[0])] == [
        (3, "204"),
        (1, "404"),
    ]
    served.ask(5, HEAD)
    assert len(served.stage.upstreams) == 2


def test_a_body_of_no_stated_length_goes_chunked_both_ways() -> None:
    served = Served()
    served.ask(1, POST, end=False)
    served.client.send_data(1, b"hello")
    served.talk()
    served.client.send_data(1, b"", end_stream=True)
    served.talk()
    head, _, body = served.stage.to_callee().partition(b"\r\n\r\n")
    assert b"transfer-encoding: chunked" in head
    assert body == b"5\r\nhello\r\n0\r\n\r\n"
    seen = served.answered(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert b"".join(each.data for each in seen if isinstance(each, DataReceived)) == b"abc"
    assert kinds(seen)[-1] == "StreamEnded"


def test_an_answer_of_our_own_is_an_answer() -> None:
    served = Served()
    seen = served.ask(1, [*HEAD[:2], (":authority", "nowhere"), HEAD[3]])
    assert dict(seen[0].headers)[":status"] == "404"
    assert dict(seen[0].headers)["x-hoptax-error"] == "no-route"
    assert served.stage.listener.failures == ["no-route"]


def test_a_client_that_resets_its_stream_gives_its_request_up() -> None:
    served = Served()
    served.ask(1, HEAD)
    served.client.reset_stream(1)
    served.talk()
    assert served.stage.pool.active == 0
    served.ask(3, HEAD)
    assert kinds(served.answered(b"HTTP/1.1 204 No Content\r\n\r\n")) == ["ResponseReceived", "StreamEnded"]


def test_a_callee_that_dies_inside_an_answer_resets_that_stream_alone() -> None:
    served = Served()
    served.ask(1, HEAD)
    served.ask(3, HEAD)
    served.answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", 0)
    served.stage.callee_closes(0)
    assert kinds(served.talk()) == ["StreamReset"]
    assert kinds(served.answered(b"HTTP/1.1 204 No Content\r\n\r\n", 1)) == ["ResponseReceived", "StreamEnded"]


def test_a_malformed_request_is_reset_and_the_next_is_served() -> None:
    served = Served()
    served.client.config.validate_outbound_headers = False
    served.client.config.normalize_outbound_headers = False
    assert kinds(served.ask(1, [*HEAD, ("connection", "close")])) == ["StreamReset"]
    served.ask(3, HEAD)
    assert len(served.stage.upstreams) == 1


def test_a_callee_that_takes_no_more_stops_the_client_at_its_window() -> None:
    served = Served()
    served.ask(1, POST, end=False)
    upstream, _ = served.stage.upstreams[0]
    upstream.pause_writing()
    sent = 0
    while room := min(served.client.local_flow_control_window(1), 16384):
        served.client.send_data(1, b"x" * room)
        served.talk()
        sent += room
    assert sent == STREAM_BYTES
    upstream.resume_writing()
    served.talk()
    assert served.client.local_flow_control_window(1) == STREAM_BYTES


def test_a_client_that_takes_nothing_stops_the_callee() -> None:
    served = Served()
    served.ask(1, HEAD)
    served.stage.callee(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 70000)
    assert not served.stage.callee_is_read()
    seen = served.talk()
    served.client.acknowledge_received_data(sum(len(each.data) for each in seen if isinstance(each, DataReceived)), 1)
    served.talk()
    assert served.stage.callee_is_read()


def test_a_drain_lets_streams_end_and_closes_then() -> None:
    """Judged by frames: hyper-h2 takes any GOAWAY for the end."""
    served = Served()
    served.ask(1, HEAD)
    served.stage.listener.draining = True
    served.ours.shut()
    assert kind_and_stream(served.stage.to_client()) == [(frames.GOAWAY, 0), (frames.PING, 0)]
    served.stage.callee(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert kind_and_stream(served.stage.to_client().removesuffix(CLOSED)) == [(frames.HEADERS, 1)]
    assert served.stage._transport.is_closing()


def kind_and_stream(data: bytes) -> list[tuple[int, int]]:
    return [(each.kind, each.stream) for each in frames.FrameReader().feed(data)]


def test_a_client_that_leaves_gives_everything_up() -> None:
    served = Served()
    served.ask(1, HEAD)
    served.ask(3, HEAD)
    served.stage.client_closes()
    assert served.stage.pool.active == 0
