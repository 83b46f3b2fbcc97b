"""A proxy's listener and one callee on a stage without sockets: bytes in, bytes out, and time that moves only when told.

stage.client(b"GET / HTTP/1.1\\r\\nHost: b\\r\\n\\r\\n")
assert stage.to_callee() == b"GET / HTTP/1.1\\r\\nHost: b\\r\\nvia: 1.1 hoptax\\r\\n\\r\\n"
stage.callee(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
assert stage.to_client() == b"HTTP/1.1 204 No Content\\r\\n\\r\\n"
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, cast

from meshes.builtin.proxy.cluster import Callee
from meshes.builtin.proxy.downstream import Downstream
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.patience import Patience
from meshes.builtin.proxy.pool import Pool, Waiter
from meshes.builtin.proxy.rules import Rules
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.proxy.upstream import Upstream
from meshes.builtin.snapshot import Cluster, Endpoint, Limits

CLOSED = b"<closed>"
ABORTED = b"<aborted>"
HALF_CLOSED = b"<half closed>"


class Clock:
    """As much of an event loop as the connections ask for."""

    def __init__(self) -> None:
        self.now_s = 100.0
        self._calls: list[tuple[float, int, Callable[..., object], tuple[object, ...]]] = []
        self._count = 0

    def time(self) -> float:
        return self.now_s

    def call_at(self, when_s: float, call: Callable[..., object], *given: object) -> None:
        self._count += 1
        self._calls.append((when_s, self._count, call, given))

    def call_later(self, delay_s: float, call: Callable[..., object], *given: object) -> None:
        self.call_at(self.now_s + delay_s, call, *given)

    def call_soon(self, call: Callable[..., object], *given: object) -> None:
        self.call_at(self.now_s, call, *given)

    def create_future(self) -> "_Future":
        return _Future()

    def run(self, seconds: float = 0.0) -> None:
        """Everything that is due until then, in order."""
        end_s = self.now_s + seconds
        while due := sorted(call for call in self._calls if call[0] <= end_s):
            self._calls.remove(due[0])
            self.now_s = max(self.now_s, due[0][0])
            due[0][2](*due[0][3])
        self.now_s = end_s


class _Future:
    def done(self) -> bool:
        return True


class Transport(asyncio.Transport):
    """Keeps what was written; its end of life is told like a real one's."""

    def __init__(self, protocol: asyncio.Protocol, clock: Clock) -> None:
        super().__init__()
        self._protocol = protocol
        self._clock = clock
        self._closing = False
        self.written = b""
        self.reading = True
        self.full = False

    def write(self, data: Any) -> None:  # Any: as typeshed has it
        if not self._closing:
            self.written += data
            if self.full:
                self._protocol.pause_writing()

    def write_eof(self) -> None:
        self.written += HALF_CLOSED

    def close(self) -> None:
        self._end(CLOSED)

    def abort(self) -> None:
        self._end(ABORTED)

    def _end(self, how: bytes) -> None:
        if not self._closing:
            self._closing = True
            self.written += how
            self._clock.call_soon(self._protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class _Listener:
    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.draining = False
        self.failures: list[str] = []
        self.open = 0

    def opened(self, connection: Downstream) -> bool:
        self.open += 1
        return True

    def shaken(self) -> None: ...

    def tls_failed(self) -> None: ...

    def replaced(self, connection: Downstream, by: object) -> None: ...

    def closed(self, connection: Downstream) -> None:
        self.open -= 1

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure.flag)


class _Pool(Pool):
    def dial(self, waiter: Waiter, attempt: int) -> None:
        cast("_Callee", self.callee).waiting.append((waiter, attempt, self))


class _Callee(Callee):
    pool_class = _Pool
    waiting: "list[Wish]"


Wish = tuple[Waiter, int, Pool]
"""Somebody who wants a connection."""


