"""Frames between the harness and its agent in the cluster: kind, channel, length, payload. Bytes in, frames out; no I/O."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

OPEN, DATA, END, RESET, ASK, ANSWER = range(1, 7)
"""OPEN asks for a connection to `ADDRESS:PORT`; DATA carries its bytes, END says that the sender has no more, RESET that it is gone.

ASK holds a request as JSON, `{"op": …}`; ANSWER, on the same channel, `{"ok": …}` or `{"error": "…"}`.
"""
MOST_BYTES = 1 << 26
_HEADER = struct.Struct("!BII")


class Frame(NamedTuple):
    """One message; `channel` numbers the connection or the request."""

    kind: int
    channel: int
    payload: bytes = b""


def encode(frame: Frame) -> bytes:
    """As it goes over the pipe."""
    return _HEADER.pack(frame.kind, frame.channel, len(frame.payload)) + frame.payload


class Decoder:
    """Cuts a stream into frames; keeps what is incomplete."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete now. ValueError if the stream is not of this protocol."""
        self._pending += data
        while len(self._pending) >= _HEADER.size:
            kind, channel, length = _HEADER.unpack_from(self._pending)
            if not OPEN <= kind <= ANSWER or length > MOST_BYTES:
                raise ValueError(f"no frame begins with {bytes(self._pending[:40])!r}")
            end = _HEADER.size + length
            if len(self._pending) < end:
                return
            payload = bytes(self._pending[_HEADER.size : end])
            del self._pending[:end]
            yield Frame(kind, channel, payload)
