"""The control protocol: every message there and back, and what is said of lines that are none."""

import pytest

from harness.load.messages import (
    Done,
    Event,
    Failed,
    Prepare,
    Progress,
    Ready,
    Request,
    Start,
    Stop,
    decode_event,
    decode_request,
    encode,
)
from harness.model.errors import EnvironmentFailure
from harness.model.run import ClockDomain, Load

DOMAIN = ClockDomain("boot", 1, 2)


@pytest.mark.parametrize(
    "message",
    [Prepare("http://h/", 2, 1.5, "/rows", headers=(("a", "b"),), cpus=(0, 1)), Start(5, Load(1, 2, 3)), Stop()],
)
def test_requests_arrive_as_they_were_sent(message: Request) -> None:
    assert decode_request(encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        Ready(3),
        Progress(1, 2, 3, 4, 5, {"p50": 6.5}),
        Done("/r", 1, 2, 3, 4, 5, DOMAIN, DOMAIN),
        Failed("usage", "no: ‘x’\n"),
    ],
)
def test_events_arrive_as_they_were_sent(message: Event) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert decode_event(line) == message


@pytest.mark.parametrize("line", [b"", b"Traceback", b"[]", b"{}", b'{"event": "explode"}', b'{"event": "ready"}'])
def test_other_lines_are_refused_and_quoted(line: bytes) -> None:
    with pytest.raises(EnvironmentFailure, match="don't understand each other") as refusal:
        decode_event(line)
    assert repr(line) in str(refusal.value)


def test_unknown_keys_are_passed_over() -> None:
    assert decode_event(b'{"event": "ready", "connections": 1, "mood": "good"}') == Ready(1)
