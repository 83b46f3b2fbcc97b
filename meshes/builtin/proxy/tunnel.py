"""A connection whose bytes are the apps' own: passed on both ways as they are, in the clear or in TLS, half of it at a time if need be.

Knows no protocol. Raw TCP comes here, what CONNECT opens, and what HTTP/1.1 was upgraded to.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Final, Protocol, cast

from meshes.builtin.proxy.cluster import Callee
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.pool import Pool
from meshes.builtin.proxy.tls import TCP, PeerRefused, TlsSession
from meshes.builtin.proxy.wire import Wire

if TYPE_CHECKING:
    from meshes.builtin.proxy.downstream import Downstream
    from meshes.builtin.proxy.downstream import Listener as HttpGate
    from meshes.builtin.proxy.upstream import Upstream

IDLE_S: Final = 3600.0
"""Envoy's default (tcp_proxy, idle_timeout): neither side said anything for so long."""
EARLY_BYTES: Final = 65536
"""What may come before there is somewhere to send it; then the client is read no more."""
_AT_ONCE: Final = struct.pack("ii", 1, 0)
ESTABLISHED: Final = b"HTTP/1.1 200 Connection Established\r\n\r\n"
"""The answer to CONNECT (RFC 9110 §9.3.6)."""


class End(Wire):
    """One of two connections. What arrives goes to the `other`; so does the end, half of it too. `early` is what came before there was an
    `other`, `last_s` when something last came, `said_all` once the peer has said that it will send no more."""

    __slots__ = ("_gone", "carried_bytes", "early", "last_s", "other", "said_all")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tls: TlsSession | None,
        accepted: Container[str],
        gone: Callable[["End"], None],
    ) -> None:
        """`gone` is told once, when the connection is over."""
        super().__init__(loop, tls, accepted)
        self._gone = gone
        self.early: list[bytes] = []
        self.said_all = False
        self.last_s = loop.time()
        self.other: End | None = None
        self.carried_bytes = 0

    def received(self, data: bytes) -> None:
        self.last_s = self._loop.time()
        self.carried_bytes += len(data)
        if self.other is not None:
            self.other.send(data)
            return
        self.early.append(data)
        if sum(map(len, self.early)) > EARLY_BYTES:
            self.pause_reading()

    def join(self, other: "End") -> None:
        """From now on there is somewhere to send what arrives."""
        self.other, other.other = other, self
        for one, another in ((self, other), (other, self)):
            early, one.early = one.early, []
            if early:
                another.send(b"".join(early))
            if one.said_all:
                another.half_close()
            elif not another.choked:
                one.resume_reading()

    def finished(self) -> None:
        """The peer says no more, and may still be told something."""
        self.said_all = True
        other = self.other
        if other is None:
            return
        if other.said_all:
            self.close()
            other.close()
        else:
            other.half_close()

    def eof_received(self) -> bool:
        """In TLS an end that wasn't announced may be somebody else's doing: both sides are cut."""
        if self._tls is not None and not self._tls.closed:
            self.abort()
            return False
        if not self.said_all:
            self.finished()
        return True

    def abort(self) -> None:
        """By a reset: in the clear the peer couldn't tell this end from a regular one."""
        if self._transport is not None:
            made = self._transport.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        super().abort()

    def ended(self, clean: bool) -> None:  # noqa: ARG002 - half an end is told by `finished`
        other, self.other = self.other, None
        if other is not None:
            other.other = None
            if self.said_all:
                other.close()
            else:
                other.abort()
        self._gone(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.other is not None:
            self.other.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.other is not None:
            self.other.resume_reading()

    # what a listener asks

    @property
    def waits_for_client(self) -> bool:
        """Asked from time to time, so that `stalled` can look."""
        return True

    def stalled(self) -> None:
        """Silence is nothing unusual here, unless it is long."""
        last_s = max(self.last_s, self.other.last_s if self.other is not None else 0.0)
        if not self.is_secure or self._loop.time() - last_s > IDLE_S:
            self.abort()

    def shut(self) -> None:
        """Nobody can tell where in its conversation it is: it goes on until the drain is over."""


class Far(End):
    """The endpoint's end while it is being made, as a pool makes connections; `ready` is done when it may be used, or holds why not."""

    __slots__ = ("ready",)

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tls: TlsSession | None,
        accepted: Container[str],
        gone: Callable[[End], None],
    ) -> None:
        super().__init__(loop, tls, accepted, gone)
        self.ready: asyncio.Future[None] = loop.create_future()

    def secured(self) -> None:
        if self._tls is not None and self._tls.protocol != TCP:
            self.insecure(PeerRefused(f"it takes no raw TCP (ALPN {TCP})"))
            self.close()
        elif not self.ready.done():
            self.ready.set_result(None)

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)

    def ended(self, clean: bool) -> None:
        if not self.ready.done():
            self.ready.set_exception(ConnectionResetError("closed during the handshake"))
        super().ended(clean)


