"""A port on which requests arrive: accepts, counts, obeys the rules in force, drains. Knows no bytes."""

import asyncio
import ssl
from collections.abc import Callable, Container
from typing import Protocol, cast

from meshes.builtin.proxy.ageing import Ages
from meshes.builtin.proxy.downstream import Downstream
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.listening import BACKLOG, listening
from meshes.builtin.proxy.rules import Rules
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.proxy.tls import TlsSession
from meshes.builtin.proxy.wire import Wire

HANDSHAKE_S = 10.0
"""A peer that takes longer to prove who it is loses its connection."""


class Guard(Protocol):
    """Our certificate, as far as accepting goes; `server` changes with every renewal."""

    server: ssl.SSLContext | None


class Connection(Protocol):
    """What a listener asks of what it has accepted."""

    touched_s: float

    @property
    def is_secure(self) -> bool: ...
    @property
    def waits_for_client(self) -> bool: ...
    def stalled(self) -> None: ...
    def shut(self) -> None: ...
    def expire(self, now_s: float) -> None: ...
    def abort(self) -> None: ...


class Listener:
    """One direction of traffic. A change of configuration is one assignment to `rules`. `empty` is set once it is drained."""

    def __init__(
        self,
        direction: str,
        rules: Rules,
        max_connections: int,
        telemetry: Telemetry,
        loop: asyncio.AbstractEventLoop,
        guard: Guard | None = None,
        accepted: Container[str] = (),
    ) -> None:
        self.rules = rules
        self.draining = False
        self.max_connections = max_connections
        self.guard = guard
        self.accepted = accepted
        self._direction = direction
        self._telemetry = telemetry
        self._counts = telemetry.connections_of("downstream", direction)
        self._loop = loop
        self._server: asyncio.Server | None = None
        self._open: set[Connection] = set()
        self._ages: Ages[Connection] | None = None
        self.empty = asyncio.Event()

    async def bind(self, address: str, port: int) -> None:
        """Accepts from now on; OSError if the port is taken."""
        self._server = await self._loop.create_server(self._connection, sock=listening(address, port), backlog=BACKLOG)

    def _connection(self) -> Wire:
        entrance = self.rules.entrance
        if entrance is None:
            return Downstream(self, self._loop, self.session(), self.accepted)
        from meshes.builtin.proxy.undecided import Undecided  # noqa: PLC0415 - loaded already, by who made the entrance

        return Undecided(self, entrance, self._loop, self.session, self.accepted)

    def session(self) -> TlsSession | None:
        """Our side of a handshake, if there is to be one."""
        if self.guard is None:
            return None
        assert self.guard.server is not None
        return TlsSession(self.guard.server, server=True)

    # what connections say

    def opened(self, connection: Connection) -> bool:
        """A connection asks to come in."""
        counts = self._counts
        if counts.open >= self.max_connections or self.draining:
            counts.refused += 1
            return False
        counts.opened += 1
        counts.open += 1
        self._open.add(connection)
        return True

    def shaken(self) -> None:
        """A peer has proved its identity."""
        self._counts.handshakes += 1

    def tls_failed(self) -> None:
        """A peer could not."""
        self._counts.tls_failures += 1

    def replaced(self, connection: Wire, by: Wire) -> None:
        """A connection turned out to speak another protocol."""
        self._open.remove(cast("Connection", connection))
        self._open.add(cast("Connection", by))

    def closed(self, connection: Connection) -> None:
        """A connection is over; those that were turned away say so too."""
        if connection in self._open:
            self._open.remove(connection)
            self._counts.open -= 1
            self._note_empty()

    def failed(self, failure: Failure) -> None:
        """A request got an answer of our own."""
        self._telemetry.failed(self._direction, failure.flag)

    # what the server asks for

    def limit_age(self, age_s: float | None, draw: Callable[[], float]) -> None:
        """How old a connection may become; None: any. `draw` gives a number from 0 to 1."""
        if age_s is None:
            self._ages = None
        elif self._ages is None:
            self._ages = Ages(age_s, draw)
        else:
            self._ages.age_s = age_s

    def sweep(self, now_s: float, idle_s: float) -> None:
        """Ends connections whose client takes too long to go on, and those that are too old."""
        for connection in () if self._ages is None else self._ages.expired(self._open, now_s):
            connection.expire(now_s)
        for connection in list(self._open):
            patience_s = idle_s if connection.is_secure else min(idle_s, HANDSHAKE_S)
            if connection.waits_for_client and now_s - connection.touched_s > patience_s:
                connection.stalled()

    def flush_log(self) -> None:
        """Writes the access log, if there is one."""
        if self.rules.log is not None:
            self.rules.log.flush()

    def drain(self) -> None:
        """Accepts no more, closes what is idle; the rest closes after its response."""
        self.draining = True
        if self._server is not None:
            self._server.close()
        for connection in list(self._open):
            connection.shut()
        self._note_empty()

    def cut(self) -> None:
        """Ends what is left."""
        for connection in list(self._open):
            connection.abort()

    def _note_empty(self) -> None:
        if self.draining and not self._open:
            self.empty.set()
