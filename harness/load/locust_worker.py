"""A load worker: a Locust worker that runs one locustfile's users as its master says, and records what they do.

`python -m harness.load.locust_worker FILE --worker K --port P`; it ends when its stdin closes. Over Locust's own channel to the master
go the messages of harness.load.messages. Importing this module imports Locust: only its own process may.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import gevent
from gevent import monkey
from gevent.os import make_nonblocking, nb_read
from locust import events
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.runners import WorkerRunner
from locust.user.users import User

from harness.load.accounts import clock_domain, give_way, insist
from harness.load.locust_file import load, own_stdout
from harness.load.locust_journey import JourneySession
from harness.load.locust_schedule import ScheduleSession
from harness.load.messages import Event, Prepare, Request, Start, Stop, decode_request, encode

CHANNEL = "hoptax"
HELLO, PING, PONG = "hoptax-hello", "hoptax-ping", "hoptax-pong"


def command(file: Path, worker: int, engine: Sequence[str] = ()) -> tuple[str, ...]:
    """What starts worker number `worker` of a file's users, but for the port of its master; an open loop's engine may run elsewhere."""
    words = (sys.executable, "-m", "harness.load.locust_worker", str(file), "--worker", str(worker))
    return (*words, "--engine", json.dumps(list(engine))) if engine else words


class Session(Protocol):
    """What a worker does between being prepared and having done."""

    def prepare(self, asked: Prepare) -> None: ...

    def start(self, start: Start) -> None: ...

    def stop(self) -> None: ...


class Channel:
    """To the master and back, over Locust's connection."""

    def __init__(self, runner: WorkerRunner, worker: int) -> None:
        self._runner, self._worker = runner, worker

    def say(self, event: Event) -> None:
        """One event of the engine protocol."""
        self._runner.send_message(CHANNEL, {"worker": self._worker, "line": encode(event).decode()})

    def hello(self) -> None:
        """Who we are, for the master that started us."""
        self._runner.send_message(
            HELLO, {"worker": self._worker, "pid": os.getpid(), "boot_id": clock_domain().boot_id}
        )

    def pong(self, environment: Environment, msg: Any) -> None:  # noqa: ARG002 - Locust's listeners are called so
        """Our clock, as soon as we are asked."""
        self._runner.send_message(
            PONG, {"worker": self._worker, "asked_ns": msg.data["asked_ns"], "stamp_ns": time.monotonic_ns()}
        )


def obey(session: Session, request: Request) -> None:
    """One order of the master."""
    match request:
        case Prepare():
            session.prepare(request)
        case Start():
            session.start(request)
        case Stop():
            session.stop()


def environment(classes: tuple[type[User], ...]) -> Environment:
    """What Locust runs users in; options that locustfiles add have their defaults."""
    del sys.argv[1:]  # ours; Locust's page would read them as Locust's
    parser = get_parser(default_config_files=[])
    events.init_command_line_parser.fire(parser=parser)
    return Environment(user_classes=list(classes), events=events, parsed_options=parser.parse_args([]))


def main() -> None:
    """Run users until the master says quit or is gone."""
    asked = _arguments()
    own_stdout()
    file = load(asked.file)
    if file.users.loop == "open":
        give_way()  # to the engine
    else:
        insist(apart=False)  # users who wait for answers send from this very process
    env = environment(file.classes)
    gevent.spawn(_end_with_master)
    runner = env.create_worker_runner("127.0.0.1", asked.port)
    channel = Channel(runner, asked.worker)
    session: Any  # Any: either of two classes that Locust calls back
    if file.users.loop == "open":
        session = ScheduleSession(env, channel.say, asked.worker, json.loads(asked.engine))
    else:
        session = JourneySession(env, channel.say, asked.worker)
    runner.register_message(PING, channel.pong)
    runner.register_message(CHANNEL, _listener(session))
    events.init.fire(environment=env, runner=runner, web_ui=None)
    channel.hello()
    runner.greenlet.join()
    os._exit(0)


def _listener(session: Session) -> Callable[..., None]:
    def obeys(environment: Environment, msg: Any) -> None:  # noqa: ARG001 - Locust's listeners are called so
        obey(session, decode_request(msg.data["line"].encode()))

    return obeys


def _end_with_master() -> None:
    make_nonblocking(0)
    while nb_read(0, 1):
        pass
    os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--worker", type=int, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine", default="[]")
    return parser.parse_args()


if __name__ == "__main__":
    assert monkey.is_module_patched("socket")
    main()
