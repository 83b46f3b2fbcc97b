"""`python -m meshes.builtin.proxy bootstrap.json`: runs one proxy until SIGTERM. Does nothing but put the parts together.

Exit codes: 0 after a drain, 2 wrong use or a bad file, 4 a port that is taken or another failure of the machine.
"""

import asyncio
import gc
import signal
import ssl
import sys
from pathlib import Path

import uvloop

from meshes.builtin.proxy.bootstrap import Bootstrap, Files, read_bootstrap
from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.server import Proxy
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.snapshot import Snapshot, SnapshotError


async def run(bootstrap: Bootstrap) -> None:
    """A proxy's whole life."""
    loop, telemetry, credentials = asyncio.get_running_loop(), Telemetry(), Credentials()
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    proxy = Proxy(bootstrap.address, bootstrap.spiffe_id, credentials, telemetry, loop)
    if isinstance(bootstrap.source, Files):
        await _from_files(bootstrap, bootstrap.source, proxy, credentials)
    _quieten_collector()
    await over.wait()
    await proxy.drain(bootstrap.drain_s)


async def _from_files(bootstrap: Bootstrap, files: Files, proxy: Proxy, credentials: Credentials) -> None:
    credentials.replace(files.cert, files.key, bootstrap.ca.read_text())
    await proxy.apply(Snapshot.from_json(files.snapshot.read_bytes()))


def _quieten_collector() -> None:
    """What was made so far stays; requests make no reference cycles, so looking for some is rarely worth it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def main() -> int:
    """The exit code."""
    if len(sys.argv) != 2:
        print("usage: python -m meshes.builtin.proxy BOOTSTRAP_FILE", file=sys.stderr)
        return 2
    try:
        bootstrap = read_bootstrap(Path(sys.argv[1]))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run(bootstrap))
    except SnapshotError as error:
        print(f"proxy: {error}", file=sys.stderr)
        return 2
    except (OSError, ssl.SSLError) as error:
        print(f"proxy: {error}", file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
