"""xDS over gRPC (ADS, state of the world): one stream per Envoy, told apart by its token. Decides who may; what to send is elsewhere."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc

from meshes.builtin.control.api import MAX_ERROR_CHARACTERS
from meshes.builtin.control.renewal import AGAIN_S
from meshes.builtin.control.signing import RefusedRequestError, SigningError
from meshes.builtin.control.state import State
from meshes.builtin.control.xds import Answer, Asked, Stream, World
from meshes.builtin.control.xds_certificates import Leaves
from meshes.builtin.control.xds_wire import METHOD, SERVICE, ImpossibleResourceError, WrongRequestError, read, write
from meshes.builtin.control.xds_world import Leaf, world
from meshes.builtin.snapshot import Snapshot

MAX_STREAMS = 1000
FIRST_WORD_S = 5.0
"""How long a client may take to say who it is."""
LOOK_AGAIN_S = 60.0
"""Where nothing has to be done by a certain time."""

Prove = Callable[[str, str], Awaitable[bool]]
"""Whether that token is the one of the proxy of that name."""
Context = Any  # grpc.aio.ServicerContext, which has no types


@dataclass(slots=True)
class Ads:
    """The handler of all streams. `captured` says whether the kernel redirects the traffic of these Envoys to them."""

    state: State
    leaves: Leaves
    prove: Prove
    captured: bool
    streams: int = 0

    def handlers(self) -> Any:  # Any: gRPC has no types
        """What a gRPC server is given. Messages are bytes here: reading and writing them is decided elsewhere."""
        return grpc.method_handlers_generic_handler(
            SERVICE, {METHOD: grpc.stream_stream_rpc_method_handler(self.serve)}
        )

    async def serve(self, _requests: object, context: Context) -> None:
        """One stream, from its first request to its end."""
        if self.streams >= MAX_STREAMS:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MAX_STREAMS} streams are open: no more are taken"
            )
        self.streams += 1
        try:
            await self._serve(context)
        except (WrongRequestError, ImpossibleResourceError) as error:
            print(f"control: an xDS stream ends: {error}", file=sys.stderr)
            ours = isinstance(error, ImpossibleResourceError)
            code = grpc.StatusCode.INTERNAL if ours else grpc.StatusCode.INVALID_ARGUMENT
            await context.abort(code, str(error))
        finally:
            self.streams -= 1

    async def _serve(self, context: Context) -> None:
        name, asked = await self._opening(context)
        if name not in self.state.snapshots:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no proxy is named {name!r:.60}")
        status = self.state.status[name]
        status.connected += 1
        try:
            await Conversation(self, name, context).hold(asked)
        finally:
            status.connected -= 1

    async def _opening(self, context: Context) -> tuple[str, Asked]:
        """Who is there, proven, and the first request."""
        try:
            async with asyncio.timeout(FIRST_WORD_S):
                first = await context.read()
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, f"no request within {FIRST_WORD_S:g} s")
        if first is grpc.aio.EOF:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the stream has no request")
        name, asked = read(first)
        if not await self.prove(name, bearer(context.invocation_metadata() or ())):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, f"no token for a proxy named {name!r:.60}")
        return name, asked


@dataclass(slots=True)
class Conversation:
    """What is said on one stream: requests and changes come in, one after the other, and answers go out."""

    ads: Ads
    name: str
    context: Context
    version: int = 0

    async def hold(self, first: Asked) -> None:
        """Until the client leaves, or its proxy is no longer ours."""
        stream = Stream(await self._world())
        await self._say(stream, stream.asked(first))
        reading, changing = self._read(), self._change()
        either: set[asyncio.Future[Any]]  # Any: bytes and nothing
        try:
            while self.name in self.ads.state.snapshots:
                either = {reading, changing}
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    if (request := reading.result()) is grpc.aio.EOF:
                        return
                    await self._say(stream, stream.asked(read(request)[1]))
                    reading = self._read()
                if changing.done() and self.name in self.ads.state.snapshots:
                    changing.result()
                    await self._say(stream, stream.offered(await self._world()))
                    changing = self._change()
        finally:
            reading.cancel()
            changing.cancel()

    def _read(self) -> "asyncio.Future[bytes]":
        future: asyncio.Future[bytes] = asyncio.ensure_future(self.context.read())
        return future

    def _change(self) -> "asyncio.Future[None]":
        """When there is another snapshot, or the certificate is to be renewed (or tried again, after it couldn't be made)."""
        held = self.ads.leaves.held(self._holder())
        fresh_s = self.ads.leaves.fresh_s(held) if held else 0.0
        snapshot = self.ads.state.snapshots.get(self.name)
        within_s = AGAIN_S if snapshot is not None and is_encrypted(snapshot) else LOOK_AGAIN_S
        within_s = fresh_s if fresh_s > 0 else within_s
        return asyncio.ensure_future(self.ads.state.changed(self.name, self.version, within_s))

    async def _say(self, stream: Stream, answers: list[Answer]) -> None:
        for answer in answers:
            await self.context.write(write(answer))
        status = self.ads.state.status.get(self.name)
        if status is None:
            return
        if answers:
            status.sent = self.version
        refused = "; ".join(f"{kind.value}: {why}" for kind, why in stream.refusals().items())
        if refused or stream.in_force():
            self.ads.state.acknowledged(self.name, self.version, refused[:MAX_ERROR_CHARACTERS])

    async def _world(self) -> World:
        snapshot = self.ads.state.snapshots[self.name]
        self.version = snapshot.version
        return world(snapshot, await self._leaf(snapshot), captured=self.ads.captured)

    async def _leaf(self, snapshot: Snapshot) -> Leaf | None:
        """The one it has is good for half its life after a failure to make the next."""
        if not is_encrypted(snapshot):
            return None
        try:
            return await self.ads.leaves.leaf(self._holder())
        except (SigningError, RefusedRequestError, OSError) as error:
            print(f"control: no certificate for {self.name}: {error}", file=sys.stderr)
            return self.ads.leaves.held(self._holder())

    def _holder(self) -> tuple[str, str]:
        return self.name, self.ads.state.identity(self.name) or ""


def is_encrypted(snapshot: Snapshot) -> bool:
    """Whether its Envoy needs a certificate."""
    return snapshot.inbound.mtls or any(cluster.mtls for cluster in snapshot.clusters)


def bearer(metadata: Any) -> str:  # Any: gRPC's pairs of text or bytes
    """The token in a stream's metadata, "" without one."""
    for key, value in metadata:
        scheme, _, token = str(value).partition(" ")
        if key == "authorization" and scheme.lower() == "bearer":
            return token.strip()
    return ""