class Switched(End):
    """A client's end that was one of HTTP/1.1 before."""

    __slots__ = ()

    def __init__(
        self, gate: "HttpGate", loop: asyncio.AbstractEventLoop, tls: TlsSession | None, accepted: Container[str]
    ) -> None:
        super().__init__(loop, tls, accepted, lambda end: gate.closed(cast("Downstream", end)))


class Gate(Protocol):
    """What the near end asks of its listener."""

    def opened(self, connection: "Tunnel") -> bool: ...
    def shaken(self) -> None: ...
    def tls_failed(self) -> None: ...
    def closed(self, connection: "Tunnel") -> None: ...
    def failed(self, failure: Failure) -> None: ...


class Tunnel(End):
    """The client's end: asks for a connection to the callee as soon as it is known who asks. `greeting` is said once it is there."""

    __slots__ = ("_callee", "_far", "_gate", "_greeting", "_pool")

    def __init__(
        self,
        gate: Gate,
        callee: Callee,
        loop: asyncio.AbstractEventLoop,
        tls: TlsSession | None,
        accepted: Container[str],
        greeting: bytes = b"",
    ) -> None:
        super().__init__(loop, tls, accepted, self._left)
        self._gate = gate
        self._callee = callee
        self._greeting = greeting
        self._pool: Pool | None = None
        self._far: Far | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._gate.opened(self):
            super().connection_made(transport)
        else:
            transport.close()

    def secured(self) -> None:
        if self.peer:
            self._gate.shaken()
        self.limit_buffer(self._callee.limits.buffer_bytes)
        try:
            pool = self._callee.pick()
            pool.open_tunnel(self)
        except Refused as refused:
            self.connect_failed(refused.failure, refused.detail, 0)
            return
        self._pool = pool
        pool.active += 1
        self._callee.traffic.tunnels.active += 1

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:  # noqa: ARG002 - counted, the peer got its alert
        self._gate.tls_failed()

    def wants(self, attempt: int) -> bool:  # noqa: ARG002 - there is one
        """Whether the client is still there."""
        return self._transport is not None

    def connected(self, upstream: "Upstream | Far", attempt: int) -> bool:  # noqa: ARG002 - see `wants`
        """The endpoint's end is there."""
        if self._transport is None or not isinstance(upstream, Far):
            return False
        if self._greeting:
            self.send(self._greeting)
        self._far = upstream
        self.join(upstream)
        return True

    def connect_failed(self, failure: Failure, detail: str, attempt: int) -> None:  # noqa: ARG002 - see `wants`
        """There is none: the client is told if it speaks HTTP, else cut."""
        self._gate.failed(failure)
        if self._greeting:
            self.send(failure.response(detail, True, False))
            self.close()
        else:
            self.abort()

    def _left(self, _: End) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.active -= 1
            tunnels = self._callee.traffic.tunnels
            tunnels.active -= 1
            tunnels.total += 1
            tunnels.bytes_in += self.carried_bytes
            tunnels.bytes_out += self._far.carried_bytes if self._far is not None else 0
        self._gate.closed(self)
