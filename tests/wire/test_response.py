"""The response parser: every case whole, byte by byte and with trailing bytes; and what it must refuse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.wire.response import MAX_HEAD_BYTES, MAX_LINE_BYTES, Head, ResponseError, ResponseParser, parse_head

COMPLETE = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, True),
    "empty body": (b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", 200, True),
    "same length twice": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nhi", 200, True),
    "no reason": (b"HTTP/1.1 404\r\ncontent-length: 2\r\n\r\nno", 404, True),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", 204, True),
    "not modified, with a length": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n", 304, True),
    "close asked": (b"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\ncontent-length: 2\r\n\r\nhi", 200, False),
    "old": (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", 200, False),
    "old, kept": (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi", 200, True),
    "chunks": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n4\r\nwiki\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n",
        200,
        True,
    ),
    "trailers": (b"HTTP/1.1 500 Oh\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx: y\r\nz: \r\n\r\n", 500, True),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 E\r\nlink: x\r\n\r\nHTTP/1.1 201 C\r\ncontent-length: 1\r\n\r\na",
        201,
        True,
    ),
}

MALFORMED = {
    "not http": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "wrong version": b"HTTP/2.0 200 OK\r\n\r\n",
    "status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "status 600": b"HTTP/1.1 600 OK\r\n\r\n",
    "space before colon": b"HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello",
    "folded header": b"HTTP/1.1 200 OK\r\na: b\r\n c\r\ncontent-length: 0\r\n\r\n",
    "bare line feed": b"HTTP/1.1 200 OK\r\na: b\ncontent-length: 3\r\n\r\nabc",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "signed length": b"HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
    "length list": b"HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
    "length and chunked": b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    "chunked in 1.0": b"HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    "chunk size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "huge chunk size": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"f" * 16 + b"\r\n",
    "chunk too long": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    "trailer": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
    "endless size line": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1;" + b"x" * MAX_LINE_BYTES + b"\r\n",
    "endless head": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * (MAX_HEAD_BYTES // 6 + 1),
    "upgrade nobody asked for": b"HTTP/1.1 101 Switching\r\n\r\n",
}


@pytest.mark.parametrize(("data", "status", "keep_alive"), COMPLETE.values(), ids=COMPLETE)
class TestComplete:
    def test_whole(self, data: bytes, status: int, keep_alive: bool) -> None:
        head = ResponseParser().feed(data)
        assert head is not None
        assert (head.status, head.keep_alive) == (status, keep_alive)

    def test_byte_by_byte_ends_with_the_last_byte(self, data: bytes, status: int, keep_alive: bool) -> None:
        heads = feed_bytewise(ResponseParser(), data)
        assert heads[:-1] == [None] * (len(data) - 1)
        assert heads[-1] is not None
        assert (heads[-1].status, heads[-1].keep_alive) == (status, keep_alive)

    def test_trailing_bytes_take_the_connection_away(self, data: bytes, status: int, keep_alive: bool) -> None:
        head = ResponseParser().feed(data + b"H")
        assert head is not None
        assert (head.status, head.keep_alive) == (status, False)

    def test_the_next_response_starts_afresh(self, data: bytes, status: int, keep_alive: bool) -> None:
        parser = ResponseParser()
        for _ in range(2):
            assert feed_bytewise(parser, data)[-1] is not None
            head = parser.feed(data)
            assert head is not None
            assert head.status == status

    def test_cut_off_is_no_response(self, data: bytes, status: int, keep_alive: bool) -> None:
        parser = ResponseParser()
        assert parser.feed(data[:-1]) is None
        assert parser.eof() is None


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("way", ["whole", "bytewise"])
def test_malformed_bytes_are_refused(data: bytes, way: str) -> None:
    parser = ResponseParser()
    with pytest.raises(ResponseError):
        parser.feed(data) if way == "whole" else feed_bytewise(parser, data)


def test_without_length_the_close_ends_it() -> None:
    parser = ResponseParser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n\r\npart") is None
    assert parser.feed(b"more") is None
    assert parser.eof() == Head(200, -2, keep_alive=False)


def test_the_answer_to_a_head_request_has_no_body() -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"
    for head in (ResponseParser(bodiless=True).feed(data), feed_bytewise(ResponseParser(bodiless=True), data)[-1]):
        assert head == Head(200, 0, keep_alive=True)


def test_close_before_anything_is_no_response() -> None:
    assert ResponseParser().eof() is None


def test_many_different_heads_are_not_remembered_for_ever() -> None:
    for number in range(2000):
        parse_head(b"HTTP/1.1 200 OK\r\nx-id: %d\r\ncontent-length: 1" % number)
    assert parse_head.cache_info().currsize <= 512


@given(st.sampled_from([*COMPLETE]), st.lists(st.integers(1, 40), max_size=8))
def test_cuts_anywhere_change_nothing(name: str, cuts: list[int]) -> None:
    data, status, keep_alive = COMPLETE[name]
    parser, heads = ResponseParser(), []
    for cut in cuts:
        if data[cut:]:
            heads.append(parser.feed(data[:cut]))
            data = data[cut:]
    heads.append(parser.feed(data))
    assert [(head.status, head.keep_alive) for head in heads if head] == [(status, keep_alive)]


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_a_refusal_or_a_wait(data: bytes) -> None:
    try:
        ResponseParser().feed(b"HTTP/1.1 200 OK\r\n" + data)
    except ResponseError:
        return


def feed_bytewise(parser: ResponseParser, data: bytes) -> list[Head | None]:
    return [parser.feed(data[n : n + 1]) for n in range(len(data))]