class Stage:
    """One client connection. The callee accepts a connection at once unless `accept` is False."""

    def __init__(
        self,
        *,
        request_s: float = 0.0,
        limits: Limits | None = None,
        accept: bool = True,
        inbound: bool = False,
        endpoints: int = 1,
        choose: Callable[[int], int] = lambda _: 0,
        policies: Mapping[str, Any] | None = None,  # Any: policies by their name in Cluster
        **rules: Any,  # Any: parts of Rules by name
    ) -> None:
        self.clock = Clock()
        loop = cast("asyncio.AbstractEventLoop", self.clock)
        limits = limits or Limits()
        self.telemetry = Telemetry()
        where = tuple(Endpoint("127.0.0.1", 1 + n) for n in range(endpoints))
        config = Cluster("b", where, mtls=False, **(policies or {}))
        dialler = cast("Any", None)  # Any: nobody dials on a stage
        self._callee = _Callee(config, limits, dialler, self.telemetry, "outbound", loop, choose)
        self._callee.waiting = []
        self.pool = self.callee_pools[0]
        patience = Patience(loop, request_s) if request_s else None
        callees = {} if inbound else {b"b": self._callee}
        fallback = self._callee if inbound else None
        sizes = (limits.max_header_bytes, limits.max_headers, limits.buffer_bytes)
        self.listener = _Listener(Rules(callees, fallback, b"app:8080", *sizes, patience, **rules))
        self.connection = Downstream(self.listener, loop, None, ())
        self._transport = Transport(self.connection, self.clock)
        self.connection.connection_made(self._transport)
        self._accept = accept
        self.upstreams: list[tuple[Upstream, Transport]] = []

    @property
    def callee_pools(self) -> list[Pool]:
        return self._callee._all

    def client(self, data: bytes, *, one_by_one: bool = False) -> None:
        """The client sends."""
        for piece in [data[n : n + 1] for n in range(len(data))] if one_by_one else [data]:
            if piece and not self._transport.is_closing():
                self.connection.data_received(piece)
            self.clock.run()
            if self._accept:
                self.accept()

    def client_closes(self) -> None:
        self.connection.eof_received()
        self._transport.close()
        self.clock.run()

    def waiting(self) -> "list[Wish]":
        """Takes out the connections that wait for the callee."""
        waiting, self._callee.waiting = self._callee.waiting, []
        return waiting

    def accept(self, wishes: "list[Wish] | None" = None) -> None:
        """The callee takes these connections, or all that wait."""
        for waiter, attempt, pool in self.waiting() if wishes is None else wishes:
            upstream = Upstream(pool, cast("asyncio.AbstractEventLoop", self.clock), None, (), 0)
            transport = Transport(upstream, self.clock)
            upstream.connection_made(transport)
            self.upstreams.append((upstream, transport))
            if not waiter.connected(upstream, attempt):
                pool.released(upstream)
            self.clock.run()

    def refuse(self, failure: Failure, wishes: "list[Wish] | None" = None) -> None:
        """The callee takes none of these, or none at all."""
        for waiter, attempt, pool in self.waiting() if wishes is None else wishes:
            pool.one_less()
            waiter.connect_failed(failure, "127.0.0.1:1", attempt)
            self.clock.run()

    def callee(self, data: bytes, *, one_by_one: bool = False, connection: int = -1) -> None:
        """The callee sends, on its newest connection unless told which."""
        upstream, transport = self.upstreams[connection]
        for piece in [data[n : n + 1] for n in range(len(data))] if one_by_one else [data]:
            if piece and not transport.is_closing():
                upstream.data_received(piece)
            self.clock.run()

    def client_takes_nothing(self) -> None:
        """From the next byte to the client on, the transport says that it has enough."""
        self._transport.full = True

    def callee_closes(self, connection: int = -1) -> None:
        upstream, transport = self.upstreams[connection]
        upstream.eof_received()
        transport.close()
        self.clock.run()

    def to_client(self) -> bytes:
        """What the client got since the last time."""
        written, self._transport.written = self._transport.written, b""
        return written

    def to_callee(self, connection: int = -1) -> bytes:
        """What the callee got since the last time."""
        transport = self.upstreams[connection][1]
        written, transport.written = transport.written, b""
        return written

    def client_is_read(self) -> bool:
        return self._transport.reading

    def callee_is_read(self) -> bool:
        return self.upstreams[-1][1].reading
