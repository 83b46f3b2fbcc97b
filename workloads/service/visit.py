"""One request on its way through a service: work, then the script's steps, then the answer. A state machine of callbacks.

The answer carries `x-hoptax-stamps: received,answered` (CLOCK_MONOTONIC ns). A call that can't be completed makes it 502, one that
timed out 504, an answer of 400 or above or without stamps 502: the user of this service sees that something behind it failed.
"""

import random
import time
from collections.abc import Callable
from functools import partial

from harness.wire.client import Answer
from harness.wire.pool import Pool
from harness.wire.server import Request, ServerConnection
from workloads.service import trace
from workloads.service.config import FORWARDED, Call, Config
from workloads.service.orders import Order
from workloads.service.recorder import Recorder
from workloads.service.work import Sleeper, burn

STATUS_LINES = {
    200: b"HTTP/1.1 200 OK\r\n",
    500: b"HTTP/1.1 500 Internal Server Error\r\n",
    502: b"HTTP/1.1 502 Bad Gateway\r\n",
    503: b"HTTP/1.1 503 Service Unavailable\r\n",
    504: b"HTTP/1.1 504 Gateway Timeout\r\n",
}


class Site:
    """A call site with its pools; endpoints are used in turn, request by request."""

    def __init__(self, call: Call, pool: Callable[[str, int], Pool]) -> None:
        self.call = call
        self.pools = [pool(host, port) for host, port in call.endpoints]
        self._turn = 0

    def next_pool(self) -> Pool:
        """The endpoint whose turn it is."""
        self._turn = (self._turn + 1) % len(self.pools)
        return self.pools[self._turn]


class App:
    """What all visits of one replica share. `handle` is the server's handler."""

    def __init__(
        self,
        config: Config,
        recorder: Recorder,
        sleeper: Sleeper,
        pool: Callable[[str, int], Pool],
        chance: random.Random,
    ) -> None:
        self.config = config
        self.recorder = recorder
        self.sleeper = sleeper
        self.chance = chance
        self.steps = [[Site(call, pool) for call in step] for step in config.steps]
        self.requests = 0
        self.last: Request | None = None
        self.order: Order | None = None
        self._filler = ending(b"application/octet-stream", config.body)
        self._idle = not (config.cpu_ns or config.sleep_ns or config.error_rate or self.steps)
        self._plain = self._idle

    def handle(self, request: Request, connection: ServerConnection) -> None:
        """Answer at once if there is nothing to do, else start a visit."""
        self.requests += 1
        self.last = request
        if self._plain and request.header(b"traceparent") is None:
            connection.answer(self.answer(200, request.received_ns))
            return
        Visit(self, request, connection).begin()

    def obey(self, order: Order | None) -> None:
        """The next requests are served so; with None, as ever. Nobody who gave no order pays for the question."""
        self.order = order
        self._plain = self._idle and order is None

    def answer(self, status: int, received_ns: int, end: bytes = b"") -> bytes:
        """The whole response, its second stamp taken now. `end` replaces the filler."""
        stamps = b"x-hoptax-stamps: %d,%d\r\n" % (received_ns, time.monotonic_ns())
        return STATUS_LINES[status] + stamps + (end or self._filler)


def ending(content_type: bytes, body: bytes) -> bytes:
    """The rest of a response: headers about the body, and the body."""
    return b"content-length: %d\r\ncontent-type: %s\r\n\r\n%s" % (len(body), content_type, body)


class Visit:
    """One request in progress."""

    __slots__ = ("_app", "_calls", "_connection", "_pending", "_request", "_status", "_step", "_trace")

    def __init__(self, app: App, request: Request, connection: ServerConnection) -> None:
        self._app = app
        self._request = request
        self._connection = connection
        self._step = 0
        self._pending = 0
        self._status = 200
        self._trace = b"".join([b"%s: %s\r\n" % pair for pair in request.headers if pair[0] in FORWARDED])
        asked = self._trace and trace.sampled(request.header(b"traceparent"))
        self._calls: list[trace.Json] | None = [] if asked else None

    def begin(self) -> None:
        """Do the work, then the first step."""
        config, order = self._app.config, self._app.order
        if order is not None and order.take():
            self._status = order.status
            self._app.sleeper.after(order.sleep_ns, partial(self._obeyed, order))
            return
        if config.cpu_ns:
            burn(config.cpu_ns)
        if config.error_rate and self._app.chance.random() < config.error_rate:
            self._status = 500
            self._end()
        elif config.sleep_ns:
            self._app.sleeper.after(config.sleep_ns, self._next)
        else:
            self._next()

    def _obeyed(self, order: Order) -> None:
        order.done()
        self._next()

    def _next(self) -> None:
        while self._step < len(self._app.steps) and self._status == 200:
            sites, sleep_ns = self._app.steps[self._step], self._app.config.sleeps_ns[self._step]
            self._step += 1
            made = [
                site
                for site in sites
                if site.call.probability >= 1 or self._app.chance.random() < site.call.probability
            ]
            if made or sleep_ns:
                self._pending = len(made) + (sleep_ns > 0)
                if sleep_ns:
                    self._app.sleeper.after(sleep_ns, self._one_done)
                for site in made:
                    request = site.call.head + self._trace + b"\r\n" + site.call.body
                    site.next_pool().call(request, partial(self._answered, site.call))
                return
        self._end()

    def _answered(self, call: Call, answer: Answer) -> None:
        stamps, attempts, error = _read(answer)
        if stamps is None and not error and call.stamped:
            error = "stamps"
        if error:
            self._app.recorder.failed(call.hop, error, answer.done_ns)
            self._status = 504 if error in {"timeout", "504"} else 502
        elif stamps is None:
            self._app.recorder.whole(call.hop, answer.sent_ns, answer.done_ns, attempts)
        else:
            self._app.recorder.call(call.hop, answer.sent_ns, *stamps, answer.done_ns, attempts)
        if self._calls is not None:
            self._calls.append(trace.call(call.hop, answer, stamps, attempts, error))
        self._one_done()

    def _one_done(self) -> None:
        self._pending -= 1
        if not self._pending:
            self._next()

    def _end(self) -> None:
        app, received_ns = self._app, self._request.received_ns
        end = b""
        if self._calls is not None:
            tree = trace.document(app.config.service, app.config.replica, received_ns, self._calls)
            end = ending(trace.CONTENT_TYPE, tree)
        self._connection.answer(app.answer(self._status, received_ns, end))


def _read(answer: Answer) -> tuple[trace.Stamps | None, int, str]:
    """The callee's stamps, if it gave any; the attempts that all proxies on the way and the client made; what is wrong ("" = nothing)."""
    error = answer.error or (str(answer.status) if answer.status >= 400 else "")
    attempts = max(answer.attempts, *_numbers(answer.header(b"x-envoy-attempt-count")))
    stamps = _numbers(answer.header(b"x-hoptax-stamps"))
    return (stamps[0], stamps[1]) if len(stamps) == 2 else None, attempts, error


def _numbers(header: bytes | None) -> tuple[int, ...]:
    """A header of whole numbers; (0,) for what is none."""
    try:
        return tuple(map(int, (header or b"0").split(b",")))
    except ValueError:
        return (0,)
