"""Trace context: continued, begun anew where it can't be read, never there twice."""

import re

import pytest

from meshes.builtin.policies import Tracing
from meshes.builtin.proxy.tracing import Tracer

HEAD = b"GET / HTTP/1.1\r\nHost: b"
IDS = b"00-" + b"1" * 32 + b"-" + b"2" * 16 + b"-01"
LINE = re.compile(rb"traceparent: 00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])\r\n")


def tracer(share: float = 0.0, chance: int = 0xABC) -> Tracer:
    return Tracer(Tracing(share), lambda: chance)


@pytest.mark.parametrize("name", [b"traceparent", b"Traceparent", b"TRACEPARENT"])
@pytest.mark.parametrize("after", [b"", b"\r\nAccept: */*"])
def test_a_trace_is_continued(name: bytes, after: bytes) -> None:
    head, line = tracer().continued(HEAD + b"\r\n" + name + b": " + IDS + after)
    assert head == HEAD + after
    assert line == b"traceparent: 00-%b-0000000000000abc-01\r\n" % (b"1" * 32)


def test_white_space_around_the_value_is_forgiven_and_costs_what_it_is_long() -> None:
    assert (
        tracer().continued(HEAD + b"\r\ntraceparent:\t " + IDS + b" \t")[1].startswith(b"traceparent: 00-" + b"1" * 32)
    )
    head, _ = tracer().continued(HEAD + b"\r\ntraceparent: a" + b" " * 10_000_000 + b"b")
    assert head == HEAD


def test_state_goes_with_its_trace() -> None:
    head, _ = tracer().continued(HEAD + b"\r\ntraceparent: " + IDS + b"\r\ntracestate: a=1")
    assert head == HEAD + b"\r\ntracestate: a=1"
    assert tracer().continued(HEAD + b"\r\ntracestate: a=1")[0] == HEAD
    assert tracer().continued(HEAD + b"\r\ntraceparent: x\r\ntracestate: a=1")[0] == HEAD


@pytest.mark.parametrize(
    "value",
    [
        b"", b"x", IDS[:-1], IDS.replace(b"1" * 32, b"0" * 32), IDS.replace(b"2" * 16, b"0" * 16), IDS.replace(b"00-", b"ff-"),
        IDS + b"-more", IDS.replace(b"1", b"G"), IDS.replace(b"2", b"A"), IDS + b"\r\ntraceparent: " + IDS,
    ],
)  # fmt: skip
def test_what_can_not_be_read_begins_a_new_trace(value: bytes) -> None:
    head, line = tracer().continued(HEAD + b"\r\ntraceparent: " + value)
    assert head == HEAD
    match = LINE.fullmatch(line)
    assert match is not None
    assert match[1] != b"1" * 32


def test_a_later_version_is_continued_in_ours() -> None:
    _, line = tracer().continued(HEAD + b"\r\ntraceparent: 01" + IDS[2:] + b"-more")
    assert line.startswith(b"traceparent: 00-" + b"1" * 32)


@pytest.mark.parametrize(
    ("share", "chance", "flags"), [(0.0, 0, b"00"), (1.0, 2**64 - 1, b"01"), (0.5, 2**63, b"00"), (0.5, 1, b"01")]
)
def test_the_share_of_begun_traces_is_sampled(share: float, chance: int, flags: bytes) -> None:
    match = LINE.fullmatch(tracer(share, chance).continued(HEAD)[1])
    assert match is not None
    assert match[3] == flags


def test_ids_are_never_all_zeros() -> None:
    match = LINE.fullmatch(tracer(chance=0).continued(HEAD)[1])
    assert match is not None
    assert int(match[1], 16) > 0
    assert int(match[2], 16) > 0
