"""The engine's process, `python -m harness.load.engine`: it obeys the protocol of harness.load.messages over stdin and stdout.

It judges nothing, and prints nothing for people but tracebacks of its own bugs.
"""

import gc
import os
import time
from collections import deque
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.load.accounts import Edge, clock_domain, edge, insist
from harness.load.messages import (
    Done,
    Event,
    Failed,
    Prepare,
    Progress,
    Ready,
    Request,
    Start,
    Stop,
    decode_request,
    encode,
)
from harness.load.open_loop import Mark, OpenLoop, Polling
from harness.load.poller import READ, Poller
from harness.load.preparing import Prepared, prepare, settle
from harness.load.schedule import NS_PER_S, due_offsets_ns
from harness.load.seconds import Counted, Second
from harness.load.table import Table
from harness.model.errors import EnvironmentFailure, HoptaxError, UsageError
from harness.model.run import Load

CONNECT_WITHIN_S = 10.0
STDIN, STDOUT = 0, 1

R = TypeVar("R", Prepare, Start)


class Control:
    """The harness's end of the pipes. When it closes, the process is over."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._partial = b""
        self._requests: deque[Request] = deque()
        self.loop: OpenLoop | None = None
        poller.watch(STDIN, READ, self._on_input)

    def next(self) -> Request:
        """The next request, however long it takes."""
        while not self._requests:
            self._poller.poll(None)
        return self._requests.popleft()

    def say(self, event: Event) -> None:
        """One event; waits for room in the pipe."""
        self._write(encode(event))

    def mention(self, event: Event) -> None:
        """One event if the pipe has room: a reader that sleeps through the window must not stop the load.

        A line longer than the pipe takes at once would be cut in two: its rest is waited for.
        """
        line = encode(event)
        os.set_blocking(STDOUT, False)
        try:
            written = os.write(STDOUT, line)
        except BlockingIOError:
            return
        finally:
            os.set_blocking(STDOUT, True)
        self._write(line[written:])

    @staticmethod
    def _write(line: bytes) -> None:
        while line:
            line = line[os.write(STDOUT, line) :]

    def _on_input(self, _events: int) -> None:
        data = os.read(STDIN, 65536)
        if not data:
            os._exit(0)
        *lines, self._partial = (self._partial + data).split(b"\n")
        for request in map(decode_request, lines):
            if isinstance(request, Stop) and self.loop is not None:
                self.loop.stop()
            else:
                self._requests.append(request)


def serve(control: Control, poller: Poller) -> None:
    """One conversation: prepare, start, done."""
    asked = _expect(control, Prepare)
    settle(asked.cpus)
    insist(apart=bool(asked.cpus))
    prepared = prepare(asked)
    timeout_ns = round(asked.timeout_s * NS_PER_S)
    control.loop = loop = OpenLoop(
        poller,
        prepared.endpoint,
        prepared.request,
        asked.connections,
        timeout_ns,
        Polling(asked.spin_us * 1000, asked.linger_us * 1000),
    )
    within_s = min(CONNECT_WITHIN_S, asked.timeout_s)
    if why := loop.connect(time.monotonic_ns() + round(within_s * NS_PER_S)):
        raise EnvironmentFailure(
            f"{asked.url} can't be reached: {why}; is the server running, and is the address right?"
        )
    edge()
    control.say(Ready(asked.connections))
    start = _expect(control, Start)
    control.say(measure(control, loop, asked, prepared, start))
    loop.close()


def measure(control: Control, loop: OpenLoop, asked: Prepare, prepared: Prepared, start: Start) -> Done:
    """Send the schedule, write the rows."""
    load, domain = start.load, clock_domain()
    window_ns = start.at_ns + round(load.warmup_s * NS_PER_S)
    over_ns = window_ns + round(load.window_s * NS_PER_S)
    table = Table(_due_ns(load, start.at_ns)[asked.worker % asked.workers :: asked.workers])
    edges: list[Edge] = []
    reporter = _Reporter(control, loop, table, start.at_ns, Counted() if asked.histograms else None)
    marks: list[tuple[int, Mark]] = [
        (window_ns, lambda _at_ns: _take(edges)),
        (over_ns, lambda _at_ns: _take(edges)),
        (start.at_ns + NS_PER_S, reporter),
    ]
    gc.collect()
    gc.freeze()
    gc.disable()
    end_ns = loop.run(table, over_ns, over_ns + round(load.drain_s * NS_PER_S), marks)
    gc.enable()
    while len(edges) < 2:
        _take(edges)
    if asked.histograms:
        reporter(end_ns)
    rows_file = Path(asked.rows_file)
    table.write(rows_file, asked.run_id, prepared.name, window_ns, end_ns, asked.worker, asked.workers)
    first, last = edges
    return Done(
        asked.rows_file,
        window_start_ns=first.at_ns,
        window_end_ns=last.at_ns,
        over_ns=end_ns,
        cpu_ns=last.cpu_ns - first.cpu_ns,
        run_delay_ns=last.run_delay_ns - first.run_delay_ns,
        domain=domain,
        domain_end=clock_domain(),
    )


def _due_ns(load: Load, at_ns: int) -> NDArray[np.int64]:
    return at_ns + due_offsets_ns(load.rate_rps, load.warmup_s + load.window_s, load.arrivals, load.seed)


def _take(edges: list[Edge]) -> int:
    edges.append(edge())
    return 0


class _Reporter:
    """Says once a second how it goes."""

    def __init__(self, control: Control, loop: OpenLoop, table: Table, at_ns: int, counted: Counted | None) -> None:
        self._control, self._loop, self._table, self._at_ns = control, loop, table, at_ns
        self._seen = 0
        self._counted = counted

    def __call__(self, at_ns: int) -> int:
        table, since = self._table, self._seen
        self._seen = due = int(np.searchsorted(np.frombuffer(table.due, np.int64), at_ns))
        self._control.mention(
            Progress(
                second=(at_ns - self._at_ns) // NS_PER_S,
                due=due,
                done=table.finished - table.failed,
                errors=table.failed,
                waiting=self._loop.waiting,
                response_us=table.response_us(since, due),
                seen=self._counted.since(since, due, table.columns()) if self._counted else Second(),
            )
        )
        return at_ns - (at_ns - self._at_ns) % NS_PER_S + NS_PER_S


def _expect(control: Control, kind: type[R]) -> R:
    request = control.next()
    if not isinstance(request, kind):
        raise UsageError(
            f"the engine was asked to {type(request).__name__.lower()}: it expects {kind.__name__.lower()} now"
        )
    return request


def main() -> NoReturn:
    """Serve, or say why not. An exception that isn't ours ends with its traceback on stderr."""
    poller = Poller()
    control = Control(poller)
    try:
        serve(control, poller)
    except HoptaxError as error:
        control.say(Failed("usage" if isinstance(error, UsageError) else "environment", str(error)))
    except BrokenPipeError:
        os._exit(0)
    os._exit(0)


if __name__ == "__main__":
    main()
