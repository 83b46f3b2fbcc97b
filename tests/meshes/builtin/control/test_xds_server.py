"""The gRPC side of xDS: who may open a stream, how it ends, what is told of it. Clients are gRPC's own; nothing is encrypted here."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from envoy.service.discovery.v3 import discovery_pb2

from meshes.builtin.control import xds_server
from meshes.builtin.control.signing import Signed, Signer, SigningError
from meshes.builtin.control.state import State
from meshes.builtin.control.xds import Kind
from meshes.builtin.control.xds_certificates import Leaves
from meshes.builtin.control.xds_port import by_token_of
from meshes.builtin.control.xds_server import Ads
from meshes.builtin.control.xds_wire import METHOD, SERVICE, URLS
from tests.meshes.builtin.control.inputs import inputs, move_b

NOW_S = 1_800_000_000.0
PATIENCE_S = 10.0


class _Signer:
    """Signs what it is asked, unless it may not."""

    def __init__(self) -> None:
        self.fails = False

    async def request(self, folder: Path, _spiffe_id: str) -> bytes:
        (folder / "key.pem").write_text("key")
        return b"request"

    async def sign(self, _request: bytes, spiffe_id: str, lifetime_s: float) -> Signed:
        if self.fails:
            raise SigningError("the helper is ill")
        return Signed(f"chain of {spiffe_id}", "roots", NOW_S + lifetime_s)


@dataclass
class Talk:
    """One stream of a client."""

    call: Any  # gRPC has no types
    name: str

    async def ask(self, kind: Kind, *names: str, nonce: str = "", error: str = "", node: bool = False) -> None:
        request = discovery_pb2.DiscoveryRequest(type_url=URLS[kind], resource_names=names, response_nonce=nonce)
        if error:
            request.error_detail.message = error
        if node:
            request.node.id = self.name
        await self.call.write(request)

    async def told(self) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await self.call.read()

    async def ended(self) -> tuple[Any, str]:
        async with asyncio.timeout(PATIENCE_S):
            return await self.call.code(), await self.call.details()


@dataclass
class Plane:
    """A running server."""

    state: State
    ads: Ads
    signer: _Signer
    channel: Any

    def open(self, name: str, token: str) -> Talk:
        method = self.channel.stream_stream(
            f"/{SERVICE}/{METHOD}",
            request_serializer=discovery_pb2.DiscoveryRequest.SerializeToString,
            response_deserializer=discovery_pb2.DiscoveryResponse.FromString,
        )
        return Talk(method(metadata=(("authorization", f"Bearer {token}"),) if token else ()), name)


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Plane]:
    state, signer = State(inputs()), _Signer()
    leaves = Leaves(cast("Signer", signer), folder, lambda _name: 3600, lambda: NOW_S)
    ads = Ads(state, leaves, by_token_of(state), captured=False)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((ads.handlers(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Plane(state, ads, signer, channel)
    await server.stop(0)


def with_plane(folder: Path, story: Callable[[Plane], Awaitable[None]]) -> None:
    async def told() -> None:
        async with serving(folder) as plane:
            await story(plane)

    asyncio.run(told())


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.005)


def test_a_stream_is_served_until_the_client_leaves(tmp_path: Path) -> None:
    async def story(plane: Plane) -> None:
        talk = plane.open("a-0", "token-of-a-0")
        await talk.ask(Kind.CLUSTER, node=True)
        first = await talk.told()
        assert first.type_url == URLS[Kind.CLUSTER]
        await talk.ask(Kind.ENDPOINTS, "outbound_b")
        endpoints = await talk.told()
        await talk.ask(Kind.ENDPOINTS, "outbound_b", nonce=endpoints.nonce)
        plane.state.update(inputs(move_b))
        assert (await talk.told()).version_info != endpoints.version_info
        assert plane.state.status["a-0"].connected == 1
        await talk.call.done_writing()
        assert (await talk.ended())[0] is grpc.StatusCode.OK
        await until(lambda: plane.state.status["a-0"].connected == 0)
        assert plane.ads.streams == 0

    with_plane(tmp_path, story)


def test_certificates_come_over_the_stream(tmp_path: Path) -> None:
    async def story(plane: Plane) -> None:
        talk = plane.open("a-0", "token-of-a-0")
        await talk.ask(Kind.SECRET, "own", "trusted", node=True)
        told = await talk.told()
        assert len(told.resources) == 2
        assert b"chain of spiffe://hoptax.local/ns/default/sa/a" in b"".join(each.value for each in told.resources)

    with_plane(tmp_path, story)


def test_what_can_be_told_without_a_certificate_is_told(tmp_path: Path) -> None:
    async def story(plane: Plane) -> None:
        plane.signer.fails = True
        talk = plane.open("a-0", "token-of-a-0")
        await talk.ask(Kind.SECRET, "own", node=True)
        assert not (await talk.told()).resources
        await talk.ask(Kind.CLUSTER)
        assert len((await talk.told()).resources) == 3

    with_plane(tmp_path, story)


def test_a_refusal_is_reported_and_its_end_too(tmp_path: Path) -> None:
    async def story(plane: Plane) -> None:
        talk = plane.open("c-0", "token-of-c-0")
        status = plane.state.status["c-0"]
        await talk.ask(Kind.CLUSTER, node=True)
        nonce = (await talk.told()).nonce
        await talk.ask(Kind.CLUSTER, nonce=nonce, error="x" * 10_000)
        await until(lambda: status.error.startswith("cds: xxx"))
        assert len(status.error) <= 500
        assert (status.acked, status.sent) == (0, plane.state.snapshots["c-0"].version)
        await talk.ask(Kind.CLUSTER, nonce=nonce)
        nonce = (await talk.told()).nonce
        await talk.ask(Kind.CLUSTER, nonce=nonce)
        await talk.ask(Kind.LISTENER)
        await talk.ask(Kind.LISTENER, nonce=(await talk.told()).nonce)
        await until(lambda: status.acked == plane.state.snapshots["c-0"].version)
        assert not status.error

    with_plane(tmp_path, story)


@pytest.mark.parametrize(
    ("name", "token", "code"),
    [
        ("a-0", "", grpc.StatusCode.UNAUTHENTICATED),
        ("a-0", "token-of-b-0", grpc.StatusCode.UNAUTHENTICATED),
        ("x-0", "token-of-a-0", grpc.StatusCode.UNAUTHENTICATED),
        ("", "token-of-a-0", grpc.StatusCode.UNAUTHENTICATED),
    ],
)
def test_who_cannot_prove_its_name_gets_nothing(tmp_path: Path, name: str, token: str, code: Any) -> None:
    async def story(plane: Plane) -> None:
        talk = plane.open(name, token)
        await talk.ask(Kind.CLUSTER, node=True)
        assert (await talk.ended())[0] is code
        assert plane.state.status["a-0"].connected == 0

    with_plane(tmp_path, story)


def test_a_proxy_without_a_token_is_not_proven_by_an_empty_one() -> None:
    given = inputs()
    tokenless = {name: replace(proxy, token="") for name, proxy in given.proxies.items()}

    async def proven() -> bool:
        return await by_token_of(State(replace(given, proxies=tokenless)))("a-0", "")

    assert not asyncio.run(proven())


def test_a_kind_that_is_not_served_ends_the_stream(tmp_path: Path) -> None:
    async def story(plane: Plane) -> None:
        talk = plane.open("a-0", "token-of-a-0")
        request = discovery_pb2.DiscoveryRequest(type_url="type.googleapis.com/other")
        request.node.id = "a-0"
        await talk.call.write(request)
        code, details = await talk.ended()
        assert (code, "other" in details) == (grpc.StatusCode.INVALID_ARGUMENT, True)

    with_plane(tmp_path, story)


def test_a_proxy_that_is_no_longer_ours_is_sent_away(tmp_path: Path) -> None:
    async def story(plane: Plane) -> None:
        talk = plane.open("c-0", "token-of-c-0")
        await talk.ask(Kind.CLUSTER, node=True)
        await talk.told()
        plane.state.update(inputs(lambda made: made["proxies"].pop("c-0")))
        assert (await talk.ended())[0] is grpc.StatusCode.OK
        again = plane.open("c-0", "token-of-c-0")
        await again.ask(Kind.CLUSTER, node=True)
        assert (await again.ended())[0] is grpc.StatusCode.UNAUTHENTICATED

    with_plane(tmp_path, story)


def test_streams_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xds_server, "MAX_STREAMS", 1)

    async def story(plane: Plane) -> None:
        talk = plane.open("a-0", "token-of-a-0")
        await talk.ask(Kind.CLUSTER, node=True)
        await talk.told()
        assert (await plane.open("a-0", "token-of-a-0").ended())[0] is grpc.StatusCode.RESOURCE_EXHAUSTED

    with_plane(tmp_path, story)


def test_two_streams_of_one_proxy_do_not_disturb_each_other(tmp_path: Path) -> None:
    async def story(plane: Plane) -> None:
        old, new = plane.open("a-0", "token-of-a-0"), plane.open("a-0", "token-of-a-0")
        for talk in (old, new):
            await talk.ask(Kind.ENDPOINTS, "outbound_b", node=True)
            await talk.ask(Kind.ENDPOINTS, "outbound_b", nonce=(await talk.told()).nonce)
        old.call.cancel()
        await until(lambda: plane.state.status["a-0"].connected == 1)
        plane.state.update(inputs(move_b))
        assert (await new.told()).type_url == URLS[Kind.ENDPOINTS]

    with_plane(tmp_path, story)
