"""Requests and responses of HTTP/2 as HTTP/1.1 has them, back again, and what is no message."""

import pytest
from hpack import Decoder

from meshes.builtin.proxy.http2.fields import Field
from meshes.builtin.proxy.http2.messages import (
    Request,
    request,
    request_block,
    response,
    response_block,
    trailer_block,
    trailers,
)
from meshes.builtin.proxy.http2.streams import StreamFault
from meshes.builtin.proxy.request import parse_request
from meshes.builtin.proxy.response import parse_response

BASE = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"b:8080"), (b":path", b"/x?y=z")]


def read(block: bytes) -> list[Field]:
    return [(bytes(name), bytes(value)) for name, value, *_ in Decoder().decode(block, raw=True)]


def test_a_request_becomes_a_head_that_the_proxy_reads() -> None:
    made = request([*BASE, (b"cookie", b"a=1"), (b"x-q", b"1"), (b"cookie", b"b=2"), (b"te", b"trailers")], end=True)
    assert made == Request(b"GET /x?y=z HTTP/1.1\r\nhost: b:8080\r\nx-q: 1\r\ncookie: a=1; b=2\r\n\r\n", 0)
    assert parse_request(made.head[:-4]).host == b"b"


@pytest.mark.parametrize(
    ("more", "end", "length", "tail"),
    [
        ([], True, 0, b""),
        ([], False, None, b"transfer-encoding: chunked\r\n"),
        ([(b"content-length", b"5")], False, 5, b"content-length: 5\r\n"),
        ([(b"content-length", b"0")], True, 0, b"content-length: 0\r\n"),
    ],
)
def test_a_body_is_framed_as_it_was_stated(more: list[Field], end: bool, length: int | None, tail: bytes) -> None:
    assert request([*BASE, *more], end=end) == (b"GET /x?y=z HTTP/1.1\r\nhost: b:8080\r\n" + tail + b"\r\n", length)


WRONG: dict[str, list[Field]] = {
    "no method": BASE[1:],
    "no path": BASE[:3],
    "an empty path": [*BASE[:3], (b":path", b"")],
    "no host": [BASE[0], BASE[1], BASE[3]],
    "two hosts": [*BASE, (b"host", b"c")],
    "a pseudo field twice": [*BASE, (b":path", b"/")],
    "a pseudo field late": [*BASE[:3], (b"x", b"y"), BASE[3]],
    "a response's pseudo field": [*BASE, (b":status", b"200")],
    "upper case": [*BASE, (b"X-A", b"b")],
    "a colon in a name": [*BASE, (b"x:a", b"b")],
    "an empty name": [*BASE, (b"", b"b")],
    "a line end in a value": [*BASE, (b"x", b"a\r\nhost: c")],
    "white space around a value": [*BASE, (b"x", b" a")],
    "white space in the path": [*BASE[:3], (b":path", b"/ HTTP/1.1")],
    "connection": [*BASE, (b"connection", b"close")],
    "transfer-encoding": [*BASE, (b"transfer-encoding", b"chunked")],
    "te beyond trailers": [*BASE, (b"te", b"gzip")],
    "two lengths": [*BASE, (b"content-length", b"1"), (b"content-length", b"1")],
    "a length that is none": [*BASE, (b"content-length", b"+1")],
    "a length and no body": [*BASE, (b"content-length", b"1")],
}


@pytest.mark.parametrize("fields", WRONG.values(), ids=WRONG)
def test_what_is_no_request(fields: list[Field]) -> None:
    with pytest.raises(StreamFault):
        request(fields, end=True)


def test_a_request_of_ours_is_read_back() -> None:
    lead = parse_request(
        b"POST /S/M HTTP/1.1\r\nHost: b\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked"
    ).lead
    assert read(request_block(lead, b"https")) == [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"b"),
        (b":path", b"/S/M"),
        (b"content-type", b"application/grpc"),
        (b"via", b"1.1 hoptax"),
        (b"te", b"trailers"),
    ]


@pytest.mark.parametrize(
    ("fields", "end", "length"),
    [
        ([(b":status", b"200"), (b"content-length", b"3")], False, 3),
        ([(b":status", b"200")], False, -1),
        ([(b":status", b"200")], True, 0),
        ([(b":status", b"204")], True, 0),
    ],
)
def test_a_response_becomes_a_head_that_the_proxy_reads_and_back(fields: list[Field], end: bool, length: int) -> None:
    head, status = response(fields, end=end)
    found = parse_response(head[:-4], bodiless=False)
    assert (found.status, found.length, status) == (int(fields[0][1]), length, int(fields[0][1]))
    back = read(response_block(found.ready[:-4]))
    assert [each for each in back if each != (b"content-length", b"0")] == fields


@pytest.mark.parametrize(
    "fields",
    [[], [(b":status", b"20")], [(b":status", b"101")], [(b":status", b"200"), (b":path", b"/")], [(b"x", b"y")]],
)
def test_what_is_no_response(fields: list[Field]) -> None:
    with pytest.raises(StreamFault):
        response(fields, end=True)


def test_trailers_there_and_back() -> None:
    assert trailers([(b"grpc-status", b"0"), (b"x", b"")]) == b"grpc-status: 0\r\nx: \r\n"
    assert read(trailer_block(b"Grpc-Status: 0\r\nx: \r\n")) == [(b"grpc-status", b"0"), (b"x", b"")]
    with pytest.raises(StreamFault):
        trailers([(b":status", b"200")])
