"""Stands in for an engine that runs elsewhere: speaks the same protocol, passes it on through a command, and brings the rows back.

`python -m harness.load.carrier carry URL COMMAND…` is started like an engine. COMMAND runs words on the other machine with our
stdin (`kubectl exec --stdin POD --`); URL is where load enters for who is there. `… receive FILE` is what it runs there for a body to be
sent, `… engine` for the load, ahead of programs that aren't ours, and `… send FILE` for the rows, which are kept until they were sent. The
other machine has to have our clock.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, NoReturn
from urllib.parse import urlsplit

from harness.load.accounts import AHEAD, clock_domain
from harness.load.messages import Done, Event, Failed, Prepare, Request, decode_event, decode_request, encode
from harness.load.slices import shorten
from harness.model.errors import EnvironmentFailure

THERE = ("python", "-m", "harness.load.carrier", "engine")
SEND = ("python", "-m", "harness.load.carrier", "send")
RECEIVE = ("python", "-m", "harness.load.carrier", "receive")
FOLDER = "/tmp"  # noqa: S108 - on the other machine, in a pod of its own
FETCHED_WITHIN_S = 12.0
END_WITHIN_S = 1.5


def to_there(request: Request, url: str) -> Request:
    """A request as the engine there needs it: its way to the system, its own files; its CPUs are the cluster's affair."""
    if not isinstance(request, Prepare):
        return request
    if request.cacert:
        raise ValueError("a load in a cluster enters at a port without TLS: leave cacert out")
    beyond = urlsplit(request.url)
    there = urlsplit(url)._replace(path=beyond.path, query=beyond.query).geturl()
    files = f"{FOLDER}/{request.run_id or 'run'}{f'.{request.worker}' if request.workers > 1 else ''}"
    body = request.body_file and f"{files}.body"
    return replace(request, url=there, rows_file=f"{files}.rows", body_file=body, cpus=())


class Carrier:
    """One conversation: `out` is the harness's end, `command` leads to the other machine."""

    def __init__(self, url: str, command: Sequence[str], out: IO[bytes]) -> None:
        self._url = url
        self._command = tuple(command)
        self._out = out
        self._rows_here = ""
        self._process = subprocess.Popen([*command, *THERE], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def pass_on(self, requests: IO[bytes]) -> None:
        """Every request, until the harness closes its end; then nothing of us stays."""
        assert self._process.stdin is not None
        try:
            for line in requests:
                request = decode_request(line)
                there = to_there(request, self._url)
                if isinstance(request, Prepare) and isinstance(there, Prepare):
                    self._rows_here = request.rows_file
                    self._give_body(request.body_file, there.body_file)
                self._process.stdin.write(encode(there))
                self._process.stdin.flush()
        except BrokenPipeError:  # it has ended: `bring_back` returns, and its last words are told
            with suppress(BrokenPipeError):
                self._process.stdin.close()
            return
        except ValueError as error:
            self._say(Failed("usage", str(error)))
        except EnvironmentFailure as error:
            self._say(Failed("environment", str(error)))
        self._process.stdin.close()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
        os._exit(0)

    def bring_back(self) -> int:
        """Every event, until the engine ends: its exit status."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = decode_event(line)
            self._say(self._done(event) if isinstance(event, Done) else event)
        return self._process.wait()

    def _done(self, event: Done) -> Event:
        here = clock_domain().boot_id
        if event.domain.boot_id != here:
            return Failed(
                "environment",
                f"the engine's clock is another machine's (boot id {event.domain.boot_id}, here {here}): its stamps can't be used",
            )
        try:
            with Path(os.devnull).open("rb") as nothing, Path(self._rows_here).open("wb") as rows:
                self._copy(
                    (*SEND, event.rows_file), nothing, rows, "the rows of the engine in the cluster can't be fetched"
                )
        except EnvironmentFailure as error:
            return Failed("environment", str(error))
        return replace(event, rows_file=self._rows_here)

    def _give_body(self, here: str, there: str) -> None:
        if here:
            with Path(here).open("rb") as body, Path(os.devnull).open("wb") as nowhere:
                self._copy((*RECEIVE, there), body, nowhere, "the body to be sent can't be brought into the cluster")

    def _copy(self, words: Sequence[str], source: IO[bytes], sink: IO[bytes], trouble: str) -> None:
        copied = subprocess.run(
            [*self._command, *words],
            stdin=source,
            stdout=sink,
            stderr=subprocess.PIPE,
            timeout=FETCHED_WITHIN_S,
            check=False,
        )
        if copied.returncode:
            raise EnvironmentFailure(f"{trouble}: {copied.stderr.decode(errors='replace').strip()[-400:]}")

    def _say(self, event: Event) -> None:
        self._out.write(encode(event))
        self._out.flush()


def _send(path: Path, out: IO[bytes]) -> None:
    out.write(path.read_bytes())
    out.flush()
    path.unlink()


def _engine() -> NoReturn:
    """Where CPUs are shared a generator that waits for one measures itself; it uses little of them, the same in every arm.

    A nice value counts among the processes of one container, a short slice among all programs of the machine.
    """
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, AHEAD)
    shorten()
    os.execv(sys.executable, (sys.executable, "-m", "harness.load.engine"))  # noqa: S606 - there is nothing for a shell to do


def _carry(url: str, command: Sequence[str]) -> int:
    carrier = Carrier(url, command, sys.stdout.buffer)
    threading.Thread(target=carrier.pass_on, args=(sys.stdin.buffer,), daemon=True).start()
    return carrier.bring_back()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["carry", url, *command] if command:
            status = _carry(url, command)
            sys.stderr.flush()
            os._exit(status)  # a thread still reads stdin, and Python would stumble over that at its own end
        case ["engine"]:
            _engine()
        case ["send", path]:
            _send(Path(path), sys.stdout.buffer)
        case ["receive", path]:
            Path(path).write_bytes(sys.stdin.buffer.read())
        case _:
            sys.exit("usage: python -m harness.load.carrier carry URL COMMAND… | engine | send FILE | receive FILE")
