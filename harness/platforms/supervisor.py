"""The supervisor: one small process that starts all units, is their subreaper, and ends them when the pipe to hoptax closes.

It also pauses and kills units for faults, and undoes that at its own time, whether hoptax is still there or not.
A program of its own, run by file name and importing the standard library alone. It doesn't rely on parent-death signals: hoptax
may end normally, by an exception, by a signal or by kill -9, and in every case the kernel closes the pipe.

    python supervisor.py FD FOLDER [HELD_FD…]

FD is a connected Unix socket; FOLDER is removed at the end (it holds keys); each HELD_FD is kept open, for what it stands for
(addresses, say) stays ours until all units have ended. Commands come as one JSON object a line:

    {"op": "start", "name": …, "argv": […], "env": {…}, "cwd": …, "log": …, "cpus": […]}
    {"op": "stop", "name": …, "grace_s": 2.0}
    {"op": "signal", "name": …, "signal": 19}
    {"op": "pause", "name": …, "for_s": 1.0}                   stops its whole process group; it goes on after `for_s`
    {"op": "kill", "name": …, "for_s": 1.0, "cpus": […]}       SIGKILL to the group; started again, as before, after `for_s`
    {"op": "undo", "name": …}                                  lets a paused unit go on now; forgets to start a killed one

Events go back the same way: {"event": "started", "name": …, "pid": …}, {"event": "failed", "name": …, "error": …},
{"event": "exited", "name": …, "status": …} (status as subprocess has it: minus the signal's number if a signal ended it),
and paused, resumed, killed, undone. Those of faults, and started, have `at_ns`: CLOCK_MONOTONIC right after the deed.
"""

import ctypes
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
PR_SET_CHILD_SUBREAPER = 36
RESET_SIGNALS = [signal.SIGPIPE, signal.SIGINT, signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD]
ENDING_WITHIN_S = 10.0


