"""Open loop: sends every request when it is due, whatever became of those before. It knows no control protocol and no file.

No free connection: the request waits in line, and that wait is the system's. Its due time never moves.
"""

import heapq
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from harness.load.connection import Connection, Endpoint
from harness.load.margin import Margin
from harness.load.poller import EDGE, READ, Poller
from harness.load.table import Table
from harness.wire.response import Head
from harness.wire.timerfd import Timer

NEVER_NS = 1 << 62
SWEEP_NS = 50_000_000

Mark = Callable[[int], int]
"""Something to do at a time: called with the present, returns when to be called again (0 = never)."""


@dataclass(frozen=True, slots=True)
class Polling:
    """When to look instead of sleeping: at most `spin_ns` before a due time, and while a request is in flight until
    `linger_ns` after the last was sent."""

    spin_ns: int
    linger_ns: int


class OpenLoop:
    """Connections, the line before them, and the loop. One thread; `run` once.

    A connection that is lost is reopened. If it can't be, the longest waiting request takes the error, and every further
    attempt is made for a request that waits: so a dead server costs one attempt per request, not a busy loop.
    """

    def __init__(
        self, poller: Poller, endpoint: Endpoint, request: bytes, connections: int, timeout_ns: int, polling: Polling
    ) -> None:
        self._poller, self._request, self._timeout_ns = poller, request, timeout_ns
        self._linger_ns, self._linger_until_ns, self._in_flight = polling.linger_ns, 0, 0
        self._connections = [Connection(number, endpoint, poller, self) for number in range(connections)]
        self._idle: deque[Connection] = deque()
        self._down: deque[Connection] = deque()
        self._waiting: deque[int] = deque()
        self._opening: set[Connection] = set()
        self._failure = ""
        self._table = Table(np.empty(0, np.int64))
        self._timer, self._margin, self._armed_ns = Timer(), Margin(polling.spin_ns), 0
        self._marks: list[tuple[int, int, Mark]] = []
        self._stopped = False
        poller.watch(self._timer.fd, READ | EDGE, self._on_timer)

    @property
    def waiting(self) -> int:
        """Requests that are due and have no connection yet."""
        return len(self._waiting)

    def connect(self, until_ns: int) -> str:
        """Open all connections; "" when they are open, else why the first that couldn't be wasn't."""
        for connection in self._connections:
            self._open(connection)
        while not self._failure and len(self._idle) < len(self._connections):
            if time.monotonic_ns() > until_ns:
                return "no answer in time"
            self._poller.poll(0.02)
        return self._failure

    def stop(self) -> None:
        """Make `run` return soon."""
        self._stopped = True

    def run(self, table: Table, over_ns: int, drain_until_ns: int, marks: Iterable[tuple[int, Mark]]) -> int:
        """Send the table's requests; returns at `over_ns` or when all are finished, whichever is later, at the latest at
        `drain_until_ns`, with the present time. `marks` are things to do at their times besides."""
        self._table = table
        self._marks = [(at_ns, order, mark) for order, (at_ns, mark) in enumerate([(0, self._sweep), *marks])]
        heapq.heapify(self._marks)
        now, due, count = time.monotonic_ns, table.due, table.count
        row, next_due, at_ns = 0, due[0] if count else NEVER_NS, now()
        while not self._stopped and at_ns < drain_until_ns:
            if at_ns >= next_due:
                self._dispatch(row, at_ns)
                row += 1
                next_due = due[row] if row < count else NEVER_NS
            elif at_ns >= self._marks[0][0]:
                self._run_mark(at_ns)
            elif at_ns >= over_ns and table.finished == count:
                break
            else:
                self._wait(min(next_due, self._marks[0][0], drain_until_ns), at_ns)
            at_ns = now()
        for connection in self._connections:
            if connection.row >= 0:
                self._record(connection)
        return at_ns

    def close(self) -> None:
        """Close every connection."""
        for connection in self._connections:
            connection.close()
        self._poller.forget(self._timer.fd)
        self._timer.close()

    def _dispatch(self, row: int, at_ns: int) -> None:
        self._table.ready[row] = at_ns
        if self._idle and not self._waiting:
            self._send(self._idle.popleft(), row)
        else:
            self._waiting.append(row)

    def _send(self, connection: Connection, row: int) -> None:
        """`sent` is stamped before the write: on loopback the kernel delivers within it, and that is the system's time."""
        table = self._table
        connection.row = row
        table.connection[row] = connection.number
        self._in_flight += 1
        table.sent[row] = sent_ns = time.monotonic_ns()
        self._linger_until_ns = sent_ns + self._linger_ns
        connection.send(self._request)

    def _wait(self, until_ns: int, at_ns: int) -> None:
        """Sleep until an event or shortly before `until_ns`. Within the margin, and while an answer is expected, only look:
        waking from sleep takes tens of microseconds, which would be counted as lateness or as the system's."""
        while self._down and len(self._opening) < len(self._waiting):
            self._open(self._down.popleft())
        wake_ns = until_ns - self._margin.ns
        if at_ns >= wake_ns or (self._in_flight and at_ns < self._linger_until_ns):
            self._poller.poll(0)
            return
        if self._armed_ns != wake_ns:
            self._armed_ns = wake_ns
            self._timer.arm(wake_ns)
        self._poller.poll(None)

    def _on_timer(self, _events: int) -> None:
        self._margin.woke(time.monotonic_ns() - self._armed_ns)

    def _open(self, connection: Connection) -> None:
        self._opening.add(connection)
        connection.open()

    # What connections report.

    def opened(self, connection: Connection) -> None:
        """A connection is there: it serves whoever waits longest."""
        self._opening.discard(connection)
        self._serve(connection)

    def answered(self, connection: Connection, at_ns: int, head: Head) -> None:
        """The last byte came."""
        self._record(connection)
        self._in_flight -= 1
        self._table.answer(connection.row, at_ns, head.status)
        connection.row = -1
        if connection.is_open:
            self._serve(connection)
        else:
            self._open(connection)

    def lost(self, connection: Connection, kind: str) -> None:
        """A connection broke, or couldn't be opened: its request has failed, or the one for which it was opened."""
        if connection in self._opening:
            self._opening.remove(connection)
            self._down.append(connection)
            self._failure = self._failure or connection.why
            if self._waiting:
                self._table.fail(self._waiting.popleft(), time.monotonic_ns(), kind)
            return
        if connection.row < 0:
            self._idle.remove(connection)
        else:
            self._record(connection)
            self._in_flight -= 1
            self._table.fail(connection.row, time.monotonic_ns(), kind)
            connection.row = -1
        self._open(connection)

    def _record(self, connection: Connection) -> None:
        row, table = connection.row, self._table
        table.first_byte[row] = connection.first_byte_ns
        table.bytes_in[row] = connection.received_bytes
        table.bytes_out[row] = connection.sent_bytes

    def _serve(self, connection: Connection) -> None:
        if self._waiting:
            self._send(connection, self._waiting.popleft())
        else:
            self._idle.append(connection)

    # Marks.

    def _run_mark(self, at_ns: int) -> None:
        _, order, mark = heapq.heappop(self._marks)
        if again_ns := mark(at_ns):
            heapq.heappush(self._marks, (again_ns, order, mark))

    def _sweep(self, at_ns: int) -> int:
        """Give up requests that have been in flight, and connections that have been opening, for longer than the timeout."""
        sent, too_old_ns = self._table.sent, at_ns - self._timeout_ns
        for connection in self._connections:
            busy = connection.row >= 0
            if busy and sent[connection.row] < too_old_ns:
                self._give_up(connection, "timeout")
            elif not busy and connection.opening_ns < too_old_ns and connection in self._opening:
                self._give_up(connection, "connect")
        return at_ns + min(SWEEP_NS, max(self._timeout_ns // 10, 1_000_000))

    def _give_up(self, connection: Connection, kind: str) -> None:
        connection.close()
        self.lost(connection, kind)
