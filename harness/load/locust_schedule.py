"""What a load worker does for an OpenLoopUser: runs its engine as the master says, on this worker's share of the schedule."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from gevent import GreenletExit
from gevent.event import AsyncResult
from gevent.event import Event as Flag
from locust.env import Environment

from harness.load.control import ENGINE, Engine, EngineReport, Share
from harness.load.locust_adapter import OpenLoopUser
from harness.load.merging import raw_columns
from harness.load.messages import Done, Event, Failed, Prepare, Progress, Ready, Start
from harness.load.rows import write_raw
from harness.model.errors import HoptaxError, UsageError
from harness.model.run import Load

FOREVER = Flag()
STOPPED = Failed("environment", "the users were stopped in Locust's page before the load was over: run again")


class ScheduleSession:
    """A conductor of one OpenLoopUser (see harness.load.locust_adapter)."""

    def __init__(
        self, environment: Environment, say: Callable[[Event], None], worker: int, command: Sequence[str] = ()
    ) -> None:
        """`command` starts the engine, if it isn't the one of this machine."""
        self._environment, self._say, self._worker = environment, say, worker
        self._command = command or ENGINE
        self._asked: AsyncResult[Prepare] = AsyncResult()
        self._start: AsyncResult[Start] = AsyncResult()
        self._engine: Engine | None = None
        self._conducting = False
        environment.hoptax = self  # type: ignore[attr-defined]  # how OpenLoopUser finds its conductor

    def prepare(self, asked: Prepare) -> None:
        """The user, once there, connects."""
        self._asked.set(asked)

    def start(self, start: Start) -> None:
        """The engine begins at the time it is told."""
        self._start.set(start)

    def stop(self) -> None:
        """End now, with what there is."""
        if self._engine is not None:
            self._engine.stop()

    def conduct(self, user: OpenLoopUser) -> None:
        """In the user's own greenlet: prepare, wait for the barrier, run, hand over the rows; then idle until stopped."""
        if self._conducting:
            FOREVER.wait()  # one more user by Locust's page, which ends the run
        self._conducting = True
        asked = cast("Prepare", self._asked.get())
        try:
            with tempfile.NamedTemporaryFile() as body, Engine(asked.cpus, command=self._command) as engine:
                body.write(user.body)
                body.flush()
                self._prepare(engine, user, asked, body.name)
                start = cast("Start", self._start.get())
                engine.start(start.at_ns, start.load)
                self._engine = engine
                report = engine.wait(lambda progress: self._tell(user, progress))
            self._engine = None
            self._say(handed_over(report, asked))
        except HoptaxError as error:
            self._say(Failed("usage" if isinstance(error, UsageError) else "environment", str(error)))
        except GreenletExit:
            self._say(STOPPED)
            raise
        FOREVER.wait()

    def _prepare(self, engine: Engine, user: OpenLoopUser, asked: Prepare, body_file: str) -> None:
        load = Load(0.0, 0.0, 0.0, connections=asked.connections, timeout_s=asked.timeout_s)
        user.environment.host = asked.url
        share = Share(self._worker, asked.workers)
        engine.prepare(user.target_url(), load, user.sending(body_file), run_id=asked.run_id, share=share)
        self._say(Ready(1))

    def _tell(self, user: OpenLoopUser, progress: Progress) -> None:
        user.tell(progress.seen)
        self._say(progress)


def handed_over(report: EngineReport, asked: Prepare) -> Done:
    """The rows written where the master wants them, and what goes with them."""
    rows, facts = report.rows, report.generator
    with Path(asked.rows_file).open("wb") as file:
        write_raw(file, rows.run_id, rows.names, len(rows), raw_columns(rows))
    return Done(
        asked.rows_file,
        window_start_ns=0,
        window_end_ns=facts.window_ns,
        over_ns=0,
        cpu_ns=facts.cpu_ns,
        run_delay_ns=facts.run_delay_ns,
        domain=facts.domain,
        domain_end=facts.domain_end,
        reasons=report.reasons,
    )
