"""gRPC through two real sidecars: client and server are grpcio's, every kind of call, over HTTP/2 and over HTTP/1.1 between the sidecars."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from meshes.builtin.proxy.telemetry import Traffic
from meshes.builtin.snapshot import Spoken
from tests.meshes.builtin.proxy.pair import OUTBOUND, A, B, Client, Node, certificates, snapshot

pytestmark = pytest.mark.system
SAME: Callable[[bytes], bytes] = bytes


def played(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """The test in an event loop of its own."""

    @wraps(test)
    def play(*args: Any, **given: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await test(*args, **given)

        asyncio.run(bounded())

    return play


@pytest.fixture(scope="module")
def identities(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identities")
    certificates(folder, "a", "b")
    return folder


class _Echo(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpcio has no types
    """`/echo/KIND` answers with what it got; `/echo/fail` with a status, `/echo/slow` never."""

    def __init__(self) -> None:
        self.left_s: float | None = None
        self.began = asyncio.Event()
        self.cancelled = asyncio.Event()

    def service(self, details: Any) -> Any:  # Any: grpcio has no types
        kinds = {
            "unary": grpc.unary_unary_rpc_method_handler(self._unary, SAME, SAME),
            "sum": grpc.stream_unary_rpc_method_handler(self._sum, SAME, SAME),
            "repeat": grpc.unary_stream_rpc_method_handler(self._repeat, SAME, SAME),
            "talk": grpc.stream_stream_rpc_method_handler(self._talk, SAME, SAME),
            "fail": grpc.unary_unary_rpc_method_handler(self._fail, SAME, SAME),
            "slow": grpc.unary_unary_rpc_method_handler(self._slow, SAME, SAME),
        }
        return kinds.get(details.method.rpartition("/")[2])

    async def _unary(self, asked: bytes, context: Any) -> bytes:
        await context.send_initial_metadata((("first", "1"),))
        context.set_trailing_metadata((("last", "2"), ("raw-bin", b"\x00\xff")))
        return asked

    async def _sum(self, asked: AsyncIterator[bytes], _: Any) -> bytes:
        return b"".join([each async for each in asked])

    async def _repeat(self, asked: bytes, _: Any) -> AsyncIterator[bytes]:
        for _n in range(int(asked)):
            yield b"x" * 1000

    async def _talk(self, asked: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        async for each in asked:
            yield each.upper()

    async def _fail(self, _asked: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "häßlich %")
        raise AssertionError

    async def _slow(self, asked: bytes, context: Any) -> bytes:
        self.left_s = context.time_remaining()
        self.began.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()
        return asked


Setting = tuple[grpc.aio.Channel, _Echo, Node, Node]


@asynccontextmanager
async def setting(identities: Path, between: Spoken, *, replicas: int = 1) -> AsyncIterator[Setting]:
    """A channel to a's sidecar, and b's server behind b's; `between` is what the sidecars speak."""
    server, echo = grpc.aio.server(), _Echo()
    server.add_generic_rpc_handlers((echo,))
    port = server.add_insecure_port(f"{B}:0")
    await server.start()
    a, b = Node("a", A, identities / "a"), Node("b", B, identities / "b")
    to_b = snapshot("a", A, *[B] * replicas)
    clusters = tuple(replace(cluster, protocol=between) for cluster in to_b.clusters)
    await a.change(replace(to_b, clusters=clusters))
    await b.change(snapshot("b", B, app=f"{B}:{port}"))
    options = (("grpc.default_authority", "b"), ("grpc.enable_http_proxy", 0))
    try:
        async with grpc.aio.insecure_channel(f"{A}:{OUTBOUND}", options) as channel:
            yield channel, echo, a, b
    finally:
        await server.stop(None)
        await a.proxy.drain(0.5)
        await b.proxy.drain(0.5)


def traffic(node: Node) -> Traffic:
    return node.telemetry.traffic_of("outbound", "b")


async def _many(pieces: int) -> AsyncIterator[bytes]:
    for n in range(pieces):
        yield b"%d," % n


BETWEEN = pytest.mark.parametrize("between", ["auto", "http/1.1", "http/2"])


