"""Requests that are understood, and those that are refused because two readers could understand them differently."""

import pytest

from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.fields import CHUNKED
from meshes.builtin.proxy.request import parse_request


def head(*lines: bytes) -> bytes:
    return b"\r\n".join(lines)


def failure(data: bytes) -> Failure:
    with pytest.raises(Refused) as refused:
        parse_request(data)
    return refused.value.failure


def test_what_a_head_says() -> None:
    read = parse_request(head(b"POST /a?b HTTP/1.1", b"Host: B:8080", b"content-LENGTH:  12 ", b"X: \xc3\xa9 y"))
    assert (
        read.lead
        == b"POST /a?b HTTP/1.1\r\nHost: B:8080\r\ncontent-LENGTH:  12 \r\nX: \xc3\xa9 y\r\nvia: 1.1 hoptax\r\n"
    )
    assert (read.host, read.length, read.keep_alive, read.bodiless, read.old, read.fields) == (
        b"b",
        12,
        True,
        False,
        False,
        3,
    )


@pytest.mark.parametrize(
    ("lines", "keep_alive"),
    [
        ((b"GET / HTTP/1.1", b"Host: b"), True),
        ((b"GET / HTTP/1.1", b"Host: b", b"Connection: x, Close"), False),
        ((b"GET / HTTP/1.0", b"Host: b"), False),
        ((b"GET / HTTP/1.0", b"Host: b", b"Connection: Keep-Alive"), True),
        ((b"GET / HTTP/1.0", b"Host: b", b"Connection: Keep-Alive, close"), False),
        ((b"GET / HTTP/1.2", b"Host: b"), True),
    ],
)
def test_persistence(lines: tuple[bytes, ...], keep_alive: bool) -> None:
    assert parse_request(head(*lines)).keep_alive is keep_alive


@pytest.mark.parametrize(
    ("target", "sent", "host"),
    [
        (b"/", b"/", b"b"),
        (b"*", b"*", b"b"),
        (b"http://C/x", b"/x", b"c"),
        (b"HTTPS://c:1?q", b"/?q", b"c"),
        (b"http://c", b"*", b"c"),
        (b"http://[::1]:80/", b"/", b"[::1]"),
    ],
)
def test_forms_of_the_target(target: bytes, sent: bytes, host: bytes) -> None:
    read = parse_request(head(b"OPTIONS " + target + b" HTTP/1.1", b"Host: b"))
    assert read.lead.split(b" ")[1] == sent
    assert read.host == host


SMUGGLING = {
    "length and coding": (b"Content-Length: 5", b"Transfer-Encoding: chunked"),
    "coding and length": (b"Transfer-Encoding: chunked", b"Content-Length: 5"),
    "two lengths": (b"Content-Length: 5", b"Content-Length: 6"),
    "two equal lengths": (b"Content-Length: 5", b"content-length: 5"),
    "list of lengths": (b"Content-Length: 5, 5",),
    "signed length": (b"Content-Length: +5",),
    "negative length": (b"Content-Length: -5",),
    "hexadecimal length": (b"Content-Length: 0x5",),
    "length with a space": (b"Content-Length: 1 2",),
    "empty length": (b"Content-Length:",),
    "length in other digits": ("Content-Length: ٥".encode(),),
    "length beyond all bounds": (b"Content-Length: " + b"9" * 19,),
    "another coding": (b"Transfer-Encoding: gzip",),
    "codings before chunked": (b"Transfer-Encoding: gzip, chunked",),
    "chunked twice": (b"Transfer-Encoding: chunked, chunked",),
    "two codings": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "coding with a vertical tab": (b"Transfer-Encoding: \x0bchunked",),
    "coding with a parameter": (b"Transfer-Encoding: chunked;a=b",),
    "quoted coding": (b'Transfer-Encoding: "chunked"',),
    "empty coding": (b"Transfer-Encoding:",),
    "space before the colon": (b"Transfer-Encoding : chunked",),
    "tab before the colon": (b"Content-Length\t: 5",),
    "folded line": (b"X: a", b" b: c"),
    "folded by a tab": (b"X: a", b"\tTransfer-Encoding: chunked"),
    "no colon": (b"X",),
    "no name": (b": x",),
    "empty line that isn't one": (b" ",),
    "bare CR": (b"X: a\rContent-Length: 5",),
    "bare LF": (b"X: a\nContent-Length: 5",),
    "NUL": (b"X: a\0b",),
    "DEL": (b"X: a\x7fb",),
    "NUL in a name": (b"X\0: a",),
    "non-ASCII name": (b"\xc3\xa9: a",),
    "quote in a name": (b'"X": a',),
    "second host": (b"Host: c",),
    "same host twice": (b"host: b",),
}


