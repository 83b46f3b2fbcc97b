"""Whatever a client or callee sends, in whatever pieces: the proxy doesn't crash, and what it passes on can be read in one way only.

The reader used as judge is written here, for the narrow form in which the proxy writes; it shares nothing with the proxy.
"""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.meshes.builtin.proxy.stage import ABORTED, CLOSED, HALF_CLOSED, Stage

PIECES = [
    b"GET / HTTP/1.1\r\n", b"POST /x HTTP/1.1\r\n", b"HEAD / HTTP/1.0\r\n", b"GET http://b/ HTTP/1.1\r\n", b"Host: b\r\n",
    b"Content-Length: 3\r\n", b"Content-Length: 0\r\n", b"Content-Length: 4, 4\r\n", b"Content-Length : 3\r\n", b"Content-Length: +3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding:\x0bchunked\r\n", b"Connection: close\r\n",
    b"Connection: content-length, transfer-encoding, host\r\n", b"X: y\r\n", b" folded\r\n", b"X: a\rb\r\n", b"X: a\nb\r\n", b"\r\n",
    b"\n", b"\r", b"abc", b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nT: x\r\n\r\n", b"0\r\nHost: c\r\nContent-Length: 9\r\n\r\n", b"00000000000000003\r\nabc\r\n", b"3;x\r\nabc\r\n", b"-3\r\nabc\r\n",
    b"\0", b"Expect: 100-continue\r\n", b"GET /smuggled HTTP/1.1\r\nHost: b\r\n\r\n",
]  # fmt: skip

ANSWERS = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 204 No Content\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 101 Switching\r\n", b"HTTP/1.1 304 Not Modified\r\n", b"HTTP/1.1 200 \xe9\r\n", b"Content-Length: 2\r\n",
    b"Content-Length: 0\r\n", b"Content-Length: 2, 2\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n", b"X : y\r\n", b"\r\n", b"ok", b"2\r\nok\r\n", b"0\r\n\r\n", b"\n", b"\0", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
]  # fmt: skip

FORBIDDEN = {b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"x-forwarded-client-cert"}
"""What has no place in a trailer section."""

streams = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=8)), max_size=14).map(b"".join)
answers = st.lists(st.one_of(st.sampled_from(ANSWERS), st.binary(max_size=8)), max_size=10).map(b"".join)
cuts = st.lists(st.integers(1, 40), min_size=1, max_size=8)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    out, at, turn = [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        out.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return out


def judge(stream: bytes, *, responses: bool) -> None:
    """Messages as the proxy writes them; AssertionError if one isn't whole in form. The last may be unfinished."""
    while stream:
        head, end, stream = stream.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.split(b"\r\n")
        assert not any(octet < 32 and octet != 9 for line in (first, *lines) for octet in line)
        fields = [(line.partition(b":")[0].lower(), line.partition(b":")[2].strip()) for line in lines]
        assert all(name and not set(name) & set(b" \t") for name, _ in fields)
        lengths = [value for name, value in fields if name == b"content-length"]
        codings = [value for name, value in fields if name == b"transfer-encoding"]
        assert len(lengths) + len(codings) <= 1
        assert all(value.isdigit() for value in lengths)
        assert all(value == b"chunked" for value in codings)
        if responses:
            assert first.startswith(b"HTTP/1.1 ")
            if first[9:10] == b"1" or first[9:12] in {b"204", b"304"}:
                continue
            if not lengths and not codings:
                return
        else:
            assert first.endswith(b" HTTP/1.1")
            assert sum(name == b"host" for name, _ in fields) == 1
        stream = unchunked(stream) if codings else stream[int(lengths[0]) if lengths else 0 :]


def unchunked(stream: bytes) -> bytes:
    while True:
        line, end, stream = stream.partition(b"\r\n")
        if not end:
            return b""
        size = int(line, 16)
        if size and len(stream) < size + 2:
            return b""
        if size:
            assert stream[size : size + 2] == b"\r\n"
            stream = stream[size + 2 :]
            continue
        while not stream.startswith(b"\r\n"):
            line, end, stream = stream.partition(b"\r\n")
            if not end:
                return b""
            assert line.partition(b":")[0].lower() not in FORBIDDEN
        return stream[2:]


def without_ends(data: bytes) -> bytes:
    for end in (ABORTED, CLOSED, HALF_CLOSED):
        data = data.replace(end, b"")
    return data


@given(streams, cuts)
@settings(max_examples=400, deadline=None)
def test_what_goes_upstream_has_one_reading(data: bytes, sizes: list[int]) -> None:
    stage = Stage(request_s=1.0)
    for piece in pieces(data, sizes):
        stage.client(piece)
    for number in range(len(stage.upstreams)):
        judge(without_ends(stage.to_callee(number)), responses=False)
    stage.client_closes()
    stage.clock.run(3)
    assert stage.pool.active == 0
    assert stage.listener.open == 0


@given(answers, cuts, st.booleans())
@settings(max_examples=400, deadline=None)
def test_what_comes_back_has_one_reading(data: bytes, sizes: list[int], old: bool) -> None:
    stage = Stage(request_s=1.0)
    stage.client(b"GET / HTTP/1.0\r\nHost: b\r\n\r\n" if old else b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
    for piece in pieces(data, sizes):
        stage.callee(piece, connection=0)
    stage.callee_closes(0)
    stage.clock.run(3)
    judge(without_ends(stage.to_client()), responses=True)
    assert stage.pool.active == 0
    assert not [upstream for upstream in stage.pool.idle if upstream.owner is not None]


@given(streams, cuts)
@settings(max_examples=300, deadline=None)
def test_pieces_do_not_matter(data: bytes, sizes: list[int]) -> None:
    """The same bytes in other pieces give the callee the same requests (chunks may be cut elsewhere) and the client the same status."""
    whole, cut = Stage(), Stage()
    whole.client(data)
    for piece in pieces(data, sizes):
        cut.client(piece)
    assert bool(whole.upstreams) == bool(cut.upstreams)
    if whole.upstreams:
        first = b"\r\n\r\n"
        assert whole.to_callee(0).partition(first)[0] == cut.to_callee(0).partition(first)[0]
