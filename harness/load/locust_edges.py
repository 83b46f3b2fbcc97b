"""Where a Locust master meets the world: the harness's pipes, and what has to be there before users begin. Imports gevent."""

import os
import select
from typing import Any

import gevent
from gevent.os import make_nonblocking, nb_read
from gevent.queue import Queue
from gevent.socket import create_connection, create_server

from harness.load.messages import Event, Prepare, decode_request, encode
from harness.model.errors import EnvironmentFailure, UsageError
from harness.wire.request import parse_url

REACHED_WITHIN_S = 10.0


class Pipes:
    """The harness's end. When it closes, this process is over, and with it every worker."""

    def __init__(self, stdout: int, inbox: "Queue[Any]") -> None:
        self._stdout, self._inbox = stdout, inbox
        gevent.spawn(self._read)

    def say(self, event: Event) -> None:
        """One event."""
        line = encode(event)
        while line:
            line = line[os.write(self._stdout, line) :]

    def mention(self, event: Event) -> None:
        """One event if the pipe has room for it: a harness that sleeps through the window must not stop us."""
        if select.select([], [self._stdout], [], 0)[1]:
            self.say(event)

    def _read(self) -> None:
        partial = b""
        # Not by a thread of gevent's pool, which Locust needs for names of hosts.
        make_nonblocking(0)
        while data := nb_read(0, 65536):
            *lines, partial = (partial + data).split(b"\n")
            for line in lines:
                self._inbox.put(decode_request(line))
        os._exit(0)


def check_reachable(asked: Prepare) -> None:
    """Users would only count failures; so it is said before they begin, as the engine does."""
    try:
        target = parse_url(asked.url)
        create_connection((target.host, target.port), timeout=min(REACHED_WITHIN_S, asked.timeout_s)).close()
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise EnvironmentFailure(
            f"{asked.url} can't be reached: {error.strerror or error}; is the server running, and is the address right?"
        ) from error


def check_web_port(port: int) -> None:
    """UsageError if Locust's page can't be there."""
    try:
        create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UsageError(
            f"port {port} can't be used for Locust's page ({error.strerror}): give --web another"
        ) from error
