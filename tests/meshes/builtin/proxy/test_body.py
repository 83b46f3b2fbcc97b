"""Bodies: fed whole, byte by byte and with bytes after the end, they give the same payload and rest."""

import pytest

from meshes.builtin.proxy.body import MAX_TRAILER_BYTES, ChunkedReader, chunk, reader
from meshes.builtin.proxy.failures import Refused
from meshes.builtin.proxy.fields import CHUNKED, UNTIL_CLOSE

CHUNKS = b'3\r\nabc\r\n00A;x="y"\r\n0123456789\r\n0\r\nT: 1\r\n\r\n'


@pytest.mark.parametrize(("length", "data", "payload"), [(5, b"hello", b"hello"), (CHUNKED, CHUNKS, b"abc0123456789")])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("rest", [b"", b"GET /", b"\r\n"])
def test_payload_and_rest(length: int, data: bytes, payload: bytes, size: int, rest: bytes) -> None:
    body, got, stream = reader(length), b"", data + rest
    at = 0
    while not body.done:
        got += body.feed(stream[at : at + size])
        at += size
    assert got == payload
    assert body.rest + stream[at:] == rest


def test_a_body_until_close_is_never_done() -> None:
    body = reader(UNTIL_CLOSE)
    assert body.feed(b"abc") == b"abc"
    assert not body.done


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"-1\r\n",
        b"+1\r\n",
        b"0x1\r\n",
        b" 1\r\n",
        b"1 1\r\n",
        b"g\r\n",
        b"1" * 16 + b"\r\n",
        b"1\n",
        b"1\r",
        b"1;a\nb\r\n",
        b"1;\x00\r\n",
        b"1;" + b"x" * 300,
        b"1;" + b"x" * 300 + b"\r\n",
        b"1\r\nab",
        b"1\r\na\n\n",
        b"1\r\naX\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n X\r\n\r\n",
        b"0\r\nX: \0\r\n\r\n",
        b"0\r\nX\n\r\n",
        b"0\r\n" + b"a: b\r\n" * (MAX_TRAILER_BYTES // 6 + 1),
        b"0\r\na: " + b"b" * (MAX_TRAILER_BYTES + 2),
    ],
)
@pytest.mark.parametrize("one_by_one", [False, True])
def test_broken_codings_are_refused(data: bytes, one_by_one: bool) -> None:
    body = ChunkedReader()
    pieces = [data[n : n + 1] for n in range(len(data))] if one_by_one else [data]
    if data == b"1\r":
        pieces.append(b"x")
    with pytest.raises(Refused):
        list(map(body.feed, pieces))


def test_chunks_written_are_read_again() -> None:
    assert chunk(b"") == b""
    body = ChunkedReader()
    assert body.feed(chunk(b"x" * 300) + b"0\r\n\r\n") == b"x" * 300
    assert body.done
