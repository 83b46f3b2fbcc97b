"""The harness's end of the agent: loopback doors whose connections the agent makes in the cluster, and requests to it.

It runs in a thread of its own, asleep while nobody calls; nothing that is measured goes through it.
"""

import asyncio
import json
import subprocess
import threading
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late
from contextlib import suppress
from itertools import count
from types import TracebackType
from typing import IO, Any, Self, TypeVar

from harness.model.errors import EnvironmentFailure
from harness.platforms.agent import streams
from harness.platforms.frames import ANSWER, ASK, OPEN, Frame
from harness.platforms.relay import Relay

ANSWER_WITHIN_S = 10.0
END_WITHIN_S = 5.0

Door = tuple[str, int]
T = TypeVar("T")


class Tunnel:
    """A context in which an agent runs, started by `command`. `stderr` is where its last words go."""

    def __init__(self, command: Sequence[str], stderr: IO[bytes] | int = subprocess.DEVNULL) -> None:
        self._command = tuple(command)
        self._stderr = stderr
        self._numbers = count(1)
        self._opening: dict[int, asyncio.Future[bool]] = {}
        self._asked: dict[int, Future[dict[str, Any]]] = {}
        self._servers: dict[Door, asyncio.Server] = {}
        self._ended = False
        self._why = "it has ended"

    def __enter__(self) -> Self:
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, process_group=0
            )
        except OSError as error:
            raise EnvironmentFailure(f"the agent can't be reached by {self._command[0]!r}: {error.strerror}") from error
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tunnel", daemon=True)
        self._thread.start()
        self._call(self._begin(), ANSWER_WITHIN_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(EnvironmentFailure):
            self._call(self._end(), END_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(END_WITHIN_S)
        self._loop.close()
        try:
            self._process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        """The local process at the other end of the pipes."""
        return self._process.pid

    def open_doors(self, doors: Mapping[Door, Door]) -> None:
        """Listen at each local (address, port) for connections to that address and port in the cluster; again moves a door."""
        self._call(self._open_doors(doors), ANSWER_WITHIN_S)

    def close_doors(self, doors: Sequence[Door]) -> None:
        """Listen there no more; connections that are open stay so until either side ends them."""
        self._call(self._close_doors(doors), ANSWER_WITHIN_S)

    def ask(self, op: str, *, within_s: float = ANSWER_WITHIN_S, **arguments: Any) -> Any:  # Any: JSON values
        """The agent's answer; EnvironmentFailure with its words if it has none."""
        number, answer = next(self._numbers), Future[dict[str, Any]]()
        self._asked[number] = answer
        frame = Frame(ASK, number, json.dumps({"op": op, **arguments}).encode())
        self._loop.call_soon_threadsafe(self._send, frame)
        try:
            document = answer.result(within_s)
        except Late:
            raise EnvironmentFailure(f"the agent in the cluster doesn't answer {op!r} within {within_s:g} s") from None
        finally:
            self._asked.pop(number, None)
        if "error" in document:
            raise EnvironmentFailure(f"the agent in the cluster can't do what is asked: {document['error']}")
        return document["ok"]

    def _send(self, frame: Frame) -> None:
        if self._ended:
            self._fail_all()
        else:
            self._relay.send(frame)

    def _call(self, work: Coroutine[Any, Any, T], within_s: float) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)
        except Late:
            raise EnvironmentFailure(f"the tunnel into the cluster doesn't react within {within_s:g} s") from None

    async def _begin(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        reader, self._pipe, self._incoming = await streams(self._process.stdout, self._process.stdin)
        self._relay = Relay(reader, self._pipe, self._heard)
        self._running = self._loop.create_task(self._run())

    async def _run(self) -> None:
        try:
            await self._relay.run()
        except (OSError, ValueError) as error:
            self._why = f"it broke off: {error}"
        finally:
            self._ended = True
            self._fail_all()

    def _fail_all(self) -> None:
        for opening in self._opening.values():
            if not opening.done():
                opening.set_result(False)
        for answer in tuple(self._asked.values()):
            if not answer.done():
                answer.set_result({"error": self._why})

    def _heard(self, frame: Frame) -> None:
        if frame.kind == ANSWER and (answer := self._asked.get(frame.channel)) is not None and not answer.done():
            answer.set_result(json.loads(frame.payload))
        elif (opening := self._opening.get(frame.channel)) is not None and not opening.done():
            opening.set_result(frame.kind == OPEN)

    async def _open_doors(self, doors: Mapping[Door, Door]) -> None:
        for here, there in doors.items():
            await self._close_doors([here])
            try:
                self._servers[here] = await asyncio.start_server(self._carrier(there), *here)
            except OSError as error:
                raise EnvironmentFailure(
                    f"{here[0]}:{here[1]}, the local end of {there[0]}:{there[1]}, can't be listened on: {error.strerror}"
                ) from error

    async def _close_doors(self, doors: Sequence[Door]) -> None:
        for door in doors:
            if (server := self._servers.pop(door, None)) is not None:
                server.close()

    def _carrier(self, there: Door) -> Any:  # Any: asyncio's own callback type has it
        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            number = next(self._numbers)
            opening = self._opening[number] = self._loop.create_future()
            self._relay.expect(number, writer)
            self._send(Frame(OPEN, number, f"{there[0]}:{there[1]}".encode()))
            try:
                if await opening:
                    await self._relay.carry(number, reader)
            except asyncio.CancelledError:
                return  # the tunnel ends; asyncio would tell of it as of an error
            finally:
                del self._opening[number]

        return carry

    async def _end(self) -> None:
        await self._close_doors(tuple(self._servers))
        self._pipe.close()
        self._incoming.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
