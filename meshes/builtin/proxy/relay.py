"""A captured connection to somewhere the mesh doesn't know: bytes both ways, as they are. Knows no protocol."""

import asyncio
from typing import Protocol, cast

from meshes.builtin.snapshot import Endpoint

EARLY_BYTES = 1024 * 1024
"""Less than what a kernel sends in the round trip that a connection takes to be made."""


class Doorkeeper(Protocol):
    """Who counts the connections."""

    def opened(self, connection: "Relay") -> bool: ...
    def closed(self, connection: "Relay") -> None: ...


class Side(asyncio.Protocol):
    """One of the two connections; what arrives goes to the `other`, and so does its end, half of it too."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: Side | None = None
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def eof_received(self) -> bool:
        """Whether this side stays open: until the other has ended too."""
        self.ended = True
        if self.other is None or self.other.transport is None:
            return True
        if self.other.ended:
            self.other.transport.close()
            return False
        self.other.transport.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        other, self.other = self.other, None
        if other is not None and other.transport is not None:
            if exc is None:
                other.transport.close()
            else:
                other.transport.abort()

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()


class Relay(Side):
    """The app's side. It has no idle timeout: what it carries may be silent for long, and was not asked for by the mesh."""

    is_secure = True
    waits_for_client = False

    def __init__(
        self, keeper: Doorkeeper, loop: asyncio.AbstractEventLoop, meant: Endpoint, connect_timeout_s: float
    ) -> None:
        super().__init__()
        self.touched_s = loop.time()
        self._keeper = keeper
        self._loop = loop
        self._meant = meant
        self._connect_timeout_s = connect_timeout_s
        self._connecting: asyncio.Task[None] | None = None
        self._early: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if self._keeper.opened(self):
            self._connecting = self._loop.create_task(self._connect())
        else:
            transport.close()

    async def _connect(self) -> None:
        side = Side()
        side.other = self
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await self._loop.create_connection(lambda: side, self._meant.address, self._meant.port)
        except (OSError, TimeoutError):
            self.abort()
            return
        if self.transport is None:
            if side.transport is not None:
                side.transport.abort()
            return
        self.other = side
        for data in self._early:
            super().data_received(data)
        self._early.clear()
        if self.ended:
            super().eof_received()

    def data_received(self, data: bytes) -> None:
        """What comes before there is somewhere to send it is kept: as much of it as a patient client may send ahead."""
        if self.other is not None:
            super().data_received(data)
            return
        self._early.append(data)
        if sum(map(len, self._early)) > EARLY_BYTES:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._keeper.closed(self)

    def shut(self) -> None:
        """Nobody can tell where in its conversation it is: it goes on until the drain is over."""

    def expire(self, now_s: float) -> None:
        """See `shut`: an age is for connections that can say that they end."""

    def stalled(self) -> None:
        """It never is."""

    def abort(self) -> None:
        """Ends both sides at once."""
        if self.transport is not None:
            self.transport.abort()
