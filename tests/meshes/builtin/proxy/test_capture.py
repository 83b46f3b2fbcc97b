"""A proxy to which connections are redirected: each goes where it was meant to, and those of the mesh go there by mutual TLS."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from meshes.builtin.proxy import capture
from meshes.builtin.snapshot import Captured, Endpoint, Snapshot, SnapshotError
from tests.meshes.builtin.proxy.pair import INBOUND, OUTBOUND, App, Client, Node, certificates, closed, snapshot

A, B = "127.84.14.1", "127.84.14.2"
VIRTUAL = Endpoint("198.18.1.1", 8080)


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identities")
    certificates(folder, "a-0", "b-0")
    return folder


class Kernel:
    """Where connections are said to have been going; "" of a port: straight to the proxy."""

    def __init__(self) -> None:
        self.meant: dict[str, Endpoint | None] = {}

    def destination(self, transport: asyncio.BaseTransport) -> Endpoint | None:
        return self.meant.get(transport.get_extra_info("sockname")[0])


class Scene:
    def __init__(self, kernel: Kernel, a: Node, b: Node, app: App) -> None:
        self.kernel, self.a, self.b, self.app = kernel, a, b, app

    async def get(self, host: str = "whatever") -> tuple[int, bytes, bytes]:
        """One request of a's app, whose name nobody looks at."""
        client = await Client.connect(A, OUTBOUND)
        try:
            return await client.get(host)
        finally:
            client.writer.close()


def captured(name: str, address: str, app: App, *endpoints: str) -> Snapshot:
    made = snapshot(name, address, *endpoints, app=f"{B}:{app.port}")
    return replace(made, captured=Captured({str(VIRTUAL): "b"} if endpoints else {}))


@asynccontextmanager
async def scene(kernel: Kernel, identities: Path) -> AsyncIterator[Scene]:
    app = App()
    await app.start(B)
    a, b = Node("a", A, identities / "a-0"), Node("b", B, identities / "b-0")
    await a.change(captured("a", A, app, B))
    await b.change(captured("b", B, app))
    try:
        async with asyncio.timeout(20):
            yield Scene(kernel, a, b, app)
    finally:
        for node in (a, b):
            await node.proxy.drain(0.5)
        app.stop()
        await closed()


def play(identities: Path, patching: pytest.MonkeyPatch, script: Callable[[Scene], Awaitable[None]]) -> None:
    kernel = Kernel()
    patching.setattr(capture, "destination", kernel.destination)

    async def run() -> None:
        async with scene(kernel, identities) as made:
            await script(made)

    asyncio.run(run())


def test_a_services_address_decides_and_not_the_host_that_is_named(
    identities: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(made: Scene) -> None:
        made.kernel.meant = {A: VIRTUAL, B: Endpoint(B, made.app.port)}
        status, _, body = await made.get()
        assert status == 200
        assert b"x-forwarded-client-cert: URI=spiffe://hoptax.local/ns/default/sa/a" in body

    play(identities, monkeypatch, script)


def test_one_endpoint_that_is_asked_for_by_its_address_is_reached_by_mutual_tls_too(
    identities: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(made: Scene) -> None:
        made.kernel.meant = {A: Endpoint(B, INBOUND), B: None}
        status, _, body = await made.get()
        assert status == 200
        assert b"x-forwarded-client-cert" in body

    play(identities, monkeypatch, script)


def test_what_the_mesh_does_not_know_is_passed_on_as_it_is(identities: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(made: Scene) -> None:
        made.kernel.meant = {A: Endpoint(B, made.app.port)}
        status, _, body = await made.get("b")
        assert status == 200
        assert b"via:" not in body

    play(identities, monkeypatch, script)


def test_a_connection_straight_to_the_proxy_is_routed_by_its_host(
    identities: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(made: Scene) -> None:
        assert (await made.get("b"))[0] == 200
        assert (await made.get("c"))[0] == 404

    play(identities, monkeypatch, script)


@pytest.mark.parametrize("port", [15000, 15001, 15090])
def test_the_proxys_own_ports_are_not_the_apps(identities: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    async def script(made: Scene) -> None:
        made.kernel.meant = {A: VIRTUAL, B: Endpoint(B, port)}
        assert (await made.get())[0] == 503

    play(identities, monkeypatch, script)


def test_a_plain_client_is_refused(identities: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def script(made: Scene) -> None:
        made.kernel.meant = {B: Endpoint(B, made.app.port)}
        client = await Client.connect(B, INBOUND)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await client.get()
        client.writer.close()
        assert made.app.connections == 0

    play(identities, monkeypatch, script)


def test_a_service_that_goes_away_is_forgotten_and_capture_can_not_be_switched(
    identities: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def script(made: Scene) -> None:
        made.kernel.meant = {A: VIRTUAL}
        client = await Client.connect(A, OUTBOUND)
        assert (await client.get())[0] == 200
        await made.a.change(captured("a", A, made.app))
        assert (await client.get())[0] == 404
        client.writer.close()
        with pytest.raises(SnapshotError, match="captured"):
            await made.a.change(snapshot("a", A, app=f"{B}:{made.app.port}"))

    play(identities, monkeypatch, script)


@pytest.mark.parametrize("meant", [VIRTUAL, Endpoint(B, INBOUND)])
def test_an_open_connection_to_what_was_away_for_a_while_is_served_again(
    identities: Path, monkeypatch: pytest.MonkeyPatch, meant: Endpoint
) -> None:
    async def script(made: Scene) -> None:
        made.kernel.meant = {A: meant, B: Endpoint(B, made.app.port)}
        client = await Client.connect(A, OUTBOUND)
        statuses = [(await client.get("b"))[0]]
        for endpoints in ((), (), (B,)):
            await made.a.change(captured("a", A, made.app, *endpoints))
            statuses.append((await client.get("b"))[0])
        client.writer.close()
        assert statuses == [200, 404, 404, 200]

    play(identities, monkeypatch, script)
