"""The harness's end of the supervisor: starts it, sends commands, keeps what it tells. Decides nothing about units."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from harness.model.errors import EnvironmentFailure
from harness.platforms import supervisor

ANSWER_WITHIN_S = 10.0


class Supervised:
    """A context: a supervisor that runs. Leaving it ends every unit and removes `folder`.

    The supervisor keeps the descriptors in `holding` open until all units have ended, even if the harness doesn't live to see it.
    """

    def __init__(self, folder: Path, holding: Sequence[int] = ()) -> None:
        self.folder = folder
        ours, theirs = socket.socketpair()
        self._channel = ours
        self._buffer = b""
        self._receiving = threading.Lock()
        self.pids: dict[str, int] = {}
        self.exits: dict[str, int] = {}
        self._failures: dict[str, str] = {}
        self._stamps: dict[tuple[str, str], int] = {}
        words = [sys.executable, "-S", "-E", supervisor.__file__, *map(str, [theirs.fileno(), folder, *holding])]
        self._process = subprocess.Popen(
            words,
            pass_fds=[theirs.fileno(), *holding],
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

    def pause(self, name: str, for_s: float) -> int:
        """Stop the unit's processes for so long; returns when it was done, CLOCK_MONOTONIC ns."""
        return self._disturb(name, {"op": "pause", "for_s": for_s}, "paused")

    def resumed(self, name: str, within_s: float) -> int:
        """When the paused unit went on; returns once it has."""
        return self._await_stamp(name, "resumed", within_s)

    def kill(self, name: str, for_s: float, cpus: Sequence[int]) -> int:
        """SIGKILL, and a new start on these CPUs after `for_s`; returns when it was killed, and only once it is gone."""
        self._stamps.pop((name, "started"), None)
        at_ns = self._disturb(name, {"op": "kill", "for_s": for_s, "cpus": list(cpus)}, "killed")
        self._await(lambda: name in self.exits or (name, "started") in self._stamps)
        return at_ns

    def restarted(self, name: str, within_s: float) -> int:
        """When the killed unit was started again; returns once it is. Its pid is in `pids` then."""
        at_ns = self._await_stamp(name, "started", within_s)
        if name in self._failures:
            raise EnvironmentFailure(f"unit {name!r} can't be started again: {self._failures.pop(name)}")
        return at_ns

    def undo(self, name: str) -> None:
        """Let a paused unit go on at once; a killed one isn't started again if it hasn't been yet."""
        self._stamps.pop((name, "undone"), None)
        self._send({"op": "undo", "name": name})
        self._await_stamp(name, "undone", 0.0)

    def _disturb(self, name: str, command: Mapping[str, Any], event: str) -> int:  # Any: JSON values
        for each in (event, "resumed"):
            self._stamps.pop((name, each), None)
        self._send({"name": name, **command})
        self._await(lambda: (name, event) in self._stamps or name in self.exits)
        return self._stamps.get((name, event), 0)

    def _await_stamp(self, name: str, event: str, within_s: float) -> int:
        self._await(lambda: (name, event) in self._stamps or name in self._failures, extra_s=within_s)
        return self._stamps.get((name, event), 0)

    def poll(self) -> None:
        """Take in what the supervisor has told so far."""
        self._receive(0.0)

    def await_exit(self, name: str, within_s: float) -> None:
        """Return when the unit's end has been told, or after `within_s`."""
        give_up = time.monotonic() + within_s
        while name not in self.exits and (left := give_up - time.monotonic()) > 0:
            self._receive(left, lambda: name in self.exits)

    def close(self) -> None:
        """Close the pipe: the supervisor ends whatever is left, removes the folder and goes."""
        self._channel.close()
        self._finish()

    def _finish(self) -> None:
        try:
            self._process.wait(supervisor.ENDING_WITHIN_S + 5)
        except subprocess.TimeoutExpired:
            self._process.kill()
        if self._process.wait():
            self._end_orphans()

    def _end_orphans(self) -> None:
        """The supervisor was killed: do its last duty for it. A daemon that left its unit's tree can't be found any more."""
        units = [self.pids.pop(name) for name in list(self.pids) if name not in self.exits]
        for pid in {each for unit in units for each in (unit, *supervisor.descendants(unit))}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _gone(self) -> EnvironmentFailure:
        self._finish()
        return EnvironmentFailure("the supervisor is gone, and every unit with it: was it killed?")

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
            raise self._gone() from error

    def _await(self, condition: Callable[[], bool], extra_s: float = 0.0) -> None:
        give_up = time.monotonic() + ANSWER_WITHIN_S + extra_s
        while not condition():
            left = give_up - time.monotonic()
            if left <= 0:
                raise EnvironmentFailure(
                    f"the supervisor didn't answer within {ANSWER_WITHIN_S + extra_s:.0f} s: is the machine stalled?"
                )
            self._receive(left, condition)

    def _receive(self, timeout_s: float, enough: Callable[[], bool] = lambda: False) -> None:
        """By one thread at a time: who samples usage and who runs the trial may both find that a unit has ended.

        What another thread has received meanwhile may be `enough`.
        """
        with self._receiving:
            if enough():
                return
            self._channel.settimeout(timeout_s)
            try:
                data = self._channel.recv(1 << 16)
            except (BlockingIOError, TimeoutError):
                return
            finally:
                self._channel.settimeout(None)
            if not data:
                raise self._gone()
            *lines, self._buffer = (self._buffer + data).split(b"\n")
            for line in lines:
                self._note(json.loads(line))

    def _note(self, event: Mapping[str, Any]) -> None:  # Any: JSON values
        name = str(event["name"])
        if event["event"] == "exited":
            self.exits[name] = int(event["status"])
        elif event["event"] == "failed":
            self._failures[name] = str(event["error"])
        else:
            self._stamps[name, event["event"]] = int(event.get("at_ns", 0))
        if event["event"] == "started":
            self.pids[name] = int(event["pid"])
            self.exits.pop(name, None)
