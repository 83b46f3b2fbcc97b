"""Peers that are slow, many, or go away: what a connection may take, on loopback in one event loop."""

import asyncio
from collections.abc import Awaitable, Callable

from meshes.builtin.control.http import MAX_HEAD_BYTES, Request, Server, Writer, answer

GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def hello(_request: Request, writer: Writer) -> None:
    answer(writer, 200, {})


async def open_to(
    server: Server,
) -> tuple[asyncio.Server, Callable[[], Awaitable[tuple[asyncio.StreamReader, Writer]]]]:
    listening = await asyncio.start_server(server, "127.0.0.1", 0, limit=MAX_HEAD_BYTES)
    port = listening.sockets[0].getsockname()[1]
    return listening, lambda: asyncio.open_connection("127.0.0.1", port)


async def talk(connection: tuple[asyncio.StreamReader, Writer], said: bytes) -> bytes:
    reader, writer = connection
    writer.write(said)
    heard = await reader.read()
    writer.close()
    return heard


def test_a_peer_that_takes_too_long_is_told_so() -> None:
    async def run() -> bytes:
        listening, connect = await open_to(Server(hello, patience_s=0.05))
        async with listening:
            return await talk(await connect(), b"GET / HT")

    assert asyncio.run(run()).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_never_ends_is_too_late_too() -> None:
    async def run() -> bytes:
        listening, connect = await open_to(Server(hello, patience_s=0.05))
        async with listening:
            return await talk(await connect(), b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n12345678")

    assert asyncio.run(run()).startswith(b"HTTP/1.1 408 ")


def test_more_connections_than_allowed_are_closed_and_places_come_back() -> None:
    async def run() -> tuple[bytes, bytes]:
        listening, connect = await open_to(Server(hello, max_connections=1))
        async with listening:
            first = await connect()
            first[1].write(GET[:5])
            refused = await talk(await connect(), b"")
            first[1].write(GET[5:])
            served = await first[0].read()
            first[1].close()
            return refused, served

    refused, served = asyncio.run(run())

    assert refused == b""
    assert served.startswith(b"HTTP/1.1 200 ")


def test_a_peer_that_leaves_in_the_middle_frees_its_place() -> None:
    async def run() -> bytes:
        listening, connect = await open_to(Server(hello, max_connections=1))
        async with listening:
            _, leaving = await connect()
            leaving.write(GET[:5])
            await leaving.drain()
            leaving.close()
            await leaving.wait_closed()
            async with asyncio.timeout(10):
                while not (heard := await patient(connect)):
                    pass
            return heard

    assert asyncio.run(run()).startswith(b"HTTP/1.1 200 ")


async def patient(connect: Callable[[], Awaitable[tuple[asyncio.StreamReader, Writer]]]) -> bytes:
    """What a request hears; nothing if it was turned away."""
    try:
        return await talk(await connect(), GET)
    except ConnectionError:
        return b""