class Supervisor:
    """State: which unit has which pid, and which must be killed at what time if it hasn't ended by then."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.buffer = b""
        self.names: dict[int, str] = {}
        self.pids: dict[str, int] = {}
        self.kill_at: dict[str, float] = {}
        self.commands: dict[str, dict] = {}  # type: ignore[type-arg]  # JSON values of mixed types
        self.resume_at: dict[str, float] = {}
        self.restart_at: dict[str, float] = {}
        self.cpus = os.sched_getaffinity(0)

    def run(self) -> None:
        """Serve until the pipe closes or a SIGTERM comes."""
        woken, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        ended: list[int] = []
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda number, _: ended.append(number))
        for ignored in (signal.SIGINT, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        with selectors.DefaultSelector() as selector:
            selector.register(self.channel, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            while not ended:
                ready = {key.fd for key, _ in selector.select(self._patience())}
                if woken in ready:
                    os.read(woken, 4096)
                self._reap()
                self._act_when_due()
                if self.channel.fileno() in ready and not self._receive():
                    return

    def _patience(self) -> float | None:
        times = [*self.kill_at.values(), *self.resume_at.values(), *self.restart_at.values()]
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _receive(self) -> bool:
        try:
            data = self.channel.recv(1 << 20)
        except OSError:
            data = b""
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))
        return bool(data)

    def _obey(self, command: dict[str, object]) -> None:
        name, op = str(command["name"]), command["op"]
        if op == "start":
            self._start(name, command)
        elif op == "undo":
            self.undo(name)
        elif name not in self.pids:
            return
        elif op == "stop":
            self.kill_at[name] = time.monotonic() + float(str(command["grace_s"]))
            self._signal(name, signal.SIGTERM)
        elif op == "signal":
            self._signal(name, int(str(command["signal"])))
        else:
            self._disturb(name, command)

    def _disturb(self, name: str, command: dict[str, object]) -> None:
        """The whole group, which is the unit's alone: it leads a session of its own."""
        until = time.monotonic() + float(str(command["for_s"]))
        if command["op"] == "pause":
            self._signal_group(name, signal.SIGSTOP, "paused")
            self.resume_at[name] = until
        elif command["op"] == "kill":
            self.commands[name] |= {"cpus": command["cpus"]}
            self._signal_group(name, signal.SIGKILL, "killed")
            self.restart_at[name] = until

    def undo(self, name: str) -> None:
        """Heal it now: let it go on, forget to start it."""
        if name in self.resume_at:
            self._resume(name)
        self.restart_at.pop(name, None)
        self._tell({"event": "undone", "name": name})

    def _resume(self, name: str) -> None:
        del self.resume_at[name]
        self._signal_group(name, signal.SIGCONT, "resumed")

    def _signal_group(self, name: str, number: int, event: str) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pids[name], number)
        self._tell({"event": event, "name": name, "at_ns": time.monotonic_ns()})

    def _start(self, name: str, command: dict) -> None:  # type: ignore[type-arg]  # JSON values of mixed types
        """Spawned with our own folder and CPUs set for the moment, so that nothing runs between fork and exec."""
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, command["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        argv, env = command["argv"], command["env"]
        try:
            os.chdir(command["cwd"])
            os.sched_setaffinity(0, command["cpus"])
            pid = os.posix_spawn(
                argv[0], argv, env, file_actions=actions, setsid=True, setsigdef=RESET_SIGNALS, setsigmask=[]
            )
        except OSError as error:
            self._tell({"event": "failed", "name": name, "error": f"{error.strerror or error}"})
            return
        finally:
            os.chdir("/")
            os.sched_setaffinity(0, self.cpus)
        self.names[pid], self.pids[name], self.commands[name] = name, pid, command
        self._tell({"event": "started", "name": name, "pid": pid, "at_ns": time.monotonic_ns()})

    def _signal(self, name: str, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pids[name], number)

    def _reap(self) -> None:
        """Tell which units have ended. With the last one goes whatever units left behind: orphans are nobody's but ours."""
        ended = {self.names.pop(pid, ""): status for pid, status in iter(_reaped, (0, 0))}
        ended.pop("", None)
        for name in ended:
            del self.pids[name]
            self.kill_at.pop(name, None)
            self.resume_at.pop(name, None)
        if ended and not self.pids:
            end_all()
        for name, status in ended.items():
            self._tell({"event": "exited", "name": name, "status": os.waitstatus_to_exitcode(status)})

    def _act_when_due(self) -> None:
        """Kill who didn't end in time; undo faults whose time is over. A killed unit is started only once it is gone."""
        for name in due(self.kill_at):
            del self.kill_at[name]
            self._signal(name, signal.SIGKILL)
        for name in due(self.resume_at):
            self._resume(name)
        for name in due(self.restart_at):
            if name not in self.pids:
                del self.restart_at[name]
                self._start(name, self.commands[name])

    def _tell(self, event: dict[str, object]) -> None:
        with suppress(OSError):
            self.channel.sendall(json.dumps(event).encode() + b"\n")


def _reaped() -> tuple[int, int]:
    try:
        return os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return 0, 0


def due(times: dict[str, float]) -> list[str]:
    """Names whose time has come."""
    return [name for name, at in times.items() if at <= time.monotonic()]


def descendants(root: int) -> set[int]:
    """Every process below `root`, as /proc tells it now."""
    parents: dict[int, int] = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_bytes().rpartition(b")")[2].split()[1])
    found: set[int] = set()
    grew = True
    while grew:
        below = {pid for pid, parent in parents.items() if (parent == root or parent in found) and pid not in found}
        found |= below
        grew = bool(below)
    return found


def end_all() -> None:
    """Kill until nothing is left below us; orphans come to us, the subreaper, so that none escapes."""
    give_up = time.monotonic() + ENDING_WITHIN_S
    while (left := descendants(os.getpid())) and time.monotonic() < give_up:
        for pid in left:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        for _ in iter(_reaped, (0, 0)):
            pass
        time.sleep(0.002)


def main() -> None:
    """Serve, then end everything and remove the run's folder."""
    channel_fd, folder, *held = sys.argv[1:]
    for descriptor in map(int, (channel_fd, *held)):
        os.set_inheritable(descriptor, False)
    channel = socket.socket(fileno=int(channel_fd))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "this kernel makes no process a subreaper, so daemons could outlive the run")
    supervisor = Supervisor(channel)
    try:
        supervisor.run()
    finally:
        for name in {*supervisor.resume_at, *supervisor.restart_at}:
            supervisor.undo(name)
        end_all()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
