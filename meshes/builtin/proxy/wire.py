"""One connection, in the clear or in TLS: the base of both sides of the proxy. Knows no HTTP.

Subclasses get plain bytes in `received` and the end in `ended`; what they `send` is encrypted where there is TLS. With TLS
nothing is received, and nothing may be sent, before `secured`.
"""

import asyncio
import ssl
from collections.abc import Container
from typing import cast

from meshes.builtin.proxy.tls import PeerRefused, TlsSession


class Wire(asyncio.Protocol):
    """`touched_s` is when something last arrived or could be sent again, by the loop's clock; `choked` is true while the
    peer takes less than we have for it."""

    __slots__ = ("_accepted", "_loop", "_over", "_tls", "_transport", "choked", "paused", "touched_s")

    def __init__(self, loop: asyncio.AbstractEventLoop, tls: TlsSession | None, accepted: Container[str]) -> None:
        self._loop = loop
        self._tls = tls
        self._accepted = accepted
        self._transport: asyncio.Transport | None = None
        self._over = False
        self.choked = False
        self.paused = False
        self.touched_s = loop.time()

    # what subclasses do

    def secured(self) -> None:
        """The connection is ready to be used."""

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:
        """The handshake failed; the connection is being closed."""

    def received(self, data: bytes) -> None:
        """Plain bytes of the peer."""

    def ended(self, clean: bool) -> None:
        """There will be no more bytes, once. `clean`: the peer closed in due form (so that nobody cut the stream)."""

    # what the event loop says

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self._tls is None:
            self.secured()
        else:
            self._shake(b"")

    def data_received(self, data: bytes) -> None:
        tls = self._tls
        if tls is None:
            self.received(data)
            return
        if not tls.established:
            self._shake(data)
            return
        try:
            plain = tls.decrypt(data)
        except ssl.SSLError:
            self.abort()
            return
        if plain:
            self.received(plain)
        self._flush_protocol(tls)
        if tls.closed:
            self.finished()

    def finished(self) -> None:
        """The peer has said in due form, in TLS, that it will send no more."""
        self._end(clean=True)
        self.close()

    def eof_received(self) -> bool | None:
        """Whether the connection stays open for what we have to say."""
        self._end(clean=self._tls is None)
        return None

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio names it
        self._end(clean=False)
        self._transport = None

    def pause_writing(self) -> None:
        self.choked = True

    def resume_writing(self) -> None:
        self.choked = False
        self.touched_s = self._loop.time()

    def take_over(self, transport: asyncio.Transport, data: bytes) -> None:
        """Goes on with a connection whose first plain bytes have shown what it speaks."""
        self._transport = transport
        transport.set_protocol(self)
        self.secured()
        if data:
            self.received(data)

    def hand_over(self, to: "Wire", data: bytes) -> None:
        """The connection is another's from now on; nobody is told that it ended here."""
        transport, self._transport = self._transport, None
        assert transport is not None
        self._over = True
        if self.paused:
            transport.resume_reading()
        to.take_over(transport, data)

    # what subclasses ask for

    def send(self, data: bytes) -> None:
        """Plain bytes for the peer; dropped if the connection is gone."""
        transport = self._transport
        if transport is not None:
            transport.write(data if self._tls is None else self._tls.encrypt(data))

    def close(self) -> None:
        """Ends the connection after everything is sent."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if self._tls is not None and self._tls.established and (farewell := self._tls.close()):
                transport.write(farewell)
            transport.close()

    def half_close(self) -> None:
        """Says that we will send no more, but goes on receiving."""
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if self._tls is not None and self._tls.established and (farewell := self._tls.close()):
                transport.write(farewell)
            transport.write_eof()

    def abort(self) -> None:
        """Ends the connection at once; what isn't sent is lost, and the peer can tell."""
        if self._transport is not None:
            self._transport.abort()

    def pause_reading(self) -> None:
        """Takes no more from the peer."""
        if not self.paused and self._transport is not None:
            self.paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Takes from the peer again."""
        if self.paused and self._transport is not None:
            self.paused = False
            self._transport.resume_reading()

    def limit_buffer(self, high_bytes: int) -> None:
        """How much may wait to be sent before `choked`."""
        if self._transport is not None:
            self._transport.set_write_buffer_limits(high=high_bytes)

    @property
    def made(self) -> bool:
        """Whether there ever was a connection."""
        return self._transport is not None or self._over

    @property
    def is_secure(self) -> bool:
        """Whether it may be used."""
        return self._tls is None or self._tls.established

    @property
    def peer(self) -> str:
        """The SPIFFE id that the peer proved, "" in the clear."""
        return "" if self._tls is None else self._tls.peer

    @property
    def source(self) -> bytes:
        """The address that the connection comes from, b"" if there is none."""
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return name[0].encode() if name else b""

    def _shake(self, data: bytes) -> None:
        tls = self._tls
        assert tls is not None
        try:
            done = tls.handshake(data, self._accepted)
        except (ssl.SSLError, PeerRefused) as error:
            self._flush_protocol(tls)
            self.insecure(error)
            self.close()
            return
        self._flush_protocol(tls)
        if done:
            transport = self._transport
            self.secured()
            if tls.leftover and transport is not None:
                # The peer's first bytes may come with the last of its handshake; the connection may be another's by now.
                heir = self if self._transport is not None else cast("asyncio.Protocol", transport.get_protocol())
                heir.data_received(b"")

    def _flush_protocol(self, tls: TlsSession) -> None:
        if self._transport is not None and (outgoing := tls.outgoing()):
            self._transport.write(outgoing)

    def _end(self, clean: bool) -> None:
        if not self._over:
            self._over = True
            self.ended(clean)
