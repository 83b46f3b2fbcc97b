"""Two proxies on real sockets: identities, hot changes, drain. What only sockets and TLS can show."""

import asyncio
import json
import ssl
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from meshes.builtin.snapshot import SnapshotError, Timeouts
from meshes.identity.names import spiffe_id
from tests.meshes.builtin.proxy.pair import (
    ADMIN,
    INBOUND,
    METRICS,
    OUTBOUND,
    A,
    B,
    Client,
    certificates,
    pair,
    snapshot,
    until,
)

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("identities")
    certificates(made, "a", "b", "a-1", "b-1", "c")
    return made


def run(coroutine: Coroutine[None, None, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(coroutine)


def test_a_request_through_both_carries_the_callers_identity(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, b, app):
            client = await Client.connect(A, OUTBOUND)
            for _ in range(3):
                status, _, body = await client.get()
                assert status == 200
                assert b"\r\nx-forwarded-client-cert: URI=%b\r\n" % spiffe_id("a").encode() in body
            assert app.connections == 1
            assert b.telemetry.connections["downstream", "inbound"].handshakes == 1
            assert a.telemetry.traffic["outbound", "b"].status[2] == 3
            client.close()

    run(scenario())


def test_plaintext_and_strangers_are_refused_at_15006(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (_, b, app):
            reader, writer = await asyncio.open_connection(B, INBOUND)
            writer.write(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            assert b"HTTP" not in await reader.read()
            writer.close()
            context = ssl.create_default_context(cafile=str(folder / "a" / "ca.pem"))
            context.check_hostname = False
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await talk(context)
            context.load_cert_chain(folder / "c" / "cert.pem", folder / "c" / "key.pem")
            assert b"200 OK" in await talk(context)
            assert b.telemetry.connections["downstream", "inbound"].tls_failures == 2
            assert app.connections == 1

    async def talk(context: ssl.SSLContext) -> bytes:
        reader, writer = await asyncio.open_connection(B, INBOUND, ssl=context)
        writer.write(b"GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
        try:
            answer = await reader.read()
            if not answer:
                raise ConnectionResetError
            return answer
        finally:
            writer.close()

    run(scenario())


def test_a_callee_with_another_identity_is_not_called(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, b, app):
            b.renew(folder / "c")
            client = await Client.connect(A, OUTBOUND)
            status, head, _ = await client.get()
            assert status == 503
            assert b"x-hoptax-error: tls-failed\r\n" in head
            assert app.connections == 0
            assert a.telemetry.connections["upstream", "b"].tls_failures == 1
            b.renew(folder / "b")
            assert (await client.get())[0] == 200
            client.close()

    run(scenario())


def test_configuration_changes_while_requests_flow(folder: Path) -> None:
    """The route goes, comes back and moves to an endpoint that isn't there; no connection of a client is closed meanwhile."""

    async def scenario() -> None:
        async with pair(folder) as (a, _, app):
            release = asyncio.Event()
            first = await Client.connect(A, OUTBOUND)
            assert (await first.get())[0] == 200
            default = app.answer

            async def slow(head: bytes) -> bytes:
                await release.wait()
                return await default(head)

            app.answer = slow
            in_flight = asyncio.ensure_future(first.get())
            await until(lambda: a.telemetry.traffic["outbound", "b"].active == 1)
            await a.change(snapshot("a", A))
            second = await Client.connect(A, OUTBOUND)
            assert (await second.get())[0] == 404
            release.set()
            assert (await in_flight)[0] == 200
            assert (await first.get())[0] == 404
            await until(lambda: a.telemetry.connections["upstream", "b"].open == 0)
            await a.change(snapshot("a", A, "127.84.11.99"))
            assert (await first.get())[0] == 503
            await a.change(snapshot("a", A, B))
            assert (await first.get())[0] == (await second.get())[0] == 200
            assert a.telemetry.snapshot_version == 4
            first.close()
            second.close()

    run(scenario())


def test_a_bad_snapshot_changes_nothing(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, _, _):
            good = snapshot("a", A, B)
            for bad in (snapshot("c", A, B), replace(good, admin_port=15099)):
                with pytest.raises(SnapshotError):
                    await a.change(bad)
            client = await Client.connect(A, OUTBOUND)
            assert (await client.get())[0] == 200
            assert a.telemetry.snapshot_version == 1
            client.close()

    run(scenario())


def test_certificates_change_while_requests_flow(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, b, app):
            client = await Client.connect(A, OUTBOUND)
            assert (await client.get())[0] == 200
            a.renew(folder / "a-1")
            b.renew(folder / "b-1")
            assert (await client.get())[0] == 200
            assert app.connections == 1
            await until(lambda: a.telemetry.connections["upstream", "b"].open == 0)
            assert (await client.get())[0] == 200
            assert b.telemetry.connections["downstream", "inbound"].handshakes == 2
            client.close()

    run(scenario())


def test_a_slow_callee_is_cut_by_the_callers_proxy(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, b, app):
            await a.change(replace(snapshot("a", A, B), timeouts=Timeouts(request_s=0.1)))
            forever = asyncio.Event()

            async def never(_: bytes) -> bytes:
                await forever.wait()
                return b""

            app.answer = never
            client = await Client.connect(A, OUTBOUND)
            status, head, _ = await client.get()
            assert status == 504
            assert b"x-hoptax-error: request-timeout\r\n" in head
            await until(lambda: b.telemetry.traffic["inbound", "local"].active == 0)
            assert b.telemetry.traffic["inbound", "local"].status[0] == 1
            forever.set()
            client.close()

    run(scenario())


def test_idle_connections_end(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, _, _):
            await a.change(replace(snapshot("a", A, B), timeouts=Timeouts(idle_s=0.1)))
            client = await Client.connect(A, OUTBOUND)
            assert (await client.get())[0] == 200
            assert await client.reader.read() == b""
            await until(lambda: a.telemetry.connections["upstream", "b"].open == 0)
            client.close()

    run(scenario())


def test_a_drain_lets_requests_finish_and_takes_no_more(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, _, app):
            release, default = asyncio.Event(), app.answer

            async def slow(head: bytes) -> bytes:
                await release.wait()
                return await default(head)

            app.answer = slow
            client, idle = await Client.connect(A, OUTBOUND), await Client.connect(A, OUTBOUND)
            in_flight = asyncio.ensure_future(client.get())
            await until(lambda: a.telemetry.traffic["outbound", "b"].active == 1)
            draining = asyncio.ensure_future(a.proxy.drain(5))
            assert await idle.reader.read() == b""
            with pytest.raises(ConnectionRefusedError):
                await Client.connect(A, OUTBOUND)
            release.set()
            status, head, _ = await in_flight
            assert (status, b"connection: close\r\n" in head) == (200, True)
            await draining
            assert await client.reader.read() == b""
            client.close()
            idle.close()

    run(scenario())


def test_a_drain_ends_in_time_even_if_requests_do_not(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, _, app):
            forever = asyncio.Event()

            async def never(_: bytes) -> bytes:
                await forever.wait()
                return b""

            app.answer = never
            client = await Client.connect(A, OUTBOUND)
            in_flight = asyncio.ensure_future(client.get())
            await until(lambda: a.telemetry.traffic["outbound", "b"].active == 1)
            await a.proxy.drain(0.1)
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await in_flight
            forever.set()
            client.close()

    run(scenario())


def test_large_bodies_pass_whole_both_ways(folder: Path) -> None:
    """Eight megabytes, far more than any buffer on the way, through both proxies at once."""

    async def scenario() -> None:
        async with pair(folder) as (_, b, _):
            size = 8 * 1024 * 1024
            body = bytes(range(256)) * (size // 256)

            async def mirror(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + await reader.readexactly(size))
                await writer.drain()
                writer.close()

            server = await asyncio.start_server(mirror, B, 0, limit=size * 2)
            port = server.sockets[0].getsockname()[1]
            await b.change(snapshot("b", B, app=f"{B}:{port}"))
            client = await Client.connect(A, OUTBOUND)
            client.writer.write(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: %d\r\n\r\n" % size + body)
            status, _, echoed = await client.read()
            assert status == 200
            assert echoed == body
            client.close()
            server.close()

    run(scenario())


def test_pages_of_the_operator(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, _, _):
            client = await Client.connect(A, OUTBOUND)
            await client.get()
            pages = {}
            for port, path in ((ADMIN, "/ready"), (ADMIN, "/config_dump"), (METRICS, "/metrics"), (ADMIN, "/nowhere")):
                page = await Client.connect(A, port)
                page.writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                pages[path] = await page.read()
                page.close()
            assert pages["/ready"][0] == 200
            assert b'"clusters"' in pages["/config_dump"][2]
            assert b"PRIVATE" not in pages["/config_dump"][2]
            assert b'hoptax_requests_total{direction="outbound",cluster="b",code="2xx"} 1\n' in pages["/metrics"][2]
            assert pages["/nowhere"][0] == 404
            assert a.proxy.snapshot is not None
            client.close()

    run(scenario())


def test_the_access_log_has_a_line_per_request_and_is_off_unless_asked_for(folder: Path) -> None:
    async def scenario() -> None:
        async with pair(folder) as (a, _, _):
            client = await Client.connect(A, OUTBOUND)
            await client.get()
            await a.change(replace(snapshot("a", A, B), access_log=True))
            await client.get()
            await client.get("nowhere")
            client.close()
            await a.proxy.drain(1)
            answered, refused = (json.loads(line) for line in b"".join(a.log).splitlines())
            assert answered.pop("duration_us") > 0
            assert answered.pop("time") > 1.7e9
            assert answered.pop("bytes_out") > 50
            assert answered == {
                "direction": "outbound", "method": "GET", "path": "/", "host": "b", "status": 200, "flag": "",
                "bytes_in": 0, "endpoint": f"{B}:{INBOUND}", "peer": "",
            }  # fmt: skip
            assert [refused[key] for key in ("host", "status", "flag", "endpoint")] == ["nowhere", 404, "no-route", ""]

    run(scenario())
