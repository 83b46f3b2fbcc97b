"""What a connection speaks, by its first bytes, in whatever pieces they come."""

import pytest

from meshes.builtin.proxy.detection import BYTES, HTTP1, HTTP2, MOST_LINE_BYTES, is_tls, spoken

FIRST = [
    (b"GET / HTTP/1.1\r\nHost: b\r\n\r\n", HTTP1),
    (b"M-SEARCH * HTTP/1.1\r\n", HTTP1),
    (b"\r\nGET / HTTP/1.0\n", HTTP1),
    (b"CONNECT b:80 HTTP/1.1\r\n", HTTP1),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP2),
    (b"PRI * HTTP/1.1\r\n", HTTP1),
    (b"SSH-2.0-OpenSSH_9.2\r\n", BYTES),
    (b"EHLO me\r\n", BYTES),
    (b"*1\r\n$4\r\nPING\r\n", BYTES),
    (b"PING\r\n", BYTES),
    (b"GET /\r\n", BYTES),
    (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", BYTES),
    (b"\x16\x03\x01\x02\x00", BYTES),
    (b"GET / HTTP/3\r\n", BYTES),
    (b"GET /" + b"x" * MOST_LINE_BYTES, BYTES),
    (b"get some time now\n", BYTES),
    (b"\xff", BYTES),
]


@pytest.mark.parametrize(("data", "kind"), FIRST)
def test_whole_and_byte_by_byte_it_is_the_same(data: bytes, kind: str) -> None:
    assert spoken(data) == kind
    said = [spoken(data[:end]) for end in range(1, len(data) + 1)]
    decided = [each for each in said if each is not None]
    assert decided[0] == kind
    assert said[: said.index(kind)] == [None] * said.index(kind)


@pytest.mark.parametrize(
    "data", [b"G", b"GET ", b"GET / HT", b"PRI", b"PRI * HTTP/2.0\r", b"\r\n", b"QUIT", b"HELLO WORLD"]
)
def test_more_bytes_could_tell(data: bytes) -> None:
    assert spoken(data) is None


def test_tls_begins_with_a_handshake() -> None:
    assert is_tls(b"\x16\x03\x01")
    assert not is_tls(b"GET / HTTP/1.1\r\n")
