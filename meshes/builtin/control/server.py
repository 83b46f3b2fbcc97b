"""Puts the control plane together: two ports, the file it follows, its own certificate. The only place that opens sockets."""

import asyncio
import gc
import signal
import ssl
import time
from asyncio import sslproto
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from meshes.builtin.control.api import Api
from meshes.builtin.control.follow import follow, read_file, stamp
from meshes.builtin.control.http import (
    MAX_HEAD_BYTES,
    PATIENCE_S,
    Handler,
    RefusedError,
    Request,
    Server,
    Writer,
    answer,
)
from meshes.builtin.control.renewal import keep_certificate, server_context
from meshes.builtin.control.signing import Signer
from meshes.builtin.control.state import State
from meshes.builtin.reading import Section
from meshes.builtin.snapshot import Endpoint

TLS_BUFFER_BYTES = 16 * 1024
"""Of each connection, for as long as it is open; asyncio's 256 KiB would be most of what a watching proxy costs here."""


@dataclass(frozen=True, slots=True)
class XdsSettings:
    """The port for Envoys; `captured` says whether the kernel redirects their traffic to them."""

    port: int
    captured: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the control plane lives; `identity` is a folder with `cert.pem`, `key.pem`, `ca.pem`. Without `xds` no Envoy is served."""

    address: str
    port: int
    admin_port: int
    mesh: Path
    identity: Path
    authority: Path
    folder: Path
    xds: XdsSettings | None = None


def read_settings(document: object, folder: Path) -> Settings:
    """The value of control.json, which lies in `folder`; SnapshotError says what is wrong with it."""
    with Section("control", document) as section:
        return Settings(
            address=section.text("address"),
            port=section.port("port"),
            admin_port=section.port("admin_port"),
            mesh=Path(section.path("mesh")),
            identity=Path(section.path("identity")),
            authority=Path(section.path("authority")),
            folder=folder,
            xds=_xds(section.section("xds")) if section.has("xds") else None,
        )


def _xds(section: Section) -> XdsSettings:
    with section as read:
        return XdsSettings(read.port("port"), read.flag("captured"))


async def serve(settings: Settings) -> None:
    """Until SIGTERM or SIGINT. SnapshotError: the mesh's file is wrong; OSError: a port is taken, a file missing."""
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, over.set)
    seen = stamp(settings.mesh)
    state = State(read_file(settings.mesh))
    signer, context = Signer(settings.authority), server_context(settings.identity)
    sslproto.SSLProtocol.max_size = TLS_BUFFER_BYTES
    wall_s = time.time  # noqa: TID251 - certificates are dated by it
    api = Api(state, signer, wall_s)
    proxies = await _listen(settings, settings.port, api.handle, context)
    xds = await _open_xds(settings, state, signer, wall_s)
    admin = await _listen(settings, settings.admin_port, Admin(state).handle, None)
    gc.freeze()
    keeps = keep_certificate(
        context, signer, settings.folder / "identity", lambda: state.inputs.leaf_lifetime_s, wall_s
    )
    async with xds, asyncio.TaskGroup() as group:
        following = group.create_task(follow(settings.mesh, state, seen))
        keeping = group.create_task(keeps)
        await over.wait()
        following.cancel()
        keeping.cancel()
    for server in (proxies, admin):
        server.close()


async def _open_xds(settings: Settings, state: State, signer: Signer, wall_s: Callable[[], float]) -> AsyncExitStack:
    """Whatever it needs is loaded only where it is asked for: gRPC is half of this program's memory."""
    opened = AsyncExitStack()
    if settings.xds is not None:
        from meshes.builtin.control import xds_port  # noqa: PLC0415
        from meshes.builtin.control.xds_certificates import Leaves  # noqa: PLC0415

        leaves = Leaves(signer, settings.folder / "keys", state.lifetime_s, wall_s)
        where = Endpoint(settings.address, settings.xds.port)
        port = xds_port.Port(where, settings.identity, settings.xds.captured)
        await opened.enter_async_context(xds_port.listening(port, state, leaves, xds_port.by_token_of(state)))
    return opened


async def _listen(settings: Settings, port: int, handler: Handler, context: ssl.SSLContext | None) -> asyncio.Server:
    handshake_s = PATIENCE_S if context else None
    return await asyncio.start_server(
        Server(handler), settings.address, port, limit=MAX_HEAD_BYTES, ssl=context, ssl_handshake_timeout=handshake_s
    )


class Admin:
    """Plain HTTP on the control plane's own address: is it ready, and how far is each proxy."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, request: Request, writer: Writer) -> None:
        """Route by method and path."""
        match request.method, request.path:
            case "GET", "/ready":
                answer(writer, 200, {})
            case "GET", "/status":
                answer(writer, 200, self._state.document())
            case _:
                raise RefusedError(404, "have GET /ready, GET /status")
