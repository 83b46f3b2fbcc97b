"""Header blocks (HPACK, RFC 7541) ↔ fields. Pure but for the table that a decoder keeps; knows no stream.

What we send never enters the peer's table: a block is a pure function of its fields and can be remembered. Peers are asked for the
same (a table of size 0), so what they send after they know is a pure function too, and is remembered; until then, and from peers
that don't obey, the library's decoder has the say.
"""

from collections.abc import Iterable
from typing import Final

from hpack import Decoder, HPACKError, OversizedHeaderListError
from hpack.table import HeaderTable

from meshes.builtin.proxy.http2.frames import Code, ConnectionFault

Field = tuple[bytes, bytes]
"""Lower-case name and value."""

MAX_BLOCKS = 128
MAX_BLOCK_BYTES = 1024
SENSITIVE: Final = frozenset((b"authorization", b"cookie", b"set-cookie", b"proxy-authorization"))
"""Written so that nobody on the way puts them in a table (RFC 7541 §7.1.3)."""
_WHOLE: Final = {(bytes(name), bytes(value)): n for n, (name, value) in enumerate(HeaderTable.STATIC_TABLE, 1)}
_NAMES: Final = {bytes(name): n for n, (name, _) in reversed(list(enumerate(HeaderTable.STATIC_TABLE, 1)))}
_DYNAMIC: Final = 62
"""The first index that is of the dynamic table."""


def encode(fields: Iterable[Field]) -> bytes:
    """A block that leaves the peer's table as it is: indexed where the static table has the field, else literal and not Huffman coded,
    which costs the network a fifth more and us nothing."""
    return b"".join([_whole_or_literal(name, value) for name, value in fields])


def _whole_or_literal(name: bytes, value: bytes) -> bytes:
    index = _WHOLE.get((name, value))
    if index is not None:
        return bytes((0x80 | index,))
    flag = 0x10 if name in SENSITIVE else 0x00
    known = _NAMES.get(name)
    start = _integer(flag, 4, known) if known is not None else bytes((flag,)) + _integer(0, 7, len(name)) + name
    return start + _integer(0, 7, len(value)) + value


def _integer(flag: int, bits: int, value: int) -> bytes:
    """RFC 7541 §5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes((flag | value,))
    found, value = bytearray((flag | most,)), value - most
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)


def is_stateless(block: bytes) -> bool:
    """Whether a block means the same whatever came before it: it neither reads nor changes the dynamic table.

    A block that can't be walked to its end is not: the decoder will say what is wrong with it.
    """
    at, size = 0, len(block)
    while at < size:
        first = block[at]
        if first & 0x80:
            if first == 0x80 or first >= 0x80 | _DYNAMIC:
                return False
            at += 1
            continue
        if first & 0x60 or (first & 0x0F == 0x0F and _long(block, at, 4)[0] >= _DYNAMIC):
            return False
        index, at = _long(block, at, 4)
        for _ in range(2 if index == 0 else 1):
            if at >= size:
                return False
            length, at = _long(block, at, 7)
            at += length
    return at == size


def _long(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """An integer and where it ends; beyond the block's end if it has none."""
    most = (1 << bits) - 1
    value = block[at] & most
    at += 1
    if value < most:
        return value, at
    shift = 0
    while at < len(block) and shift < 28:
        octet = block[at]
        value += (octet & 127) << shift
        at, shift = at + 1, shift + 7
        if octet < 128:
            return value, at
    return len(block), len(block) + 1


class FieldReader:
    """Of one connection. ConnectionFault for a block that can't be decoded, or whose fields are larger than allowed."""

    __slots__ = ("_decoder", "_known")

    def __init__(self, max_bytes: int) -> None:
        self._decoder = Decoder(max_header_list_size=max_bytes)
        self._known: dict[bytes, tuple[Field, ...]] = {}

    def read(self, block: bytes) -> tuple[Field, ...]:
        """The fields of a block. Names of one letter case and legal characters are the caller's affair."""
        known = self._known.get(block)
        if known is not None:
            return known
        try:
            fields = tuple((bytes(name), bytes(value)) for name, value, *_ in self._decoder.decode(block, raw=True))
        except HPACKError as error:
            too_large = isinstance(error, OversizedHeaderListError)
            code = Code.ENHANCE_YOUR_CALM if too_large else Code.COMPRESSION_ERROR
            raise ConnectionFault(code, f"a header block: {error}") from error
        if len(block) <= MAX_BLOCK_BYTES and is_stateless(block):
            if len(self._known) >= MAX_BLOCKS:
                self._known.clear()
            self._known[block] = fields
        return fields
