"""One end of the pipe between harness and agent: carries many TCP connections over it, in both directions. Knows no Kubernetes."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from harness.platforms.frames import DATA, END, RESET, Decoder, Frame, encode

READ_BYTES = 1 << 16
MOST_UNREAD_BYTES = 1 << 26
"""A peer that leaves so much unread is disconnected, so that it can't hold up the others."""
_NO_LINGER = struct.pack("ii", 1, 0)


class Relay:
    """Connections by channel. `other` gets the frames that are no connection's bytes, RESET too."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, other: Callable[[Frame], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._other = other
        self._peers: dict[int, asyncio.StreamWriter] = {}
        self._ended: dict[int, asyncio.Event] = {}
        self._over = False

    async def run(self) -> None:
        """Until the pipe ends; ValueError if what comes is not of this protocol."""
        decoder = Decoder()
        try:
            while data := await self._reader.read(READ_BYTES):
                for frame in decoder.feed(data):
                    self._take(frame)
        finally:
            self._over = True
            for channel in tuple(self._peers):
                self._reset(channel)

    def send(self, frame: Frame) -> None:
        """Over the pipe, in order; nothing if it is closed."""
        if not self._writer.is_closing():
            self._writer.write(encode(frame))

    def expect(self, channel: int, writer: asyncio.StreamWriter) -> None:
        """Frames of this channel are for this connection from now on; it is reset if none can come any more."""
        self._peers[channel], self._ended[channel] = writer, asyncio.Event()
        if self._over:
            self._reset(channel)

    async def carry(self, channel: int, reader: asyncio.StreamReader) -> None:
        """Carry an expected connection until both directions have ended; nothing if it was reset meanwhile."""
        ended, writer = self._ended.get(channel), self._peers.get(channel)
        if ended is None or writer is None:
            return
        try:
            while data := await reader.read(READ_BYTES):
                self.send(Frame(DATA, channel, data))
                await self._writer.drain()
            self.send(Frame(END, channel))
            await ended.wait()
            with suppress(KeyError):
                del self._peers[channel]
            writer.close()
        except OSError:
            self.send(Frame(RESET, channel))
        finally:
            self._reset(channel)

    def _take(self, frame: Frame) -> None:
        peer = self._peers.get(frame.channel)
        if frame.kind not in {DATA, END, RESET}:
            self._other(frame)
        elif frame.kind == RESET:
            self._reset(frame.channel)
            self._other(frame)
        elif peer is None:
            return  # it has ended on our side; the other side will hear of it
        elif frame.kind == END:
            self._ended[frame.channel].set()
            with suppress(OSError):
                peer.write_eof()
        else:
            peer.write(frame.payload)
            if peer.transport.get_write_buffer_size() > MOST_UNREAD_BYTES:
                self._reset(frame.channel)

    def _reset(self, channel: int) -> None:
        """A connection that was refused or reset over there must see no orderly end here."""
        peer = self._peers.pop(channel, None)
        if (ended := self._ended.pop(channel, None)) is not None:
            ended.set()
        if peer is not None:
            with suppress(OSError, AttributeError):
                peer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            peer.transport.abort()
