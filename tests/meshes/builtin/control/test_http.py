"""Heads as bytes: what is taken, and what is refused with which status."""

import pytest

from meshes.builtin.control.http import MAX_BODY_BYTES, MAX_HEADERS, RefusedError, body_length, read_head


def test_a_head_is_method_path_query_and_headers() -> None:
    head = b"GET /v1/watch?name=a-0&version=7 HTTP/1.1\r\nHost: x\r\nAuthorization:  Bearer t \r\n\r\n"

    assert read_head(head) == (
        "GET",
        "/v1/watch",
        {"name": "a-0", "version": "7"},
        {"host": "x", "authorization": "Bearer t"},
    )


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET  / HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"G(T / HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET x HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /\xe4 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET //[ HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET /?" + b"a=1&" * 20 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nhost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\n: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\ny: z\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nnothing\r\n\r\n", 400),
        (b"GET / HTTP/1.0\r\nhost: x\r\n\r\n", 505),
        (b"GET / HTTP/2.0\r\nhost: x\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\n" + b"".join(b"h%d: x\r\n" % n for n in range(MAX_HEADERS + 1)) + b"\r\n", 431),
    ],
)
def test_malformed_heads_are_refused(head: bytes, status: int) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_head(head)

    assert refusal.value.status == status


@pytest.mark.parametrize(
    ("length", "bytes_"), [(None, 0), ("0", 0), ("00012", 12), (str(MAX_BODY_BYTES), MAX_BODY_BYTES)]
)
def test_a_body_is_as_long_as_its_length_says(length: str | None, bytes_: int) -> None:
    assert body_length({} if length is None else {"content-length": length}) == bytes_


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-length": "-1"}, 400),
        ({"content-length": "+1"}, 400),
        ({"content-length": "1, 1"}, 400),
        ({"content-length": ""}, 400),
        ({"content-length": "٣"}, 400),
        ({"transfer-encoding": "chunked"}, 400),
        ({"transfer-encoding": "chunked", "content-length": "1"}, 400),
        ({"content-length": str(MAX_BODY_BYTES + 1)}, 413),
        ({"content-length": "9" * 5000}, 413),
    ],
)
def test_bodies_that_cant_be_told_or_are_too_long_are_refused(headers: dict[str, str], status: int) -> None:
    with pytest.raises(RefusedError) as refusal:
        body_length(headers)

    assert refusal.value.status == status
