"""The gRPC port on which Envoys find their control plane: opened, kept under a valid certificate, closed. Knows no resource."""

import asyncio
import hmac
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from meshes.builtin.control.renewal import AGAIN_S, GIVEN_LIFETIME_S
from meshes.builtin.control.signing import RefusedRequestError, SigningError
from meshes.builtin.control.state import State
from meshes.builtin.control.xds_certificates import Leaves
from meshes.builtin.control.xds_server import Ads, Prove
from meshes.builtin.snapshot import Endpoint
from meshes.identity.names import CONTROL_PLANE

OURS = ("control", CONTROL_PLANE)
GOODBYE_S = 0.5
OPTIONS = (
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.so_reuseport", 0),
)
"""Requests are names and an error at most. An Envoy that vanished is noticed; Envoys may look whether we did (every 30 s).
Two of us never share a port unnoticed."""


@dataclass(frozen=True, slots=True)
class Port:
    """Where to listen, under which certificate at first (`cert.pem` and `key.pem` in `identity`), and for what kind of traffic."""

    where: Endpoint
    identity: Path
    captured: bool


@asynccontextmanager
async def listening(port: Port, state: State, leaves: Leaves, prove: Prove) -> AsyncIterator[None]:
    """Serve as long as the context lasts. OSError: the port is taken."""
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers((Ads(state, leaves, prove, port.captured).handlers(),))
    try:
        server.add_secure_port(str(port.where), credentials(port.identity, leaves))
    except RuntimeError as error:
        raise OSError(f"port {port.where} for xDS can't be opened: {error}") from error
    await server.start()
    keeping = asyncio.ensure_future(keep_certificate(leaves, lambda: state.inputs.leaf_lifetime_s))
    try:
        yield
    finally:
        keeping.cancel()
        await server.stop(GOODBYE_S)


def by_token_of(state: State) -> Prove:
    """The proof of proxies that the mesh's own file names, each with its token; who has none there proves nothing by none."""

    async def proven(name: str, token: str) -> bool:
        proxy = state.inputs.proxies.get(name)
        return proxy is not None and bool(token) and hmac.compare_digest(token.encode(), proxy.token.encode())

    return proven


def credentials(identity: Path, leaves: Leaves) -> Any:  # Any: gRPC has no types
    """New connections get the newest certificate. Clients have none: they prove themselves by a token."""
    given = _certificate((identity / "key.pem").read_bytes(), (identity / "cert.pem").read_bytes())

    def newest() -> Any:  # Any: gRPC has no types
        leaf = leaves.held(OURS)
        return _certificate(leaf.key.encode(), leaf.chain.encode()) if leaf else None

    return grpc.dynamic_ssl_server_credentials(given, newest, require_client_authentication=False)


def _certificate(key: bytes, chain: bytes) -> Any:  # Any: gRPC has no types
    return grpc.ssl_server_certificate_configuration([(key, chain)])


async def keep_certificate(leaves: Leaves, lifetime_s: Callable[[], float]) -> None:
    """For ever: a new one at half-life. A failure is told and tried again, long before the old one ends."""
    wait_s = min(GIVEN_LIFETIME_S, lifetime_s()) / 2
    while True:
        await asyncio.sleep(wait_s)
        try:
            wait_s = max(0.0, leaves.fresh_s(await leaves.leaf(OURS)))
        except (SigningError, RefusedRequestError, OSError) as error:
            print(f"control: no new certificate for the xDS port: {error}", file=sys.stderr)
            wait_s = min(AGAIN_S, lifetime_s() / 10)
