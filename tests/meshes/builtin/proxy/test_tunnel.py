"""Bytes that are the apps' own, through two real sidecars: raw TCP, CONNECT, WebSocket; told apart from HTTP, in the clear or in TLS."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import uvloop

from meshes.builtin.policies import Authorization
from meshes.builtin.snapshot import Endpoint, Inbound, Limits, Spoken, Timeouts
from meshes.identity.names import spiffe_id
from tests.meshes.builtin.proxy.pair import (
    INBOUND,
    METRICS,
    OUTBOUND,
    A,
    B,
    Client,
    Node,
    certificates,
    snapshot,
    until,
)

pytestmark = pytest.mark.system
PORT = 15101
Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Serve = Callable[[Reader, Writer], Awaitable[None]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("identities")
    certificates(made, "a", "b")
    return made


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(bounded())


async def echo(reader: Reader, writer: Writer) -> None:
    """Until the other side has said all; then a last word."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"!")
    writer.close()


async def greet(reader: Reader, writer: Writer) -> None:
    """The server begins."""
    writer.write(b"220 hello\r\n")
    writer.write((await reader.readline()).upper())
    writer.close()


@asynccontextmanager
async def tunnel(
    folder: Path, serve: Serve, *, near: Spoken = "tcp", far: Spoken = "tcp", **inbound: Any
) -> AsyncIterator[tuple[Node, Node]]:
    """a's port 15101 stands for b, whose app is `serve`; near and far are what the sidecars take it for. Any: parts of Inbound."""
    server = await asyncio.start_server(serve, B, 0)
    port = server.sockets[0].getsockname()[1]
    a, b = Node("a", A, folder / "a"), Node("b", B, folder / "b")
    of_a, of_b = snapshot("a", A, B), snapshot("b", B)
    cluster = replace(of_a.clusters[0], protocol=near)
    times = Timeouts(detect_s=0.05)
    outbound = replace(of_a.outbound, ports={PORT: "b"}, connect=True)
    await a.change(replace(of_a, clusters=(cluster,), outbound=outbound, timeouts=times))
    await b.change(replace(of_b, inbound=Inbound(Endpoint(B, port), protocol=far, **inbound), timeouts=times))
    try:
        yield a, b
    finally:
        server.close()
        await a.proxy.drain(0.1)
        await b.proxy.drain(0.1)


def tunnels(node: Node, direction: str = "outbound", cluster: str = "b") -> Any:
    return node.telemetry.traffic_of(direction, cluster).tunnels


KINDS = pytest.mark.parametrize(
    ("near", "far"), [("tcp", "tcp"), ("tcp", "detect"), ("detect", "detect"), ("detect", "tcp")]
)


@KINDS
def test_bytes_go_both_ways_and_each_way_ends_by_itself(folder: Path, near: Spoken, far: Spoken) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo, near=near, far=far) as (a, b):
            reader, writer = await asyncio.open_connection(A, PORT)
            big = bytes(range(256)) * 8192
            writer.write(b"\x00\x01binary" + big)
            writer.write_eof()
            assert await reader.read(-1) == b"\x00\x01binary" + big + b"!"
            writer.close()
            await until(lambda: tunnels(a).total == 1)
            assert (tunnels(a).bytes_in, tunnels(a).bytes_out) == (len(big) + 8, len(big) + 9)
            assert tunnels(b, "inbound", "local").total == 1
            assert b.telemetry.connections_of("downstream", "inbound").handshakes == 1
            assert tunnels(a).active == a.proxy._callees["b"].traffic.active == 0

    run(scenario)


@KINDS
def test_a_server_may_speak_first(folder: Path, near: Spoken, far: Spoken) -> None:
    async def scenario() -> None:
        async with tunnel(folder, greet, near=near, far=far):
            reader, writer = await asyncio.open_connection(A, PORT)
            assert await reader.readline() == b"220 hello\r\n"
            writer.write(b"helo me\r\n")
            assert await reader.read(-1) == b"HELO ME\r\n"
            writer.close()

    run(scenario)


def test_http_is_http_where_it_is_looked_for(folder: Path) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)
        writer.close()

    async def scenario() -> None:
        async with tunnel(folder, answer, near="detect", far="detect") as (a, b):
            client = await Client.connect(A, PORT)
            status, _, body = await client.get("whatever")
            assert status == 200
            assert b"x-forwarded-client-cert: URI=%b" % spiffe_id("a").encode() in body
            assert a.telemetry.traffic_of("outbound", "b").status[2] == 1
            assert b.telemetry.traffic_of("inbound", "local").status[2] == 1
            assert tunnels(a).total == tunnels(b, "inbound", "local").total == 0
            client.close()

    run(scenario)