@pytest.mark.parametrize("lines", SMUGGLING.values(), ids=SMUGGLING)
def test_what_two_readers_could_see_differently_is_refused(lines: tuple[bytes, ...]) -> None:
    assert failure(head(b"POST / HTTP/1.1", b"Host: b", *lines)) is Failure.BAD_REQUEST


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"GET  / HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET / HTTP/1.1 ", Failure.BAD_REQUEST),
        (b" GET / HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET\t/ HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET /a b HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET /", Failure.BAD_REQUEST),
        (b"GET / http/1.1", Failure.BAD_REQUEST),
        (b"GET / HTTP/1.1x", Failure.BAD_REQUEST),
        (b"GET / HTTP/11", Failure.BAD_REQUEST),
        (b"G\xc3T / HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET / HTTP/2.0", Failure.VERSION),
        (b"GET / HTTP/0.9", Failure.VERSION),
        (b"CONNECT b:80 HTTP/1.1", Failure.METHOD),
        (b"GET b:80 HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET * HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET ftp://b/ HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET http:///x HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET http://user@b/ HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET /#fragment HTTP/1.1", Failure.BAD_REQUEST),
        (b"GET /\x80 HTTP/1.1", Failure.BAD_REQUEST),
        (b"", Failure.BAD_REQUEST),
    ],
)
def test_request_lines_that_are_none(line: bytes, expected: Failure) -> None:
    assert failure(head(line, b"Host: b")) is expected


@pytest.mark.parametrize("host", [b"", b"a b", b"a/b", b"a@b", b"a:b", b"a:123456", b"[::1", b"\xc3\xa9", b"http://b"])
def test_hosts_that_are_none(host: bytes) -> None:
    assert failure(head(b"GET / HTTP/1.1", b"Host: " + host)) is Failure.BAD_REQUEST


def test_host_is_needed_but_in_http_1_0() -> None:
    assert failure(b"GET / HTTP/1.1") is Failure.BAD_REQUEST
    assert parse_request(b"GET / HTTP/1.0").host == b""


def test_codings_do_not_exist_in_http_1_0() -> None:
    assert failure(head(b"POST / HTTP/1.0", b"Host: b", b"Transfer-Encoding: chunked")) is Failure.BAD_REQUEST


def test_only_one_expectation_is_known() -> None:
    assert failure(head(b"GET / HTTP/1.1", b"Host: b", b"Expect: 200-maybe")) is Failure.EXPECTATION


def test_chunked_is_case_insensitive_and_written_anew() -> None:
    read = parse_request(head(b"POST / HTTP/1.1", b"Host: b", b"tRANSFER-encoding: \tCHUNKED"))
    assert read.length == CHUNKED
    assert read.lead.endswith(b"\r\nvia: 1.1 hoptax\r\ntransfer-encoding: chunked\r\n")


def test_names_taken_away_by_connection_do_not_change_framing() -> None:
    read = parse_request(
        head(b"POST / HTTP/1.1", b"Host: b", b"Content-Length: 3", b"Connection: content-length, host, x", b"X: 1")
    )
    assert read.length == 3
    assert read.lead == b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 3\r\nvia: 1.1 hoptax\r\n"
