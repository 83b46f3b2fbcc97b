"""The harness's end of the supervisor: starts it, sends commands, keeps what it tells. Decides nothing about units."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.model.errors import EnvironmentFailure
from harness.platforms import supervisor

ANSWER_WITHIN_S = 10.0


class Supervised:
    """A context: a supervisor that runs. Leaving it ends every unit and removes `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._buffer = b""
        self.pids: dict[str, int] = {}
        self.exits: dict[str, int] = {}
        self._failures: dict[str, str] = {}
        words = [sys.executable, "-S", "-E", supervisor.__file__, str(theirs.fileno()), str(folder)]
        self._process = subprocess.Popen(
            words,
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        theirs.close()

    def start(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], cwd: Path, log: Path, cpus: Sequence[int]
    ) -> int:
        """Start a unit and return its pid; EnvironmentFailure if the kernel won't."""
        self.exits.pop(name, None)
        self.pids.pop(name, None)
        self._send({"op": "start", "name": name, "argv": list(argv), "env": dict(env), "cwd": str(cwd), "log": str(log), "cpus": list(cpus)})  # fmt: skip
        self._await(lambda: name in self.pids or name in self._failures or name in self.exits)
        if name in self._failures:
            raise EnvironmentFailure(f"unit {name!r} can't be started: {self._failures.pop(name)} ({argv[0]})")
        return self.pids[name]

    def stop(self, graces_s: Mapping[str, float]) -> None:
        """SIGTERM to each of these units, SIGKILL after its grace; returns when all have ended."""
        self.poll()
        running = {name: grace for name, grace in graces_s.items() if name in self.pids and name not in self.exits}
        for name, grace in running.items():
            self._send({"op": "stop", "name": name, "grace_s": grace})
        self._await(lambda: all(name in self.exits for name in running), extra_s=max(running.values(), default=0.0))
        for name in running:
            del self.pids[name]

    def signal(self, name: str, number: int) -> None:
        """Send a signal to a running unit."""
        self._send({"op": "signal", "name": name, "signal": number})

    def poll(self) -> None:
        """Take in what the supervisor has told so far."""
        self._receive(0.0)

    def close(self) -> None:
        """Close the pipe: the supervisor ends whatever is left, removes the folder and goes."""
        self._channel.close()
        try:
            self._process.wait(supervisor.ENDING_WITHIN_S + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, command: Mapping[str, Any]) -> None:  # Any: JSON values
        try:
            self._channel.sendall(json.dumps(command).encode() + b"\n")
        except OSError as error:
            raise EnvironmentFailure("the supervisor is gone, and every unit with it: was it killed?") from error

    def _await(self, condition: Callable[[], bool], extra_s: float = 0.0) -> None:
        give_up = time.monotonic() + ANSWER_WITHIN_S + extra_s
        while not condition():
            left = give_up - time.monotonic()
            if left <= 0:
                raise EnvironmentFailure(
                    f"the supervisor didn't answer within {ANSWER_WITHIN_S + extra_s:.0f} s: is the machine stalled?"
                )
            self._receive(left)

    def _receive(self, timeout_s: float) -> None:
        self._channel.settimeout(timeout_s)
        try:
            data = self._channel.recv(1 << 16)
        except (BlockingIOError, TimeoutError):
            return
        finally:
            self._channel.settimeout(None)
        if not data:
            raise EnvironmentFailure("the supervisor is gone, and every unit with it: was it killed?")
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._note(json.loads(line))

    def _note(self, event: Mapping[str, Any]) -> None:  # Any: JSON values
        name = str(event["name"])
        if event["event"] == "started":
            self.pids[name] = int(event["pid"])
        elif event["event"] == "failed":
            self._failures[name] = str(event["error"])
        else:
            self.exits[name] = int(event["status"])