def test_a_reader_that_stops_stops_the_writer_and_nothing_grows(folder: Path) -> None:
    async def pour(_: Reader, writer: Writer) -> None:
        writer.transport.set_write_buffer_limits(high=65536)
        for _n in range(4000):
            poured.append(65536)
            writer.write(b"x" * 65536)
            await writer.drain()
        writer.close()

    poured: list[int] = []

    async def scenario() -> None:
        async with tunnel(folder, pour) as (a, b):
            a.proxy._callees["b"].limits = b.proxy._app.limits = Limits(buffer_bytes=65536)  # type: ignore[union-attr]
            reader, writer = await asyncio.open_connection(A, PORT, limit=1024)
            assert await reader.read(1) == b"x"
            stood = -1
            while stood != len(poured):  # the kernel's buffers fill, then everything waits for the reader
                stood = len(poured)
                for _ in range(200):
                    await asyncio.sleep(0)
                await asyncio.sleep(0.05)
            assert 65536 * stood < 100 << 20
            while len(poured) == stood:
                await reader.read(1 << 20)
            writer.transport.abort()

    run(scenario)


def test_who_goes_abruptly_is_missed_at_the_other_end(folder: Path) -> None:
    gone = asyncio.Event()

    async def listen(reader: Reader, writer: Writer) -> None:
        try:
            while await reader.read(100):
                pass
        except ConnectionResetError:
            gone.set()
        writer.close()

    async def scenario() -> None:
        async with tunnel(folder, listen):
            _, writer = await asyncio.open_connection(A, PORT)
            writer.write(b"x")
            await writer.drain()
            plain = writer.get_extra_info("socket")
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            await gone.wait()

    run(scenario)


def test_bytes_are_refused_where_only_http_is_taken(folder: Path) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo, far="auto") as (a, b):
            reader, writer = await asyncio.open_connection(A, PORT)
            writer.write(b"hello")
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
            await until(lambda: b.telemetry.connections_of("downstream", "inbound").tls_failures == 1)
            writer.close()
            assert a.telemetry.traffic_of("outbound", "b").tunnels.bytes_out == 0

    run(scenario)


def test_who_may_not_call_may_not_send_bytes_either(folder: Path) -> None:
    async def scenario() -> None:
        denied = Authorization((spiffe_id("c"),), "/x")
        async with tunnel(folder, echo, authorization=denied) as (_, b):
            reader, writer = await asyncio.open_connection(A, PORT)
            writer.write(b"hello")
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
            writer.close()
            assert b.telemetry.failures == {("inbound", "denied"): 1}

    run(scenario)


def test_nobody_there_ends_the_connection(folder: Path) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo) as (a, b):
            await b.proxy.drain(0)
            reader, writer = await asyncio.open_connection(A, PORT)
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
            writer.close()
            assert a.telemetry.failures == {("outbound", "connect-failed"): 1}

    run(scenario)


def test_permissive_takes_the_clear_and_tls_on_one_port(folder: Path) -> None:
    async def answer(reader: Reader, writer: Writer) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head)

    async def scenario() -> None:
        async with tunnel(folder, answer, near="auto", far="auto", permissive=True) as (_, b):
            plain = await Client.connect(B, INBOUND)
            status, _, body = await plain.get()
            assert status == 200
            assert b"x-forwarded-client-cert" not in body
            meshed = await Client.connect(A, OUTBOUND)
            status, _, body = await meshed.get()
            assert status == 200
            assert b"x-forwarded-client-cert" in body
            assert b.telemetry.connections_of("downstream", "inbound").handshakes == 1
            plain.close()
            meshed.close()

    run(scenario)


@pytest.mark.parametrize("far", ["detect", "tcp"])
def test_permissive_bytes_in_the_clear_also_where_the_server_begins(folder: Path, far: Spoken) -> None:
    async def scenario() -> None:
        async with tunnel(folder, greet, far=far, permissive=True):
            for port, address in ((INBOUND, B), (PORT, A)):
                reader, writer = await asyncio.open_connection(address, port)
                assert await reader.readline() == b"220 hello\r\n"
                writer.write(b"x\r\n")
                assert await reader.read(-1) == b"X\r\n"
                writer.close()

    run(scenario)


def test_a_stranger_in_tls_is_refused_where_the_clear_is_let_in(folder: Path) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo, far="auto", permissive=True) as (_, b):
            unknown = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unknown.check_hostname, unknown.verify_mode = False, ssl.CERT_NONE
            reader, writer = await asyncio.open_connection(B, INBOUND, ssl=unknown)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await reader.readexactly(1)
            writer.close()
            assert b.telemetry.connections_of("downstream", "inbound").tls_failures == 1

    run(scenario)


