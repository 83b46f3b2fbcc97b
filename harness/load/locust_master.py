"""An engine made of Locust: `python -m harness.load.locust_master FILE --workers N` speaks harness.load.messages over stdin and stdout.

It is Locust's master. It starts N workers on this machine, bounds their clocks, lets all begin at one instant, adds up what they
say and merges their rows. A worker that vanishes ends the run, which is invalid then. Importing this module imports Locust.
"""

import argparse
import json
import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import gevent
from gevent.event import Event as Flag
from gevent.queue import Empty, Queue
from locust import events
from locust.stats import stats_history

from harness.load.accounts import clock_domain, give_way
from harness.load.clocks import bounded, check_same
from harness.load.locust_crew import Crew, Lost, Met, Ponged, Said
from harness.load.locust_edges import Pipes, check_reachable, check_web_port
from harness.load.locust_file import LocustFile, load, own_stdout
from harness.load.locust_worker import command, environment
from harness.load.merging import Seconds, merged_done, merged_rows, raw_columns, share
from harness.load.messages import (
    NOTHING_SEEN,
    Done,
    Failed,
    Meet,
    Prepare,
    Progress,
    Ready,
    Request,
    Start,
    Stop,
)
from harness.load.rows import read_raw, write_raw
from harness.load.schedule import NS_PER_S
from harness.model.errors import EnvironmentFailure, HoptaxError, UsageError
from harness.model.run import WorkerClock

EXCHANGES = 20
MET_WITHIN_S = 16.0
READY_WITHIN_S = 13.0
"""Together below what the harness waits for an engine, so that it hears from us what is missing."""


@dataclass(frozen=True, slots=True)
class Spawned:
    """Locust has started so many users."""

    users: int


