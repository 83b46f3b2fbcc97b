"""Requests: URLs taken apart, bytes as they go out, and what is refused."""

import pytest

from harness.wire.request import Target, encode_request, parse_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("http://127.0.0.1:8081", Target("http", "127.0.0.1", 8081, "/", "127.0.0.1:8081")),
        ("https://mesh.test/a?b=c#d", Target("https", "mesh.test", 443, "/a?b=c", "mesh.test")),
        ("http://[::1]:81/x", Target("http", "::1", 81, "/x", "[::1]:81")),
        ("http://h/?q", Target("http", "h", 80, "/?q", "h")),
    ],
)
def test_a_url_says_where_to_connect_and_what_to_ask_for(url: str, target: Target) -> None:
    assert parse_url(url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:80",
        "ftp://h/",
        "http://",
        "http:///x",
        "http://h:99999/",
        "http://h:0/",
        "http://h:x/",
        "http://[::1/",
        "http://u:p@h/",
        "http://h/a b",
        "http://h/\r\nx: y",
        "http://h/é",
        "//h/",
    ],
)
def test_other_urls_are_refused_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="URL "):
        parse_url(url)


def test_a_get_has_a_host_and_no_length() -> None:
    assert encode_request(parse_url("http://h:1/p"), "GET", (), b"") == b"GET /p HTTP/1.1\r\nhost: h:1\r\n\r\n"


def test_a_body_has_its_length_and_a_given_host_replaces_ours() -> None:
    data = encode_request(parse_url("http://h/"), "POST", [("Host", "other"), ("X-A", " b ")], b"xyz")
    assert data == b"POST / HTTP/1.1\r\nHost: other\r\nX-A: b\r\ncontent-length: 3\r\n\r\nxyz"
    assert b"content-length: 0\r\n" in encode_request(parse_url("http://h/"), "PUT", (), b"")


@pytest.mark.parametrize(
    ("method", "header"),
    [
        ("GET /", ("a", "b")),
        ("", ("a", "b")),
        ("CONNECT", ("a", "b")),
        ("GET", ("a:", "b")),
        ("GET", ("", "b")),
        ("GET", ("a", "b\r\nc: d")),
        ("GET", ("a", "b\nc")),
        ("GET", ("a", "\0")),
        ("GET", ("a", "€")),
        ("GET", ("Content-Length", "5")),
        ("GET", ("transfer-encoding", "chunked")),
    ],
)
def test_what_would_break_the_framing_is_refused(method: str, header: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match=r"allowed|leave it out"):
        encode_request(parse_url("http://h/"), method, [header], b"")