def test_connect_opens_a_tunnel_to_a_callee_and_nowhere_else(folder: Path) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo) as (a, _):
            reader, writer = await asyncio.open_connection(A, OUTBOUND)
            writer.write(b"CONNECT b:9 HTTP/1.1\r\nHost: b:9\r\n\r\nearly")
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection Established\r\n\r\n"
            writer.write_eof()
            assert await reader.read(-1) == b"early!"
            writer.close()
            for target, status in (("c:1", b"404"), ("b", b"400"), ("b:x", b"400")):
                reader, writer = await asyncio.open_connection(A, OUTBOUND)
                writer.write(b"CONNECT %b HTTP/1.1\r\nHost: b\r\n\r\n" % target.encode())
                assert (await reader.read(-1))[9:12] == status
                writer.close()
            assert tunnels(a).total == 1

    run(scenario)


def test_connect_is_refused_unless_allowed(folder: Path) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo) as (a, _):
            now = a.proxy.snapshot
            assert now is not None
            await a.change(replace(now, outbound=replace(now.outbound, connect=False)))
            reader, writer = await asyncio.open_connection(A, OUTBOUND)
            writer.write(b"CONNECT b:9 HTTP/1.1\r\nHost: b:9\r\n\r\n")
            assert (await reader.read(-1))[9:12] == b"501"
            writer.close()

    run(scenario)


UPGRADE = b"GET /chat HTTP/1.1\r\nHost: b\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\n"


def test_a_websocket_goes_through(folder: Path) -> None:
    async def socket(reader: Reader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"connection: upgrade\r\nupgrade: websocket\r\n" in head
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\nhi"
        )
        await echo(reader, writer)

    async def scenario() -> None:
        async with tunnel(folder, socket, near="auto", far="auto") as (a, b):
            reader, writer = await asyncio.open_connection(A, OUTBOUND)
            writer.write(UPGRADE)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\n")
            assert head.endswith(b"connection: upgrade\r\nupgrade: websocket\r\n\r\n")
            assert await reader.readexactly(2) == b"hi"
            writer.write(b"\x81\x05hello" * 1000)
            writer.write_eof()
            assert await reader.read(-1) == b"\x81\x05hello" * 1000 + b"!"
            writer.close()
            assert a.telemetry.traffic_of("outbound", "b").status[1] == 1
            await until(lambda: not a.telemetry.connections_of("upstream", "b").open)
            await until(lambda: not b.telemetry.connections_of("downstream", "inbound").open)

    run(scenario)


def test_an_upgrade_that_the_callee_declines_is_a_request_like_any_other(folder: Path) -> None:
    async def decline(reader: Reader, writer: Writer) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")

    async def scenario() -> None:
        async with tunnel(folder, decline, near="auto", far="auto"):
            client = await Client.connect(A, OUTBOUND)
            for _ in range(2):
                client.writer.write(UPGRADE)
                assert (await client.read())[2] == b"no"
            client.close()

    run(scenario)


def test_ports_come_and_go_with_the_configuration(folder: Path) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo) as (a, _):
            kept = await asyncio.open_connection(A, PORT)
            now = a.proxy.snapshot
            assert now is not None
            await a.change(replace(now, outbound=replace(now.outbound, ports={PORT + 1: "b"})))
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(A, PORT)
            for reader, writer in (kept, await asyncio.open_connection(A, PORT + 1)):
                writer.write(b"still")
                writer.write_eof()
                assert await reader.read(-1) == b"still!"
                writer.close()

    run(scenario)


def test_tunnels_are_told_in_metrics(folder: Path) -> None:
    async def scenario() -> None:
        async with tunnel(folder, echo) as (a, _):
            reader, writer = await asyncio.open_connection(A, PORT)
            writer.write(b"abc")
            writer.write_eof()
            assert await reader.read(-1) == b"abc!"
            writer.close()
            await until(lambda: tunnels(a).total == 1)
            scraper = await Client.connect(A, METRICS)
            scraper.writer.write(b"GET /metrics HTTP/1.1\r\nHost: b\r\n\r\n")
            text = (await scraper.read())[2].decode()
            for line in ("connections_total", "bytes_in_total", "bytes_out_total", "connections_active"):
                value = {"connections_total": 1, "bytes_in_total": 3, "bytes_out_total": 4, "connections_active": 0}[
                    line
                ]
                assert f'hoptax_tcp_{line}{{direction="outbound",cluster="b"}} {value}\n' in text
            scraper.close()

    run(scenario)
