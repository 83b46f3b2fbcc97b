"""One connection from a client: reads requests, sends each on, brings the response back. The proxy's hot path.

One request at a time; what a client sends ahead (pipelining) waits. A request keeps the rules it started with. A client that
closes its side, even half of it, is taken to have gone: its request is given up.

States: HEAD, between requests or inside a head; BODY, inside a request's body; WAIT, the request is complete and its response
is not; LINGER, no more is said, and what still comes is thrown away so that our last words aren't lost to a reset.
"""

import asyncio
import re
import ssl
from collections.abc import Callable, Container
from time import monotonic_ns
from typing import TYPE_CHECKING, Final, Protocol, cast

from meshes.builtin.proxy import grpc_messages
from meshes.builtin.proxy.ageing import Leaving
from meshes.builtin.proxy.body import BodyReader, chunk, last_chunk, reader
from meshes.builtin.proxy.cluster import Callee, Trying
from meshes.builtin.proxy.ejecting import NO_ANSWER
from meshes.builtin.proxy.failures import Failure, Refused
from meshes.builtin.proxy.fields import CHUNKED
from meshes.builtin.proxy.pool import Pool
from meshes.builtin.proxy.request import RequestHead
from meshes.builtin.proxy.response import CODED, ResponseHead
from meshes.builtin.proxy.retry_conditions import Conditions
from meshes.builtin.proxy.rules import Rules
from meshes.builtin.proxy.telemetry import Traffic
from meshes.builtin.proxy.tls import TCP, PeerRefused, TlsSession
from meshes.builtin.proxy.upstream import Upstream
from meshes.builtin.proxy.wire import Wire

if TYPE_CHECKING:
    from meshes.builtin.proxy.tunnel import End
    from meshes.builtin.proxy.tunnel import Gate as TunnelGate

HEAD: Final = 0
BODY: Final = 1
WAIT: Final = 2
LINGER: Final = 3

LINGER_S = 1.0
EXPIRY_S = 5.0
"""A connection that is too old is closed after that long without a request."""
AHEAD_BYTES = 65536
"""What a client may send ahead of its turn before we stop reading."""


class Listener(Protocol):
    """Where connections come from."""

    rules: Rules
    draining: bool

    def opened(self, connection: "Downstream") -> bool: ...
    def replaced(self, connection: Wire, by: Wire) -> None: ...
    def shaken(self) -> None: ...
    def tls_failed(self) -> None: ...
    def closed(self, connection: "Downstream") -> None: ...
    def failed(self, failure: Failure) -> None: ...


