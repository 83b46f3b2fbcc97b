"""`python -m meshes.builtin.control control.json`: the control plane, until SIGTERM.

control.json: `{"address", "port", "admin_port", "mesh": FILE, "identity": FOLDER, "authority": FOLDER}`. The mesh's file is read
again when it changes; one that is wrong is refused, told at `/status`, and the last good one stays.
"""

import asyncio
import gc
import json
import signal
import ssl
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from meshes.builtin.control.api import Api
from meshes.builtin.control.http import RefusedError, Request, Stream, answer, serve_with
from meshes.builtin.control.model import Inputs, read
from meshes.builtin.control.signing import Signer
from meshes.builtin.control.state import State
from meshes.builtin.snapshot import SnapshotError

LOOK_EVERY_S = 0.2
HELPERS = 2


async def serve(document: dict[str, Any]) -> None:  # Any: JSON values
    """Listen on both ports, follow the mesh's file, end on SIGTERM."""
    mesh = Path(document["mesh"])
    state = State(_read(mesh))
    api = Api(state, Signer(Path(document["authority"]), asyncio.Semaphore(HELPERS)))
    address = document["address"]
    tls = _tls(Path(document["identity"]))
    proxies = await asyncio.start_server(
        serve_with(api.handle), address, document["port"], ssl=tls, ssl_handshake_timeout=5
    )
    admin = await asyncio.start_server(serve_with(_Admin(state).handle), address, document["admin_port"])
    gc.freeze()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    follower = asyncio.ensure_future(_follow(mesh, state))
    await ended.wait()
    follower.cancel()
    for server in (proxies, admin):
        server.close()


def _tls(identity: Path) -> ssl.SSLContext:
    """TLS 1.3; a client's certificate is asked for and verified if given, since the first request can't have one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity / "cert.pem", identity / "key.pem")
    context.load_verify_locations(identity / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    return context


async def _follow(mesh: Path, state: State) -> None:
    """Looks at the file's time and size: works on every file system, and costs nothing five times a second."""
    seen = _stamp(mesh)
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        if (now := _stamp(mesh)) == seen:
            continue
        seen = now
        try:
            state.update(_read(mesh))
        except (OSError, UnicodeDecodeError, SnapshotError) as error:
            state.input_error = str(error)
            print(f"the new mesh file is refused, the last good one stays: {error}", file=sys.stderr)


def _read(mesh: Path) -> Inputs:
    return read(mesh.read_text())


def _stamp(path: Path) -> tuple[int, int, int]:
    with suppress(OSError):
        found = path.stat()
        return found.st_mtime_ns, found.st_size, found.st_ino
    return 0, 0, 0


class _Admin:
    """Plain HTTP on the control plane's own address: is it ready, and how far is each proxy."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def handle(self, request: Request, writer: Stream) -> None:
        match request.method, request.path:
            case "GET", "/ready":
                answer(writer, 200, {})
            case "GET", "/status":
                answer(writer, 200, self._state.document())
            case _:
                raise RefusedError(404, "have GET /ready, GET /status")


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_text())))
