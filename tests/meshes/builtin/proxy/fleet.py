"""A real proxy in front of several real apps, in one event loop and in the clear: where requests go is seen by who answers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import uvloop

from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.server import Proxy
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.snapshot import Cluster, Endpoint, Inbound, Outbound, Snapshot, Timeouts
from tests.meshes.builtin.proxy.pair import App, Client, closed

PROXY, APPS = "127.84.12.100", "127.84.12.1"


def run(scenario: Coroutine[Any, Any, None]) -> None:  # Any: as asyncio has it
    uvloop.run(scenario)


def answering(status: int, fields: bytes = b"") -> Callable[[bytes], Coroutine[Any, Any, bytes]]:
    """An app's answer to everything."""

    async def answer(_: bytes) -> bytes:
        return b"HTTP/1.1 %d X\r\n%bContent-Length: 0\r\n\r\n" % (status, fields)

    return answer


class Fleet:
    """`apps` serve the cluster b in that order; `served` counts the requests of each by its place."""

    def __init__(self, apps: list[App]) -> None:
        self.apps = apps
        self.served = Counter[int]()
        self.clients: list[Client] = []
        self.telemetry = Telemetry()
        loop = asyncio.get_running_loop()
        self.proxy = Proxy(PROXY, "spiffe://hoptax/a", Credentials(), self.telemetry, loop, lambda _: None)
        for place, app in enumerate(apps):
            app.answer = self.serving(place)

    def serving(self, place: int) -> Callable[[bytes], Coroutine[Any, Any, bytes]]:
        """200 with the app's place as body."""

        async def answer(_: bytes) -> bytes:
            self.served[place] += 1
            return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % place

        return answer

    def endpoint(self, place: int) -> Endpoint:
        return Endpoint(APPS, self.apps[place].port)

    async def change(self, timeouts: Timeouts | None = None, **cluster: Any) -> None:  # Any: settings of Cluster
        """The cluster is that from now on; its endpoints are all apps unless told otherwise."""
        former = self.proxy.snapshot
        where = cluster.pop("endpoints", tuple(map(self.endpoint, range(len(self.apps)))))
        snapshot = Snapshot(
            version=1,
            spiffe_id="spiffe://hoptax/a",
            trust_domain="hoptax",
            inbound=Inbound(Endpoint(APPS, 9), mtls=False),
            outbound=Outbound({"b": "b"}),
            clusters=(Cluster("b", where, mtls=False, **cluster),),
            timeouts=timeouts or Timeouts(),
        )
        assert Snapshot.from_json(snapshot.to_json()) == snapshot, "it has to survive its way to the proxy"
        await self.proxy.apply(replace(snapshot, version=former.version + 1 if former else 1))

    async def client(self) -> Client:
        """A connection to the proxy; it is closed with the fleet."""
        self.clients.append(client := await Client.connect(PROXY, 15001))
        return client

    def counted(self, metric: str) -> int:
        """What `/metrics` says of the cluster."""
        name = f'hoptax_{metric}{{cluster="b"}} '
        return next(
            int(line.removeprefix(name)) for line in self.telemetry.text().splitlines() if line.startswith(name)
        )


@asynccontextmanager
async def fleet(apps: int, **settings: Any) -> AsyncIterator[Fleet]:  # Any: as `change` takes them
    """So many apps behind one proxy."""
    started = [App() for _ in range(apps)]
    for app in started:
        await app.start(APPS)
    found = Fleet(started)
    await found.change(**settings)
    try:
        yield found
    finally:
        for client in found.clients:
            client.close()
        await found.proxy.drain(0.5)
        for app in started:
            app.stop()
        await closed()
