"""The load workers of a Locust master: their processes, their messages, their end. It decides nothing.

Everything that workers say, and every worker that ends, comes out of one queue, in order.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

import gevent
from gevent.queue import Queue
from locust.runners import MasterRunner

from harness.load.clocks import Exchange
from harness.load.locust_worker import CHANNEL, HELLO, PING, PONG
from harness.load.messages import Event, Request, decode_event, encode


@dataclass(frozen=True, slots=True)
class Met:
    """A worker is there."""

    worker: int
    boot_id: str


@dataclass(frozen=True, slots=True)
class Ponged:
    """A worker answered with its clock."""

    worker: int
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Said:
    """A worker said this."""

    worker: int
    event: Event


@dataclass(frozen=True, slots=True)
class Lost:
    """A worker's process is over, with this status as subprocess counts it."""

    worker: int
    status: int

    def __str__(self) -> str:
        return f"killed by signal {-self.status}" if self.status < 0 else f"it ended with status {self.status}"


class Crew:
    """So many workers, on this machine. Each has a file without a name for its rows: nothing is left, however all end."""

    def __init__(self, runner: MasterRunner, commands: Sequence[Sequence[str]], inbox: "Queue[Any]") -> None:
        """`commands` start the workers, but for the port of the master."""
        self._runner, self._inbox = runner, inbox
        self._nodes: dict[int, str] = {}
        self._rows: list[IO[bytes]] = [tempfile.TemporaryFile() for _ in commands]  # noqa: SIM115 - open to our end
        runner.register_message(HELLO, self._met)
        runner.register_message(PONG, self._ponged)
        runner.register_message(CHANNEL, self._said)
        self.processes = [self._start(command, worker) for worker, command in enumerate(commands)]

    def rows_file(self, worker: int) -> str:
        """Where a worker writes its rows, and we read them: the same descriptor in both processes."""
        return f"/proc/self/fd/{self._rows[worker].fileno()}"

    def say(self, worker: int, request: Request) -> None:
        """To one worker."""
        self._runner.send_message(CHANNEL, {"line": encode(request).decode()}, self._nodes[worker])

    def ping(self, worker: int) -> None:
        """Ask a worker for its clock; Ponged follows."""
        self._runner.send_message(PING, {"asked_ns": time.monotonic_ns()}, self._nodes[worker])

    def _start(self, command: Sequence[str], worker: int) -> "subprocess.Popen[bytes]":
        port: int = self._runner.server.port
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            stdin=subprocess.PIPE,  # its end is how a worker learns that we are gone
            stdout=sys.stderr,
            pass_fds=(self._rows[worker].fileno(),),
        )
        gevent.spawn(self._watch, worker, process)
        return process

    def _watch(self, worker: int, process: "subprocess.Popen[bytes]") -> None:
        self._inbox.put(Lost(worker, process.wait()))

    def _is_ours(self, data: Any) -> bool:
        """Whoever else reaches the port is passed over."""
        worker = data["worker"]
        return bool(
            0 <= worker < len(self.processes)
            and data.get("pid", self.processes[worker].pid) == self.processes[worker].pid
        )

    def _met(self, environment: Any, msg: Any) -> None:  # noqa: ARG002 - Locust's listeners are called so
        if self._is_ours(msg.data):
            self._nodes[msg.data["worker"]] = msg.node_id
            self._inbox.put(Met(msg.data["worker"], msg.data["boot_id"]))

    def _ponged(self, environment: Any, msg: Any) -> None:  # noqa: ARG002
        answered_ns, data = time.monotonic_ns(), msg.data
        if self._nodes.get(data["worker"]) == msg.node_id:
            self._inbox.put(Ponged(data["worker"], Exchange(data["asked_ns"], data["stamp_ns"], answered_ns)))

    def _said(self, environment: Any, msg: Any) -> None:  # noqa: ARG002
        if self._nodes.get(msg.data["worker"]) == msg.node_id:
            self._inbox.put(Said(msg.data["worker"], decode_event(msg.data["line"].encode())))
