"""Whatever a peer sends in HTTP/2, as client or as endpoint, in whatever pieces: a fault by the protocol's own codes, nothing else, and bounded.

The corpus holds conversations that begin well; frames of anything are put in between. The reader of what we send is written here.
"""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshes.builtin.proxy.http2 import frames
from meshes.builtin.proxy.http2.connection import Connection, Data, Head
from meshes.builtin.proxy.http2.fields import FieldReader, encode, is_stateless
from meshes.builtin.proxy.http2.frames import ConnectionFault
from meshes.builtin.proxy.http2.streams import StreamFault
from tests.fuzz.test_proxy import cuts, judge, pieces, without_ends
from tests.meshes.builtin.proxy.http2.test_calling import Caller, Play
from tests.meshes.builtin.proxy.http2.test_serving import Served

CORPUS = sorted((Path(__file__).parent / "corpus" / "http2").glob("*.bin"))
ASK = encode([(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"b"), (b":path", b"/x")])
TELL = encode([(b":status", b"200"), (b"x", b"y")])
MOST_BYTES = 300_000
"""What a connection may keep of a few hundred bytes that came: its window and what it answers."""

blocks = st.one_of(
    st.sampled_from([ASK, TELL, b"", b"\x82", b"\xbe", b"\x3f\xe1\xff\x03", b"\x00\x01A\x01b", encode([(b"x", b"y")])]),
    st.binary(max_size=12),
)
payloads = st.one_of(blocks, st.binary(max_size=40), st.sampled_from([b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0" * 8]))
loose = st.builds(
    frames.frame,
    st.integers(0, 12),
    st.one_of(st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x2D]), st.integers(0, 255)),
    st.one_of(st.integers(0, 7), st.sampled_from([(1 << 31) - 1])),
    payloads,
)
asked = st.builds(
    lambda n, end: frames.headers(2 * n + 1, ASK, end=end, most_bytes=8), st.integers(0, 5), st.booleans()
)
told = st.builds(
    lambda n, end: frames.headers(2 * n + 1, TELL, end=end, most_bytes=8), st.integers(0, 5), st.booleans()
)


def conversation(begin: bytes, usual: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Bytes of a peer that began as it should."""
    each = st.one_of(usual, usual, loose, st.binary(max_size=12))
    return st.lists(each, max_size=12).map(lambda found: begin + b"".join(found))


def walk(said: bytes) -> int:
    """How many frames we sent; AssertionError for one that isn't whole or is larger than every peer takes."""
    at, count = 0, 0
    while at < len(said):
        length = int.from_bytes(said[at : at + 3])
        assert length <= 16384
        assert len(said) >= at + 9 + length
        at, count = at + 9 + length, count + 1
    return count


CLIENTS = conversation(frames.PREFACE + frames.settings({}), asked)
ENDPOINTS = conversation(frames.settings({}), told)


@given(CLIENTS, cuts)
@settings(max_examples=300, deadline=None)
def test_a_client_gets_frames_and_no_crash(data: bytes, sizes: list[int]) -> None:
    connection = Connection(client=False, max_header_bytes=4096, window_bytes=65536)
    said = connection.take()
    try:
        for piece in pieces(data, sizes):
            for event in connection.receive(piece):
                if isinstance(event, Head):
                    connection.send_head(event.stream, TELL, end=False)
                    connection.send_data(event.stream, b"x" * 100, end=True)
                elif isinstance(event, Data):
                    connection.consumed(event.stream, len(event.payload))
            said += connection.take()
    except ConnectionFault:
        said += connection.take()
    walk(said)
    assert len(connection.streams) <= 100
    assert len(said) <= MOST_BYTES


@given(CLIENTS, cuts)
@settings(max_examples=200, deadline=None)
def test_what_streams_ask_upstream_has_one_reading(data: bytes, sizes: list[int]) -> None:
    served = Served()
    for piece in pieces(data[len(frames.PREFACE + frames.settings({})) :], sizes):
        served.stage.client(piece)
    for number in range(len(served.stage.upstreams)):
        judge(without_ends(served.stage.to_callee(number)), responses=False)
    walk(without_ends(served.stage.to_client()))
    served.stage.client_closes()
    served.stage.clock.run(3)
    assert served.stage.pool.active == 0


@given(ENDPOINTS, cuts)
@settings(max_examples=200, deadline=None)
def test_an_endpoint_ends_each_request_once(data: bytes, sizes: list[int]) -> None:
    play = Play()
    callers = [Caller(play).go() for _ in range(3)]
    endpoint = play.connect()
    endpoint.transport.written = b""
    for piece in pieces(data, sizes):
        if not endpoint.transport.is_closing():
            endpoint.connection.data_received(piece)
    play.clock.run()
    endpoint.transport.abort()
    play.clock.run()
    walk(without_ends(endpoint.transport.written))
    assert all(caller.done or caller.failure for caller in callers)
    assert not any(caller.done and caller.failure for caller in callers)


@given(st.lists(blocks, max_size=5))
@settings(max_examples=300, deadline=None)
def test_a_block_that_is_remembered_means_the_same_to_any_reader(found: list[bytes]) -> None:
    """Whatever came before it."""
    used = FieldReader(4096)
    for block in found:
        try:
            read = used.read(block)
        except ConnectionFault:
            return
        if is_stateless(block):
            assert FieldReader(4096).read(block) == read


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_corpus_is_what_its_name_says(path: Path) -> None:
    """`ok-…` are read to their end, `fault-…` end the connection, `reset-…` a stream."""
    client = not path.stem.endswith("-endpoint")
    connection = Connection(client=not client, max_header_bytes=4096, window_bytes=65536)
    if not client:
        connection.send_head(connection.open(), ASK, end=True)
    connection.take()
    kind, fault = path.stem.partition("-")[0], False
    try:
        connection.receive(path.read_bytes())
    except (ConnectionFault, StreamFault):
        fault = True
    assert fault == (kind == "fault")
    assert (b"\0\0\x04\x03\0" in connection.take()) == (kind == "reset")
