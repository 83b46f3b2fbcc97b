"""A connection of which it isn't known yet what it speaks, or whether it is in TLS: it becomes one of those that are. Knows no HTTP.

In the clear or in TLS is told by the first byte, HTTP or bytes by the first line. Whoever says nothing for `detect_s` waits for the other
side to begin, so it speaks neither: its bytes are passed on.
"""

import asyncio
import ssl
from collections.abc import Callable, Container
from typing import TYPE_CHECKING, NamedTuple, cast

from meshes.builtin.proxy.cluster import Callee
from meshes.builtin.proxy.detection import BYTES, is_tls, spoken
from meshes.builtin.proxy.downstream import Downstream
from meshes.builtin.proxy.downstream import Listener as Gate
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.tls import TCP, PeerRefused, TlsSession
from meshes.builtin.proxy.tunnel import Tunnel
from meshes.builtin.proxy.wire import Wire

if TYPE_CHECKING:
    from meshes.builtin.proxy.tunnel import Gate as TunnelGate


class Entrance(NamedTuple):
    """What connections may be: of `protocol` http, tcp or detect; also in the clear if `permissive`. Bytes go to `tcp`."""

    protocol: str
    permissive: bool
    tcp: Callee
    detect_s: float


class Undecided(Wire):
    """`session` makes our side of a handshake, or gives None where there is no TLS."""

    __slots__ = ("_data", "_either", "_entrance", "_gate", "_session", "_timer")

    def __init__(
        self,
        gate: Gate,
        entrance: Entrance,
        loop: asyncio.AbstractEventLoop,
        session: Callable[[], TlsSession | None],
        accepted: Container[str],
    ) -> None:
        super().__init__(loop, None if entrance.permissive else session(), accepted)
        self._gate = gate
        self._entrance = entrance
        self._session = session
        self._either = entrance.permissive
        self._data = b""
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._gate.opened(cast("Downstream", self)):
            transport.close()
        elif self._either:
            self._transport = cast("asyncio.Transport", transport)
            self._wait()
        else:
            super().connection_made(transport)

    def _wait(self) -> None:
        if self._timer is None and self._entrance.protocol != "http":
            self._timer = self._loop.call_later(self._entrance.detect_s, self._silent)

    def _silent(self) -> None:
        """The client waits for the other side; in the clear, if it hasn't begun with TLS."""
        self._timer = None
        if self._either or self.is_secure:
            self._tunnel()

    def data_received(self, data: bytes) -> None:
        if self._either:
            self._either = False
            if not is_tls(data):
                self._data = data
                self.secured()
                return
            self._tls = self._session()
        super().data_received(data)

    def secured(self) -> None:
        protocol = self._entrance.protocol
        if protocol == "tcp" or (self._tls is not None and self._tls.protocol == TCP):
            self._tunnel()
        elif protocol == "http":
            self._become(Downstream(self._gate, self._loop, self._tls, self._accepted))
        elif self._data:
            self._decide()
        else:
            self._wait()

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:  # noqa: ARG002 - counted, the peer got its alert
        self._gate.tls_failed()

    def received(self, data: bytes) -> None:
        self._data += data
        self._decide()

    def _decide(self) -> None:
        found = spoken(self._data)
        if found == BYTES:
            self._tunnel()
        elif found is not None:
            self._become(Downstream(self._gate, self._loop, self._tls, self._accepted))

    def _tunnel(self) -> None:
        guard = self._gate.rules.guard
        if guard is not None and guard.objection_to_bytes(self.peer):
            self._gate.failed(Failure.DENIED)
            self.abort()
            return
        gate = cast("TunnelGate", self._gate)
        self._become(Tunnel(gate, self._entrance.tcp, self._loop, self._tls, self._accepted))

    def _become(self, heir: Wire) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._gate.replaced(self, heir)
        data, self._data = self._data, b""
        self.hand_over(heir, data)

    def ended(self, clean: bool) -> None:  # noqa: ARG002 - nothing was begun
        if self._timer is not None:
            self._timer.cancel()
        self._gate.closed(cast("Downstream", self))

    @property
    def waits_for_client(self) -> bool:
        """It has said nothing yet."""
        return True

    def stalled(self) -> None:
        """For too long."""
        self.abort()

    def shut(self) -> None:
        """Nothing was begun."""
        self.close()
