"""The harness's side of an engine: starts its process, speaks the protocol of harness.load.messages, and brings back its rows.

Every wait has an end: an engine that hangs or dies is an EnvironmentFailure with its last words.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from harness.load.facts import generator_facts
from harness.load.messages import (
    Done,
    Event,
    Failed,
    Meet,
    Prepare,
    Progress,
    Ready,
    Request,
    Start,
    Stop,
    decode_event,
    encode,
)
from harness.load.rows import Rows, read_raw
from harness.load.schedule import NS_PER_S
from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.run import Generator, Load, WorkerClock

ENGINE = (sys.executable, "-m", "harness.load.engine")
READY_WITHIN_S = 30.0
DONE_WITHIN_S = 15.0
"""After the end of the drain; reading a million rows more may take a second more."""
EXIT_WITHIN_S = 2.0
LAST_WORDS_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Sending:
    """What each request is: method, headers, the file of its body, and whom to trust when the URL is https ("" = as OpenSSL does)."""

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body_file: str = ""
    cacert: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of a schedule an engine takes: every `workers`-th request, from `worker` on. Who shares sees every second whole."""

    worker: int = 0
    workers: int = 1


@dataclass(frozen=True, slots=True)
class EngineReport:
    """Facts of the window, the rows of warm-up and window, and why only the engine knows that they may not be used."""

    generator: Generator
    rows: Rows
    reasons: tuple[str, ...] = ()


class Engine:
    """One engine process, for one run: `prepare`, `start`, `wait` within a `with`. Gone when the block ends.

    `cpus` are the CPUs it has to itself (none = it shares all). `command` starts another engine of the same protocol.
    """

    def __init__(self, cpus: Sequence[int] = (), *, command: Sequence[str] = ENGINE) -> None:
        self._cpus, self._command = tuple(cpus), tuple(command)
        self._buffer = b""
        self._done_by_s = 0.0

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            # Files without a name: nothing is left of them, however the harness ends.
            self._rows: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            self._stderr: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._stderr,
                    pass_fds=(self._rows.fileno(),),
                    process_group=0,  # Ctrl-C is for the harness, which then asks for what was measured
                )
            except OSError as error:
                raise EnvironmentFailure(
                    f"the engine {self._command[0]!r} can't be started: {error.strerror}"
                ) from error
            stack.callback(self._end)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def pid(self) -> int:
        """The engine's process."""
        return self._process.pid

    def meet(self) -> tuple[WorkerClock, ...]:
        """The clocks of an engine's workers; it can be asked for nothing else then."""
        self._say(Meet())
        return self._ready().clocks

    def prepare(
        self, url: str, load: Load, sending: Sending | None = None, *, run_id: str = "", share: Share | None = None
    ) -> None:
        """Open the connections. Returns when all are open; UsageError or EnvironmentFailure says why they can't be."""
        sending, (spin_us, linger_us) = sending or Sending(), polling_us(self._cpus, os.cpu_count() or 1)
        self._say(
            Prepare(
                url=url,
                connections=load.connections,
                timeout_s=load.timeout_s,
                rows_file=f"/proc/self/fd/{self._rows.fileno()}",
                method=sending.method,
                headers=sending.headers,
                body_file=sending.body_file and str(Path(sending.body_file).absolute()),
                cacert=sending.cacert and str(Path(sending.cacert).absolute()),
                cpus=self._cpus,
                spin_us=spin_us,
                linger_us=linger_us,
                run_id=run_id,
                worker=share.worker if share else 0,
                workers=share.workers if share else 1,
                histograms=share is not None,
            )
        )
        self._ready()

    def start(self, at_ns: int, load: Load) -> None:
        """The schedule begins at `at_ns` (CLOCK_MONOTONIC) with the warm-up; returns at once."""
        over_ns = at_ns + round((load.warmup_s + load.window_s + load.drain_s) * NS_PER_S)
        self._done_by_s = over_ns / NS_PER_S + DONE_WITHIN_S + load.rate_rps * (load.warmup_s + load.window_s) / 1e6
        self._say(Start(at_ns, load))

    def stop(self) -> None:
        """End now; `wait` then returns what was measured so far."""
        self._say(Stop())
        self._done_by_s = time.monotonic() + DONE_WITHIN_S

    def wait(self, on_progress: Callable[[Progress], None] | None = None) -> EngineReport:
        """Until window and drain are over. `on_progress` is called about once a second."""
        while isinstance(event := self._next(self._done_by_s), Progress):
            if on_progress is not None:
                on_progress(event)
        if not isinstance(event, Done):
            raise self._unexpected(event)
        rows = read_raw(Path(event.rows_file))
        return EngineReport(generator_facts(rows, event), rows, event.reasons)

    def _ready(self) -> Ready:
        event = self._next(time.monotonic() + READY_WITHIN_S)
        if not isinstance(event, Ready):
            raise self._unexpected(event)
        return event

    def _say(self, request: Request) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(encode(request))
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise self._died() from error

    def _next(self, until_s: float) -> Event:
        assert self._process.stdout is not None
        fd = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            if not select.select([fd], [], [], max(0.0, until_s - time.monotonic()))[0]:
                raise EnvironmentFailure(
                    f"the engine (process {self.pid}) hangs: no answer in time{self._last_words()}"
                )
            if not (data := os.read(fd, 65536)):
                raise self._died()
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return decode_event(line)

    def _unexpected(self, event: Event) -> Exception:
        if isinstance(event, Failed):
            return (UsageError if event.blame == "usage" else EnvironmentFailure)(event.message)
        return EnvironmentFailure(f"the engine said {type(event).__name__.lower()} out of turn{self._last_words()}")

    def _died(self) -> EnvironmentFailure:
        try:
            status = self._process.wait(EXIT_WITHIN_S)
        except subprocess.TimeoutExpired:
            return EnvironmentFailure(f"the engine (process {self.pid}) closed its pipe{self._last_words()}")
        return EnvironmentFailure(f"the engine ended too early, with status {status}{self._last_words()}")

    def _last_words(self) -> str:
        size = os.fstat(self._stderr.fileno()).st_size
        words = os.pread(self._stderr.fileno(), LAST_WORDS_BYTES, max(0, size - LAST_WORDS_BYTES))
        return "; its last lines:\n" + words.decode(errors="replace").strip() if words else ""

    def _end(self) -> None:
        """Closing its stdin ends it; one that doesn't obey is killed."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        try:
            self._process.wait(EXIT_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def polling_us(cpus: Sequence[int], machine_cpus: int) -> tuple[int, int]:
    """How long to poll before a due time, and after sending while an answer is expected.

    On CPUs of its own the engine polls for as long as being woken (some 25 µs) could be seen in a service time: arms whose
    times lie on both sides of a shorter limit would be treated differently. Where it shares CPUs with the system under load it
    polls briefly; where there is only one, never.
    """
    if machine_cpus == 1:
        return 0, 0
    return (100, 20_000) if cpus else (100, 200)
