"""Bytes of a captured connection both ways, and its ends: real sockets on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvloop

from meshes.builtin.proxy.relay import Relay
from meshes.builtin.snapshot import Endpoint

HOST = "127.84.13.1"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Keeper:
    def __init__(self, most: int = 9) -> None:
        self.open, self.most = 0, most
        self.empty = asyncio.Event()

    def opened(self, _connection: Relay) -> bool:
        self.open += 1
        return self.open <= self.most

    def closed(self, _connection: Relay) -> None:
        self.open -= 1
        self.empty.set()


@asynccontextmanager
async def relayed(
    serve: Serve, keeper: Keeper, port: int = 0
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client whose connection is passed on to a server that does `serve`; with `port`, to that port instead."""
    loop = asyncio.get_running_loop()
    server = await asyncio.start_server(serve, HOST, 0)
    meant = Endpoint(HOST, port or server.sockets[0].getsockname()[1])
    door = await loop.create_server(lambda: Relay(keeper, loop, meant, 2.0), HOST, 0)
    reader, writer = await asyncio.open_connection(HOST, door.sockets[0].getsockname()[1])
    try:
        async with asyncio.timeout(5):
            yield reader, writer
            writer.close()
            await keeper.empty.wait()
    finally:
        server.close()
        door.close()


def run(talk: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(talk())


def test_bytes_go_both_ways_and_half_an_end_is_passed_on() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"you said " + await reader.read(-1))
        writer.close()

    async def talk() -> None:
        keeper = Keeper()
        async with relayed(serve, keeper) as (reader, writer):
            writer.write(b"x" * 200_000)
            writer.write_eof()
            assert await reader.read(-1) == b"you said " + b"x" * 200_000
        assert keeper.open == 0

    run(talk)


def test_a_server_that_hangs_up_ends_the_connection_of_a_client_that_waits() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async def talk() -> None:
        async with relayed(serve, Keeper()) as (reader, writer):
            writer.write(b"hello")
            assert await reader.read(-1) == b""

    run(talk)


def test_a_port_that_nobody_listens_on_ends_the_connection() -> None:
    async def serve(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nobody may come here")

    async def talk() -> None:
        async with relayed(serve, Keeper(), port=9) as (reader, _):
            with suppress(ConnectionResetError):
                assert await reader.read(-1) == b""

    run(talk)
