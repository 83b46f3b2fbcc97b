"""Header blocks: what we write is read by the library, what the library writes by us, and only what is the same for ever is remembered."""

import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st

from meshes.builtin.proxy.http2.fields import FieldReader, encode, is_stateless
from meshes.builtin.proxy.http2.frames import ConnectionFault

names = st.one_of(
    st.sampled_from([b":status", b"authorization", b"content-type", b"x-a"]), st.binary(min_size=1, max_size=200)
)
fields = st.lists(st.tuples(names, st.binary(max_size=400)), max_size=8)


@given(fields)
def test_what_we_write_is_read_and_leaves_no_trace(wanted: list[tuple[bytes, bytes]]) -> None:
    block, decoder = encode(wanted), Decoder()
    decoder.max_header_list_size = 1 << 20
    assert [(bytes(name), bytes(value)) for name, value, *_ in decoder.decode(block, raw=True)] == wanted
    assert is_stateless(block)
    assert len(decoder.header_table.dynamic_entries) == 0


@given(st.lists(fields, max_size=4))
def test_what_others_write_with_a_table_is_read_block_by_block(blocks: list[list[tuple[bytes, bytes]]]) -> None:
    encoder, reader = Encoder(), FieldReader(1 << 20)
    for wanted in blocks:
        assert reader.read(bytes(encoder.encode(wanted))) == tuple(wanted)


@given(st.binary(max_size=40))
def test_nonsense_is_a_fault_and_what_is_stateless_means_the_same_for_anybody(block: bytes) -> None:
    try:
        found = FieldReader(1 << 16).read(block)
    except ConnectionFault:
        return
    if is_stateless(block):
        used = FieldReader(1 << 16)
        used.read(bytes(Encoder().encode([(b"x", b"y"), (b"z", b"w")])))
        assert used.read(block) == found


@pytest.mark.parametrize(
    ("block", "stateless"),
    [
        (b"", True),
        (b"\x82", True),
        (b"\xbe", False),
        (b"\x40\x01a\x01b", False),
        (b"\x3f\xe1\x1f", False),
        (b"\x00\x01a\x01b", True),
        (b"\x0f\x2f\x01b", False),
        (b"\x0f\x2e\x01b", True),
        (b"\x00\x01a", False),
        (b"\x00\x05a", False),
    ],
)
def test_what_touches_the_table_is_known(block: bytes, stateless: bool) -> None:
    assert is_stateless(block) is stateless


def test_a_name_that_must_not_be_kept_is_said_so() -> None:
    assert encode([(b"authorization", b"s")])[0] & 0xF0 == 0x10