class Master:
    """One conversation with the harness, and the workers that carry out what it asks for."""

    def __init__(
        self,
        file: LocustFile,
        web_port: int,
        pipes: Pipes,
        inbox: "Queue[Any]",
        commands: Sequence[Sequence[str]],
    ) -> None:
        """`commands` start its workers."""
        self._file, self._workers, self._pipes, self._inbox = file, len(commands), pipes, inbox
        self._environment = environment(file.classes)
        self._runner = self._environment.create_master_runner("127.0.0.1", 0)
        web_ui = self._environment.create_web_ui("127.0.0.1", web_port) if web_port else None
        events.spawning_complete.add_listener(self._spawned)
        events.init.fire(environment=self._environment, runner=self._runner, web_ui=web_ui)
        gevent.spawn(stats_history, self._runner)  # what the page's charts are drawn from
        self._crew = Crew(self._runner, commands, inbox)
        self._early: deque[Request] = deque()  # what the harness asked before it was its turn

    def serve(self) -> None:
        """Meet the workers; then prepare, start, done, or only tell their clocks."""
        clocks = self._meet()
        if isinstance(asked := self._next(Prepare | Meet, None), Meet):
            self._pipes.say(Ready(0, clocks))
            Flag().wait()
        self._prepare(asked)
        self._pipes.say(Ready(asked.connections, clocks))
        start: Start = self._next(Start, None)
        self._to_all(start)
        done = self._run(asked, start)
        self._pipes.say(replace(done, clocks=clocks))

    def _meet(self) -> tuple[WorkerClock, ...]:
        boot_ids: dict[int, str] = {}
        until_s = time.monotonic() + MET_WITHIN_S
        while len(boot_ids) < self._workers:
            met: Met = self._next(Met, until_s)
            boot_ids[met.worker] = met.boot_id
        own = clock_domain().boot_id
        clocks = tuple(self._clock(worker, boot_ids[worker]) for worker in range(self._workers))
        for clock in clocks:
            check_same(clock, own)
        return clocks

    def _clock(self, worker: int, boot_id: str) -> WorkerClock:
        exchanges = []
        for _ in range(EXCHANGES):
            self._crew.ping(worker)
            answered: Ponged = self._next(Ponged, time.monotonic() + READY_WITHIN_S)
            exchanges.append(answered.exchange)
        return bounded(worker, boot_id, exchanges)

    def _prepare(self, asked: Prepare) -> None:
        """Returns when every user is at the barrier."""
        if asked.connections < self._workers:
            raise UsageError(
                f"{asked.connections} connections for {self._workers} load workers: allowed is one each or more"
            )
        is_open = self._file.users.loop == "open"
        if not is_open:
            check_reachable(asked)
        self._environment.host = asked.url.rstrip("/")
        for worker in range(self._workers):
            self._crew.say(worker, self._part(asked, worker))
        users = self._workers if is_open else asked.connections
        gevent.spawn(self._runner.start, users, users)
        ready, spawned = dict[int, int](), -1
        until_s = time.monotonic() + READY_WITHIN_S
        while spawned < 0 or sum(ready.values()) < spawned:
            match self._next(Said | Spawned, until_s):
                case Spawned(users):
                    spawned = users
                case Said(worker, Ready(connections=users)):
                    ready[worker] = users

    def _part(self, asked: Prepare, worker: int) -> Prepare:
        """What one worker is asked for. It has CPUs of its own only if there is one for each."""
        enough = len(asked.cpus) >= self._workers
        return replace(
            asked,
            connections=share(asked.connections, worker, self._workers),
            rows_file=self._crew.rows_file(worker),
            cpus=asked.cpus[worker :: self._workers] if enough else (),
            worker=worker,
            workers=self._workers,
        )

    def _spawned(self, user_count: int) -> None:
        self._inbox.put(Spawned(user_count))

    def _run(self, asked: Prepare, start: Start) -> Done:
        """Until every worker has done. The first that fails ends the run for all."""
        seconds, parts, reasons, gone = Seconds.of(self._workers), dict[int, Done](), list[str](), set[int]()
        while len(parts.keys() | gone) < self._workers:
            match self._inbox.get():
                case Said(worker, Progress() as progress):
                    if whole := seconds.said(worker, progress):
                        self._pipes.mention(replace(whole, seen=NOTHING_SEEN))
                case Said(worker, Done() as done):
                    parts[worker] = done
                case Said(worker, Failed(message=why)) if worker not in parts:
                    self._give_up(gone, worker, why, reasons)
                case Lost(worker) as lost if worker not in parts:
                    self._give_up(gone, worker, self._vanished(lost, start), reasons)
                case Spawned():
                    reasons.append("the number of users was changed in Locust's page: run again, and leave it alone")
                    self._to_all(Stop())
                case Stop() as stop:
                    self._to_all(stop)
        if not parts:
            raise EnvironmentFailure(reasons[0])
        return self._merged(asked, [parts[worker] for worker in sorted(parts)], reasons)

    def _give_up(self, gone: set[int], worker: int, why: str, reasons: list[str]) -> None:
        if worker not in gone:
            gone.add(worker)
            reasons.append(why)
            self._to_all(Stop())

    def _merged(self, asked: Prepare, parts: list[Done], reasons: list[str]) -> Done:
        rows = merged_rows([read_raw(Path(part.rows_file)) for part in parts], asked.run_id)
        with Path(asked.rows_file).open("wb") as file:
            write_raw(file, rows.run_id, rows.names, len(rows), raw_columns(rows))
        done = merged_done(parts, asked.rows_file)
        return replace(done, reasons=(*reasons, *done.reasons))

    def _vanished(self, lost: Lost, start: Start) -> str:
        into_s = (time.monotonic_ns() - start.at_ns) / NS_PER_S
        return (
            f"load worker {lost.worker} of {self._workers} vanished {into_s:.1f} s into the run ({lost}): "
            "what it measured is lost; run again"
        )

    def _to_all(self, request: Request) -> None:
        for worker in range(self._workers):
            self._crew.say(worker, request)

    def _next(self, kind: Any, until_s: float | None) -> Any:  # Any: a type or a union of them, and one of it
        """The next of this kind. A worker that fails or ends meanwhile is an error, one that keeps silent too."""
        while True:
            if self._early and isinstance(self._early[0], kind):
                return self._early.popleft()
            try:
                item = self._inbox.get(timeout=None if until_s is None else max(0.0, until_s - time.monotonic()))
            except Empty:
                raise EnvironmentFailure(
                    f"the {self._workers} load workers or their users aren't ready in time: stop other programs, or take fewer"
                ) from None
            if isinstance(item, Lost):
                raise EnvironmentFailure(f"load worker {item.worker} didn't come up: {item}")
            if isinstance(item, Said) and isinstance(item.event, Failed):
                raise (UsageError if item.event.blame == "usage" else EnvironmentFailure)(item.event.message)
            if isinstance(item, kind):
                return item
            if isinstance(item, Request):
                self._early.append(item)


def main() -> NoReturn:
    """Serve, or say why not. An exception that isn't ours ends with its traceback on stderr."""
    asked = _arguments()
    give_way()
    inbox: Queue[Any] = Queue()
    pipes = Pipes(own_stdout(), inbox)
    try:
        if asked.web_port:
            check_web_port(asked.web_port)
        engines: list[list[str]] = json.loads(asked.engines) or [[]] * asked.workers
        commands = [command(asked.file, worker, engine) for worker, engine in enumerate(engines)]
        Master(load(asked.file), asked.web_port, pipes, inbox, commands).serve()
    except HoptaxError as error:
        pipes.say(Failed("usage" if isinstance(error, UsageError) else "environment", str(error)))
    except BrokenPipeError:
        os._exit(0)
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--web-port", type=int, default=0)
    parser.add_argument("--engines", default="[]")
    return parser.parse_args()


if __name__ == "__main__":
    main()
