"""`python -m meshes.builtin.proxy bootstrap.json`, or `--inline JSON FOLDER`: runs one proxy until SIGTERM. Does nothing but put the parts together.

Exit codes: 0 after a drain, 2 wrong use or a bad file, 4 a port that is taken or another failure of the machine.
"""

import asyncio
import gc
import os
import signal
import ssl
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvloop

from meshes.builtin.proxy.balancing import fraction, seeded
from meshes.builtin.proxy.bootstrap import Bootstrap, Files, Source, parse_bootstrap, read_bootstrap
from meshes.builtin.proxy.control import ControlPlane
from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.enrolment import Enrolment
from meshes.builtin.proxy.server import PortTakenError, Proxy
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.proxy.watch import Watch
from meshes.builtin.snapshot import Snapshot, SnapshotError


async def run(bootstrap: Bootstrap) -> None:
    """A proxy's whole life."""
    loop, telemetry, credentials = asyncio.get_running_loop(), Telemetry(), Credentials()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    proxy = Proxy(
        bootstrap.address, bootstrap.spiffe_id, credentials, telemetry, loop, partial(os.write, sys.stdout.fileno())
    )
    if isinstance(bootstrap.source, Files):
        await _obey_files(bootstrap, bootstrap.source, proxy, credentials)
        _quieten_collector()
        await over.wait()
    else:
        await _obey_control_plane(bootstrap, bootstrap.source, proxy, credentials, telemetry, over)
    await proxy.drain(bootstrap.drain_s)


async def _obey_files(bootstrap: Bootstrap, files: Files, proxy: Proxy, credentials: Credentials) -> None:
    credentials.replace(files.cert, files.key, bootstrap.bundle)
    await proxy.apply(Snapshot.from_json(files.snapshot.read_bytes()))


async def _obey_control_plane(
    bootstrap: Bootstrap,
    source: Source,
    proxy: Proxy,
    credentials: Credentials,
    telemetry: Telemetry,
    over: asyncio.Event,
) -> None:
    """Certificate first, then snapshots, until the end. A task that fails (a port is taken) ends the others and the program."""
    chance, enrolled = _chance(), asyncio.Event()
    control = ControlPlane(bootstrap.name, source.endpoint, source.spiffe_id, bootstrap.bundle, credentials)
    enrolment = Enrolment(control, bootstrap.spiffe_id, source.token, bootstrap.folder, credentials, telemetry)

    async def obey(snapshot: Snapshot) -> None:
        first = proxy.snapshot is None
        await proxy.apply(snapshot)
        if first:
            _quieten_collector()

    try:
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(enrolment.keep(enrolled, chance))
            following = group.create_task(_follow(Watch(control, obey, telemetry, chance), enrolled))
            await over.wait()
            keeping.cancel()
            following.cancel()
    except* PortTakenError as taken:
        raise taken.exceptions[0] from taken


async def _follow(watch: Watch, enrolled: asyncio.Event) -> None:
    await enrolled.wait()
    await watch.follow()


def _chance() -> Callable[[], float]:
    choose = seeded(int.from_bytes(os.urandom(8)))
    return lambda: fraction(choose)


def _quieten_collector() -> None:
    """What was made so far stays; requests make no reference cycles, so looking for some is rarely worth it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def main() -> int:
    """The exit code."""
    inline = len(sys.argv) == 4 and sys.argv[1] == "--inline"
    if not inline and len(sys.argv) != 2:
        print("usage: python -m meshes.builtin.proxy BOOTSTRAP_FILE | --inline JSON FOLDER", file=sys.stderr)
        return 2
    try:
        if inline:
            bootstrap = parse_bootstrap(sys.argv[2], Path(sys.argv[3]), "--inline")
        else:
            bootstrap = read_bootstrap(Path(sys.argv[1]))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(bootstrap))
    except SnapshotError as error:
        print(f"proxy: {error}", file=sys.stderr)
        return 2
    except (PortTakenError, OSError, ssl.SSLError) as error:
        print(f"proxy: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
