"""The agent: runs in a pod, connects to pods and reads the node's counters for the harness, over its own stdin and stdout.

`python -m harness.platforms.agent serve` speaks the frames of harness.platforms.frames until its stdin ends; `idle` is what the
pod's container does meanwhile. It judges nothing, knows no mesh, and imports little: its memory is on the node that is measured.
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from harness.platforms import container_ops, node
from harness.platforms.frames import ANSWER, ASK, OPEN, RESET, Frame
from harness.platforms.relay import Relay

CONNECT_WITHIN_S = 3.0

Ops = dict[str, Callable[[dict[str, Any]], Any]]  # Any: JSON values


class Agent:
    """The end in the cluster: makes the connections that are asked for, and answers requests from its table of operations."""

    def __init__(self, ops: Ops) -> None:
        self._ops = ops
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the harness's end closes."""
        self._relay = Relay(reader, writer, self._asked)
        await self._relay.run()

    def _asked(self, frame: Frame) -> None:
        if frame.kind == OPEN:
            task = asyncio.ensure_future(self._open(frame))
        elif frame.kind == ASK:
            task = asyncio.ensure_future(self._answer(frame))
        else:
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _open(self, frame: Frame) -> None:
        """Answered by OPEN or RESET; before that the harness sends no DATA."""
        host, _, port = frame.payload.decode().rpartition(":")
        try:
            connecting = asyncio.open_connection(host, int(port))
            reader, writer = await asyncio.wait_for(connecting, CONNECT_WITHIN_S)
        except (OSError, TimeoutError, ValueError):
            self._relay.send(Frame(RESET, frame.channel))
            return
        self._relay.expect(frame.channel, writer)
        self._relay.send(Frame(OPEN, frame.channel))
        await self._relay.carry(frame.channel, reader)

    async def _answer(self, frame: Frame) -> None:
        asked = json.loads(frame.payload)
        name = asked.pop("op", "")
        if name not in self._ops:
            self._say(frame.channel, {"error": f"unknown request {name!r}: have {', '.join(sorted(self._ops))}"})
            return
        try:
            self._say(frame.channel, {"ok": await asyncio.to_thread(self._ops[name], asked)})
        except (OSError, LookupError, ValueError, TypeError) as error:
            self._say(frame.channel, {"error": f"{name}: {type(error).__name__}: {error}"})

    def _say(self, channel: int, document: dict[str, Any]) -> None:
        self._relay.send(Frame(ANSWER, channel, json.dumps(document).encode()))


async def over_pipes(agent: Agent, stdin: int, stdout: int) -> None:
    """Serve on these two descriptors."""
    reader, writer, _ = await streams(os.fdopen(stdin, "rb", buffering=0), os.fdopen(stdout, "wb", buffering=0))
    await agent.serve(reader, writer)


async def streams(
    incoming: IO[bytes], outgoing: IO[bytes]
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, asyncio.ReadTransport]:
    """A pipe each way as streams of the running loop, and what closes the first."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    source, _ = await loop.connect_read_pipe(lambda: protocol, incoming)
    transport, flow = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, outgoing)
    return reader, asyncio.StreamWriter(transport, flow, None, loop), source


def _idle() -> None:
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(over_pipes(Agent({**node.OPS, **container_ops.OPS}), 0, 1))
        case ["idle"]:
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
            _idle()
        case _:
            sys.exit(f"usage: python -m {Path(__file__).stem} serve | idle")