class Downstream(Wire):
    """`sent_all` says that the request has gone upstream whole.

    `_attempt` counts wishes for a connection, so that one that comes too late is known; `_trying` is there while a request may be
    retried, `_replay` as long as it is known whole, and `_waits` is true between two tries.
    """

    __slots__ = (
        "_attempt", "_began_ns", "_body", "_buffer", "_bytes_in", "_bytes_out", "_closing", "_coded", "_flag", "_hurry",
        "_last_lines", "_listener", "_pending", "_pool", "_replay", "_request", "_retried", "_rules", "_state", "_status", "_suffix", "_trying",
        "_upstream", "_waits", "sent_all",
    )  # fmt: skip

    def __init__(
        self, listener: Listener, loop: asyncio.AbstractEventLoop, tls: TlsSession | None, accepted: Container[str]
    ) -> None:
        super().__init__(loop, tls, accepted)
        self._listener = listener
        self._suffix = b"\r\n"
        self._buffer = b""
        self._body: BodyReader | None = None
        self._state = HEAD
        self._rules = listener.rules
        self._request: RequestHead | None = None
        self._pool: Pool | None = None
        self._upstream: Upstream | None = None
        self._pending: list[bytes] = []
        self._status = 0
        self._attempt = 0
        self._began_ns = 0
        self._coded = False
        self._closing = False
        self._trying: Trying | None = None
        self._replay: list[bytes] | None = None
        self._retried = 0
        self._waits = False
        self._flag = ""
        self._hurry: asyncio.TimerHandle | None = None
        self._last_lines = b""
        self._bytes_in = 0
        self._bytes_out = 0
        self.sent_all = True

    # the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self._listener.opened(self):
            transport.close()
            return
        super().connection_made(transport)

    def secured(self) -> None:
        self.limit_buffer(self._rules.buffer_bytes)
        if self._tls is not None and self._tls.protocol == TCP:
            self._listener.tls_failed()
            self.abort()  # it was told by the handshake that here is HTTP only
        elif self.peer:
            self._suffix = b"x-forwarded-client-cert: URI=%b\r\n\r\n" % self.peer.encode()
            self._listener.shaken()

    def insecure(self, error: ssl.SSLError | PeerRefused) -> None:  # noqa: ARG002 - counted, the peer got its alert
        self._listener.tls_failed()

    def ended(self, clean: bool) -> None:  # noqa: ARG002 - see the module's docstring
        self._listener.closed(self)
        if self._pool is not None:
            self._cut_upstream()
            self._over_with_request()

    @property
    def is_idle(self) -> bool:
        """Between requests, with nothing of the next one here."""
        return self._state == HEAD and not self._buffer

    @property
    def waits_for_client(self) -> bool:
        """Whether it is the client's turn: to send, or to take what we send."""
        return self._state in (HEAD, BODY, LINGER) or self.choked

    def shut(self) -> None:
        """Closes the connection now if it has nothing to do, else after the current response."""
        if self.is_idle:
            self.close()

    def expire(self, now_s: float) -> None:
        """The connection is older than one may be. The next answer says that it is the last one; a client that asks for none is waited
        for a while, as a connection that is closed just when a request is on its way costs that request."""
        if not isinstance(self._listener, Leaving):
            self._listener = cast("Listener", Leaving(self._listener))
        if self.is_idle and now_s - self.touched_s > EXPIRY_S:
            self.close()

    # the request

    def received(self, data: bytes) -> None:
        try:
            if self._state == HEAD:
                if self._buffer:
                    data = self._buffer + data
                self._read_head(data)
            elif self._state == BODY:
                self.touched_s = self._loop.time()
                assert self._body is not None
                self._send_body(self._body, self._body.feed(data))
            elif self._state == WAIT:
                self._buffer += data
                if len(self._buffer) > AHEAD_BYTES:
                    self.pause_reading()
        except Refused as refused:
            if (refused.failure is Failure.VERSION and self._speaks_http2(data)) or (
                refused.failure is Failure.METHOD and self._connects(data)
            ):
                return
            self._refuse(refused.failure, refused.detail)

    def _speaks_http2(self, data: bytes) -> bool:
        """The connection goes to another protocol if it begins as HTTP/2 does; a request of HTTP/1.1 can't come before or after that."""
        if self._request is not None or not data.startswith(b"PRI * HTTP/2.0\r\n\r\n"):
            return False
        from meshes.builtin.proxy.http2.serving import ServingConnection  # noqa: PLC0415 - loaded only where it is spoken

        now = ServingConnection(self._listener, self._loop, self._tls, self._accepted)
        self._listener.replaced(self, now)
        self.hand_over(now, data)
        return True

    def _connects(self, data: bytes) -> bool:
        """Whether the connection becomes one to a callee: CONNECT, where it is allowed."""
        if not self._rules.connects or self._request is not None:
            return False
        from meshes.builtin.proxy.request import connect_host  # noqa: PLC0415 - rarely needed, as what follows
        from meshes.builtin.proxy.tunnel import ESTABLISHED, Tunnel  # noqa: PLC0415

        head, _, rest = data.partition(b"\r\n\r\n")
        try:
            callee = self._rules.callees.get(host := connect_host(head)) or self._rules.fallback
        except Refused as refused:
            self._refuse(refused.failure, refused.detail)
            return True
        if callee is None:
            self._refuse(Failure.NO_ROUTE, host.decode())
            return True
        now = Tunnel(cast("TunnelGate", self._listener), callee, self._loop, self._tls, self._accepted, ESTABLISHED)
        self._listener.replaced(self, now)
        self.hand_over(now, rest)
        return True

    def _read_head(self, data: bytes) -> None:
        if data[0] == 13:
            data = _EMPTY_LINES.sub(b"", data)  # RFC 9112 §2.2: empty lines before a request are forgiven
        end = data.find(b"\r\n\r\n")
        rules = self._rules = self._listener.rules
        if end < 0 or end > rules.max_header_bytes:
            self._unfinished(data, rules)
            return
        self._buffer = b""
        self._began_ns = monotonic_ns()
        if rules.tracer is None:
            request = self._request = rules.heads[data[:end]]
            out = request.lead + self._suffix
        else:
            head, trace = rules.tracer.continued(data[:end])
            request = self._request = rules.heads[head]
            out = request.lead + trace + self._suffix
        self._closing = not request.keep_alive
        if request.length == len(data) - end - 4:
            self._state, self.sent_all, self._bytes_in = WAIT, True, request.length
            if request.length:
                out += data[end + 4 :]
        else:
            out += self._begin_body(request, data[end + 4 :])
        if request.fields > rules.max_headers:
            raise Refused(Failure.HEAD_TOO_LARGE, f"more than {rules.max_headers} fields")
        if rules.guard is not None and (objection := rules.guard.objection(self.peer, request.lead)):
            raise Refused(Failure.DENIED, objection)
        callee = rules.callees.get(request.host) or rules.fallback
        if callee is None:
            raise Refused(Failure.NO_ROUTE, request.host.decode())
        if not request.host:
            out = out.replace(b"\r\n", b"\r\nhost: %b\r\n" % rules.host, 1)
        self._forward(callee, out)

    def _unfinished(self, data: bytes, rules: Rules) -> None:
        """A head that isn't all here: refused as soon as it can't become a right one."""
        if len(data) > rules.max_header_bytes:
            first = b"\r\n" not in data[: rules.max_header_bytes]
            raise Refused(Failure.URI_TOO_LONG if first else Failure.HEAD_TOO_LARGE, f"{rules.max_header_bytes} bytes")
        if data.count(b"\n") != data.count(b"\r\n"):
            raise Refused(Failure.BAD_REQUEST, "a line ends in LF without CR")
        self._buffer = data

    def _begin_body(self, request: RequestHead, data: bytes) -> bytes:
        """What of the body goes with the head."""
        self._state, self.sent_all, self._bytes_in = BODY, False, 0
        body = self._body = reader(request.length)
        return self._framed(body, body.feed(data))

    def _framed(self, body: BodyReader, payload: bytes) -> bytes:
        """Payload as it goes upstream; at the body's end the request is complete."""
        if self._rules.log is not None:
            self._bytes_in += len(payload)
        if body.done:
            self._state, self.sent_all, self._body, self._buffer = WAIT, True, None, body.rest
        if self._request is not None and self._request.length == CHUNKED:
            return chunk(payload) + last_chunk(body.trailers) if body.done else chunk(payload)
        return payload

    def _send_body(self, body: BodyReader, payload: bytes) -> None:
        out = self._framed(body, payload)
        if self._replay is not None:
            self._keep(self._replay, out)
        if self._upstream is not None:
            if out:
                self._upstream.send(out)
        elif self._pool is not None:
            self._pending.append(out)
            if sum(map(len, self._pending)) > self._rules.buffer_bytes:
                self.pause_reading()
        if self.sent_all:
            if self._rules.patience is not None:
                self._rules.patience.start(self)
            if self._trying is not None and not self._waits:
                self._trying.patience.start(self)

    def _forward(self, callee: Callee, out: bytes) -> None:
        pool, request = callee.pick(self), self._request
        assert request is not None
        self._status = 0
        ready = pool.ready[request.grpc]
        if ready:
            upstream = self._upstream = ready.pop()
        else:
            self._attempt += 1
            pool.open(self, self._attempt, grpc=request.grpc)
            upstream = None
        self._pool = pool
        pool.active += 1
        callee.traffic.active += 1
        if self.sent_all and self._rules.patience is not None:
            self._rules.patience.start(self)
        if callee.trying is not None:
            self._trying, self._replay, self._retried = callee.trying, [out], 0
            if self.sent_all:
                callee.trying.patience.start(self)
        if request.timeout_s is not None:
            self._hurry = self._loop.call_later(request.timeout_s, self.timed_out)
        if upstream is None:
            self._pending = [out]
        else:
            upstream.start(self, out, request.bodiless)

    @property
    def lead(self) -> bytes:
        """The request's head as far as it decides where the request goes."""
        return b"" if self._request is None else self._request.lead

    def wants(self, attempt: int) -> bool:
        """Whether a connection asked for is still of use."""
        return self._pool is not None and attempt == self._attempt

    def connected(self, upstream: Upstream, attempt: int) -> bool:
        """The new connection for this request is there; False if the request has gone meanwhile."""
        if self._pool is None or attempt != self._attempt:
            return False
        self._upstream = upstream
        out, self._pending = b"".join(self._pending), []
        assert self._request is not None
        upstream.start(self, out, self._request.bodiless)
        if not upstream.choked:
            self.resume_reading()
        return True

    # the response

    def interim(self, head: ResponseHead) -> None:
        """An interim response (1xx): passed on, unless the client's HTTP/1.0 doesn't know it."""
        assert self._request is not None
        if not self._request.old:
            self._replay = None  # the client has heard of this try
            self.send(head.ready)

    def switched(self, head: ResponseHead) -> Callable[["End"], None] | None:
        """The connections go on in another protocol: what the callee's is to be given to, or None if the client didn't ask for it."""
        request = self._request
        if request is None or not request.upgrade or self._closing:
            return None
        from meshes.builtin.proxy.tunnel import Switched  # noqa: PLC0415 - loaded only where there are tunnels

        self.send(b"%bconnection: upgrade\r\nupgrade: %b\r\n\r\n" % (head.lead, request.upgrade))
        now = Switched(self._listener, self._loop, self._tls, self._accepted)
        self._status, self._upstream = head.status, None
        self._over_with_request()
        self._listener.replaced(self, now)
        data, self._buffer = self._buffer, b""
        self.hand_over(now, data)
        return now.join

    def respond(self, head: ResponseHead, payload: bytes, done: bool, trailers: bytes = b"") -> None:  # noqa: C901 - calls cost more
        """The response's head and what there is of its body; `trailers` are lines."""
        if done:
            self._upstream = None
        pool, failed = self._pool, head.status >= 500
        assert pool is not None
        if pool.latency is not None and not failed and not self._retried:
            now_ns = monotonic_ns()
            pool.latency.observe(now_ns - self._began_ns, now_ns)
        if pool.record is not None and (failed or pool.record.listens):
            pool.judge(head.status)
        if self._trying is not None:
            conditions = self._trying.conditions
            if (head.status in conditions.statuses or conditions.grpc) and self._tried_in_vain(conditions, head):
                return
            self._give_up_trying(self._trying)  # this answer is passed on
        self._status = head.status
        request = self._request
        assert request is not None
        self._coded = head.length < 0 and not request.old
        if not self.sent_all or self._listener.draining or (request.old and head.length < 0):
            # An answer before the request's end leaves bytes on the connection that nobody will read.
            self._closing = True
        out = self._head(head) if self._closing or request.old else head.ready
        if payload:
            out += chunk(payload) if self._coded else payload
            if self._rules.log is not None:
                self._bytes_out += len(payload)
        if done and self._coded:
            out += last_chunk(trailers)
        self._last_lines = trailers or head.lead
        self.send(out)
        if done:
            self._finish()

    def _head(self, head: ResponseHead) -> bytes:
        """The head for a connection that is to be closed, or a client of HTTP/1.0."""
        connection = b"connection: close\r\n\r\n" if self._closing else b"connection: keep-alive\r\n\r\n"
        return head.lead + (CODED if self._coded else b"") + connection

    def more(self, payload: bytes, done: bool, trailers: bytes = b"") -> None:
        """More of the response's body; `trailers` with its end."""
        if self._rules.log is not None:
            self._bytes_out += len(payload)
        out = chunk(payload) if self._coded else payload
        if done:
            self._upstream = None
            if self._coded:
                out += last_chunk(trailers)
            self._last_lines = trailers
        if out:
            self.send(out)
        if done:
            self._finish()

    def _finish(self) -> None:
        """The response is complete."""
        self._over_with_request()
        if self._closing:
            self._last_words()
            return
        self._state = HEAD
        self.touched_s = self._loop.time()
        if self.choked:
            self.pause_reading()  # whoever doesn't take answers may not ask
        elif self._buffer:
            self._loop.call_soon(self._go_on)
        elif self.paused:
            self.resume_reading()

    def _over_with_request(self) -> None:
        pool = self._pool
        assert pool is not None
        if self._trying is not None:
            self._give_up_trying(self._trying)
        self._pool = self._upstream = None
        self._pending = []
        self._attempt += 1
        pool.active -= 1
        traffic = pool.callee.traffic
        traffic.active -= 1
        elapsed_ns = monotonic_ns() - self._began_ns
        traffic.count(self._status, elapsed_ns)
        if self._request is not None and self._request.grpc:
            self._over_with_call(traffic)
        if self._rules.log is not None:
            self._note(pool.name, elapsed_ns)
        if self._rules.patience is not None:
            self._rules.patience.stop(self)

    def _over_with_call(self, traffic: Traffic) -> None:
        """What is only gRPC's."""
        traffic.count_grpc(grpc_messages.status(self._last_lines))
        self._last_lines = b""
        if self._hurry is not None:
            self._hurry.cancel()
            self._hurry = None

    def _note(self, endpoint: str, elapsed_ns: int) -> None:
        """A line in the access log, if there was anything that could be read as a request."""
        log, request = self._rules.log, self._request
        if log is not None and request is not None:
            sizes = (self._bytes_in, self._bytes_out)
            log.note(request, self._status, self._flag, elapsed_ns, *sizes, endpoint, self.peer)
        self._flag, self._bytes_in, self._bytes_out = "", 0, 0

    # once more

    def _keep(self, replay: list[bytes], out: bytes) -> None:
        """What a retry has to send; a request longer than the buffer is tried once."""
        replay.append(out)
        if sum(map(len, replay)) > self._rules.buffer_bytes:
            self._replay = None

    def _tried_in_vain(self, conditions: Conditions, head: ResponseHead) -> bool:
        """Whether this answer is asked for again, and there is another try."""
        return conditions.met(head.status, head.lead) and self._again()

    def _again(self) -> bool:
        """Whether there is another try; nothing of the one before is left then, and nothing of it has reached the client."""
        pool, trying = self._pool, self._trying
        if pool is None or trying is None or self._replay is None:
            return False
        wait_s = trying.retries.begin(self._retried, pool.callee.traffic.active)
        if wait_s is None:
            return False
        self._retried += 1
        self._waits = True
        trying.patience.stop(self)
        self._cut_upstream()
        self._attempt += 1
        self._loop.call_later(wait_s, self._try_again, self._attempt)
        if not self.sent_all:
            self.pause_reading()
        return True

    def _try_again(self, attempt: int) -> None:
        former, trying, replay = self._pool, self._trying, self._replay
        if former is None or trying is None or attempt != self._attempt:
            return
        if replay is None:
            self._refuse(Failure.UPSTREAM_RESET, "and the request is longer than the buffer that retries have")
            return
        self._waits = False
        callee = former.callee
        callee.traffic.active -= 1  # the request gives its place up while it looks for another
        self._attempt += 1
        refused = None
        try:
            pool = callee.pick_other(former, self)
            assert self._request is not None
            if not pool.ready[self._request.grpc]:
                pool.open(self, self._attempt, grpc=self._request.grpc)
        except Refused as why:
            refused = why
        callee.traffic.active += 1
        if refused is not None:
            self._refuse(refused.failure, refused.detail)
            return
        former.active -= 1
        pool.active += 1
        self._pool = pool
        self._start(pool, b"".join(replay))
        if self.sent_all:
            trying.patience.start(self)

    def _start(self, pool: Pool, out: bytes) -> None:
        """Sends what there is on an idle connection, or keeps it for the one that is being made."""
        assert self._request is not None
        ready = pool.ready[self._request.grpc]
        if not ready:
            self._pending = [out]
            return
        upstream = self._upstream = ready.pop()
        self._pending = []
        upstream.start(self, out, self._request.bodiless)
        self.resume_reading()

    def try_timed_out(self) -> None:
        """This try took longer than one may."""
        self._cut_upstream()
        self.upstream_failed(Failure.TRY_TIMEOUT, "")

    def _give_up_trying(self, trying: Trying) -> None:
        trying.patience.stop(self)
        if self._retried:
            trying.retries.over()
        self._trying = self._replay = None
        self._retried, self._waits = 0, False

    def _cut_upstream(self) -> None:
        """The connection is in nobody knows what state: it goes."""
        if self._upstream is not None:
            upstream, self._upstream = self._upstream, None
            upstream.owner = None
            upstream.abort()

    def _go_on(self) -> None:
        """The next of several requests that were sent at once; not before the client takes what it already asked for."""
        if self._state == HEAD and self._buffer and not self.choked and not self._over:
            data, self._buffer = self._buffer, b""
            self.resume_reading()
            self.received(data)

    # when things go wrong

    def connect_failed(self, failure: Failure, detail: str, attempt: int) -> None:
        """There is no new connection for this request."""
        if attempt == self._attempt:
            self.upstream_failed(failure, detail)

    def upstream_failed(self, failure: Failure, detail: str) -> None:
        """The callee failed this request: an answer of our own, or, inside an answer, a connection cut so that it shows."""
        self._upstream = None
        if self._pool is None:
            return
        if not self._waits:
            self._pool.judge(NO_ANSWER)
        if self._trying is not None and failure in self._trying.conditions.failures and self._again():
            return
        self._refuse(failure, detail)

    def timed_out(self) -> None:
        """The request took longer than allowed, with all its tries."""
        self._cut_upstream()
        self.upstream_failed(Failure.REQUEST_TIMEOUT, "")

    def stalled(self) -> None:
        """The client took longer than the idle timeout to go on."""
        if self._state == HEAD and self._buffer:
            self._refuse(Failure.HEAD_TIMEOUT, "")
        elif self._state == HEAD and self.is_secure:
            self.close()
        else:
            self.abort()

    def _refuse(self, failure: Failure, detail: str) -> None:
        """Answers ourselves. The connection goes on only if the request was whole and readable."""
        self._listener.failed(failure)
        if self._rules.log is not None:
            self._flag = failure.flag
        if self._pool is not None and self._status:
            self._state = LINGER
            self.abort()
            return
        whole = self._state == WAIT and failure.status not in _CLIENT_FAULTS
        if not whole or self._listener.draining:
            self._closing = True
        self._cut_upstream()
        self._status = failure.status
        request = None if self._state == HEAD else self._request
        if request is not None and request.grpc:
            self._status, self._last_lines = 200, failure.grpc_response(detail, self._closing)
            self.send(self._last_lines)
        else:
            self.send(failure.response(detail, self._closing, request is not None and request.bodiless))
        if self._pool is not None:
            self._finish()
            return
        if self._state != HEAD:
            self._note("", monotonic_ns() - self._began_ns)
        if self._closing:
            self._last_words()
        else:
            self._state = HEAD
            if self._buffer:
                self._loop.call_soon(self._go_on)

    def _last_words(self) -> None:
        """Closes so that the client gets our answer even if it is still sending: a reset would throw it away."""
        if self.sent_all and self._state == WAIT and not self._buffer:
            self._state = LINGER
            self.close()
            return
        self._state = LINGER
        self._buffer = b""
        self.resume_reading()
        self.half_close()
        self._loop.call_later(LINGER_S, self.abort)

    # back-pressure

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._upstream is not None:
            self._upstream.resume_reading()
        elif self._state == HEAD:
            self.resume_reading()
            self._go_on()


_EMPTY_LINES = re.compile(rb"\A(?:\r\n)+")
_CLIENT_FAULTS = frozenset((400, 408, 414, 417, 431, 501, 505))
