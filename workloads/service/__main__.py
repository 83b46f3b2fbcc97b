"""`python -m workloads.service service.json`: one replica, until SIGTERM."""

import asyncio
import gc
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import uvloop

from harness.wire.pool import Pool
from harness.wire.server import Handler, ServerConnection
from workloads.service.config import Config, load
from workloads.service.observe import Doors, Observe
from workloads.service.recorder import Recorder
from workloads.service.visit import App
from workloads.service.work import Sleeper, late_clock

BACKLOG = 1024
DRAIN_S = 1.0


async def serve(config: Config) -> None:
    """Listen on the app, front and observe ports; end on SIGTERM when requests in hand are answered, or after DRAIN_S."""
    loop = asyncio.get_running_loop()
    pools: dict[tuple[str, int], Pool] = {}

    def pool(host: str, port: int) -> Pool:
        found = pools.get((host, port))
        if found is None:
            found = pools[host, port] = Pool(loop, host, port, config.timeouts)
        return found

    chance = random.Random(f"{config.service} {config.replica}")  # noqa: S311 - reproducible chances, not secrets
    app = App(config, Recorder(), Sleeper(loop), pool, chance)
    doors, front = Doors(), Doors()
    clock = late_clock(config.receive_delay_ns) if config.receive_delay_ns else time.monotonic_ns
    servers = [await _listen(config.address, config.app_port, app.handle, doors, clock)]
    if config.front_port:
        servers.append(await _listen(config.address, config.front_port, app.handle, front, clock))
    servers.append(await _listen(config.address, config.observe_port, Observe(app, doors, pools).handle, Doors()))
    gc.collect()
    gc.freeze()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    for server in servers:
        server.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            await asyncio.gather(doors.drain(), front.drain())


async def _listen(
    address: str, port: int, handler: Handler, doors: Doors, clock: Callable[[], int] = time.monotonic_ns
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(
            lambda: ServerConnection(handler, doors.opened, doors.closed, clock), address, port, backlog=BACKLOG
        )
    except OSError as error:
        sys.exit(f"the service can't listen on {address}:{port}: {error.strerror or error}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m workloads.service service.json")
    uvloop.run(serve(load(Path(sys.argv[1]))))
