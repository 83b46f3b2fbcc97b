"""Two real proxies in one event loop, between a client and an app: sockets and mutual TLS on loopback, certificates made here."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.server import Proxy
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.snapshot import Cluster, Endpoint, Inbound, Outbound, Snapshot
from meshes.identity.names import CONTROL_PLANE, TRUST_DOMAIN, spiffe_id

A, B = "127.84.11.1", "127.84.11.2"
OUTBOUND, INBOUND, METRICS, ADMIN = 15001, 15006, 15090, 15000


def certificates(folder: Path, *names: str) -> None:
    """An authority, and identities in `folder/NAME`."""
    base = [sys.executable, "-m", "meshes.identity"]
    subprocess.run([*base, "authority", str(folder / "authority")], check=True)
    wanted = [f"{name}={CONTROL_PLANE if name == 'control' else spiffe_id(name.partition('-')[0])}" for name in names]
    subprocess.run(
        [*base, "issue", "--authority", str(folder / "authority"), "--out", str(folder), *wanted], check=True
    )


def snapshot(name: str, address: str, *endpoints: str, app: str = "127.0.0.1:9") -> Snapshot:
    """`name` may call b at `endpoints`."""
    host, _, port = app.rpartition(":")
    return Snapshot(
        version=1,
        spiffe_id=spiffe_id(name),
        trust_domain=TRUST_DOMAIN,
        inbound=Inbound(Endpoint(host, int(port))),
        outbound=Outbound({"b": "b"} if endpoints else {}, OUTBOUND),
        clusters=(Cluster("b", tuple(Endpoint(each, INBOUND) for each in endpoints), (spiffe_id("b"),)),)
        if endpoints
        else (),
    )


class Node:
    """One proxy and what it is made of."""

    def __init__(self, name: str, address: str, identity: Path) -> None:
        self.identity = identity
        self.credentials = Credentials()
        self.telemetry = Telemetry()
        self.log: list[bytes] = []
        self.renew(identity)
        self.proxy = Proxy(
            address, spiffe_id(name), self.credentials, self.telemetry, asyncio.get_running_loop(), self.log.append
        )

    def renew(self, identity: Path) -> None:
        self.credentials.replace(identity / "cert.pem", identity / "key.pem", (identity / "ca.pem").read_text())

    async def change(self, to: Snapshot) -> None:
        former = self.proxy.snapshot
        await self.proxy.apply(replace(to, version=former.version + 1 if former else 1))


Answer = Callable[[bytes], Awaitable[bytes]]


async def echo(head: bytes) -> bytes:
    """200 with the request's head as body."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(head) + head


class App:
    """Answers requests without body, over connections that stay; counts connections."""

    def __init__(self) -> None:
        self.answer: Answer = echo
        self.connections = 0
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> None:
        self._server = await asyncio.start_server(self._connected, address, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(await self.answer(head))
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


class Client:
    """One connection to a proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, address: str, port: int) -> "Client":
        return cls(*await asyncio.open_connection(address, port))

    async def get(self, host: str = "b") -> tuple[int, bytes, bytes]:
        """Status, head, body."""
        self.writer.write(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % host.encode())
        return await self.read()

    async def read(self) -> tuple[int, bytes, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        return int(head[9:12]), head, await self.reader.readexactly(length)

    def close(self) -> None:
        self.writer.close()


@asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[tuple[Node, Node, App]]:
    """a's proxy, b's proxy and b's app; a calls b."""
    app = App()
    await app.start(B)
    a, b = Node("a", A, folder / "a"), Node("b", B, folder / "b")
    await a.change(snapshot("a", A, B))
    await b.change(snapshot("b", B, app=f"{B}:{app.port}"))
    try:
        yield a, b, app
    finally:
        await a.proxy.drain(0.5)
        await b.proxy.drain(0.5)
        app.stop()
        await closed()


async def closed() -> None:
    """Lets transports finish, so that no socket outlives its test."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(condition: Callable[[], bool], within_s: float = 5.0) -> None:
    """Waits for a condition; AssertionError after the deadline."""
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110 - counters of the proxy have no event
            await asyncio.sleep(0.005)