@BETWEEN
@played
async def test_every_kind_of_call(identities: Path, between: Spoken) -> None:
    async with setting(identities, between) as (channel, _, a, b):
        call = channel.unary_unary("/echo/unary")(b"hello")
        assert await call == b"hello"
        assert ("first", "1") in list(await call.initial_metadata())
        assert [*await call.trailing_metadata()] == [("last", "2"), ("raw-bin", b"\x00\xff")]
        big = b"z" * 3_000_000
        assert await channel.unary_unary("/echo/unary")(big) == big
        assert await channel.stream_unary("/echo/sum")(_many(300)) == b"".join([each async for each in _many(300)])
        assert [len(each) async for each in channel.unary_stream("/echo/repeat")(b"500")] == [1000] * 500
        assert traffic(a).grpc == {0: 4}
        assert b.telemetry.traffic_of("inbound", "local").grpc == {0: 4}
        assert a.telemetry.connections_of("upstream", "b").opened == 1


@BETWEEN
@played
async def test_a_conversation_goes_both_ways_at_once(identities: Path, between: Spoken) -> None:
    """Each piece is asked for only after the answer to the one before."""
    async with setting(identities, between) as (channel, _, a, _b):
        call = channel.stream_stream("/echo/talk")()
        for n in range(20):
            await call.write(b"piece %d" % n)
            assert await call.read() == b"PIECE %d" % n
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
        assert await call.code() == grpc.StatusCode.OK
        assert traffic(a).grpc == {0: 1}


@BETWEEN
@played
async def test_a_status_and_its_message_come_through(identities: Path, between: Spoken) -> None:
    async with setting(identities, between) as (channel, _, a, _b):
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await channel.unary_unary("/echo/fail")(b"")
        assert failed.value.code() == grpc.StatusCode.FAILED_PRECONDITION
        assert failed.value.details() == "häßlich %"
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await channel.unary_unary("/nobody/home")(b"")
        assert failed.value.code() == grpc.StatusCode.UNIMPLEMENTED
        assert traffic(a).grpc == {9: 1, 12: 1}


@played
async def test_the_proxys_own_answers_are_grpcs(identities: Path) -> None:
    async with setting(identities, "auto") as (channel, _, a, b):
        await b.proxy.drain(0.0)
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await channel.unary_unary("/echo/unary")(b"")
        assert failed.value.code() == grpc.StatusCode.UNAVAILABLE
        assert failed.value.details() == f"hoptax: the callee refused the connection: {B}:15006"
        assert traffic(a).grpc == {14: 1}


SLOW = (
    b"POST /echo/slow HTTP/1.1\r\nHost: b\r\nContent-Type: application/grpc\r\nTE: trailers\r\ngrpc-timeout: 150m\r\n"
    b"Content-Length: 5\r\n\r\n\0\0\0\0\0"
)


@BETWEEN
@played
async def test_the_callers_patience_is_honoured_by_the_sidecar(identities: Path, between: Spoken) -> None:
    """A caller that waits longer than it says."""
    async with setting(identities, between) as (_, echo, a, _b):
        caller = await Client.connect(A, OUTBOUND)
        caller.writer.write(SLOW)
        _, head, _ = await caller.read()
        assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 4\r\n")
        await asyncio.wait_for(echo.cancelled.wait(), 5)
        assert echo.left_s is not None
        assert traffic(a).grpc == {4: 1}
        caller.close()


@played
async def test_a_call_that_is_given_up_is_given_up_everywhere(identities: Path) -> None:
    async with setting(identities, "auto") as (channel, echo, a, b):
        call = channel.unary_unary("/echo/slow")(b"")
        await asyncio.wait_for(echo.began.wait(), 5)
        assert traffic(a).active == b.telemetry.traffic_of("inbound", "local").active == 1
        call.cancel()
        await asyncio.wait_for(echo.cancelled.wait(), 5)
        assert traffic(a).active == b.telemetry.traffic_of("inbound", "local").active == 0


@played
async def test_calls_over_one_connection_are_spread_over_endpoints(identities: Path) -> None:
    """One client connection; each call is balanced by itself."""
    async with setting(identities, "auto", replicas=1) as (channel, _, a, _b):
        answers = await asyncio.gather(*(channel.unary_unary("/echo/unary")(b"%d" % n) for n in range(150)))
        assert answers == [b"%d" % n for n in range(150)]
        assert a.telemetry.connections_of("downstream", "outbound").opened == 1
        assert a.telemetry.connections_of("upstream", "b").opened <= 2
