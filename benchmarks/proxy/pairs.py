"""The sidecars that are compared, and the server behind them: starts processes on SYSTEM_CPU and ends them. Measures nothing.

A pair is two sidecars in a row: load enters at the outbound port of `a-0`, which goes to `b-0` beside the server. Each pair has a net of its own.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from harness.model.mesh import PlatformFacts, Traffic
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology
from harness.platforms.references import resolve_unit
from meshes import envoy
from meshes.builtin import plan as builtin
from meshes.builtin.control import compiler, model
from meshes.identity.names import spiffe_id

LOAD_CPU, SYSTEM_CPU = 0, 1
PATH = os.defpath + ":/usr/local/sbin:/usr/sbin:/sbin"
NAMES = "abcdefgh"
"""Load goes through a-0 and b-0; the others stay idle beside them."""
SIZES = {"": 1024, "64k": 64 << 10, "1m": 1 << 20}
NETS = 40
READY_WITHIN_S = 20.0
NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; sendfile on; tcp_nopush on;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ {listens} root {folder}/files; location = / {{ return 200 "{body}"; }} }}
}}
"""


@dataclass(frozen=True)
class Pair:
    """Sidecars of one mesh with some features; the first two of `pids` are in the way of load."""

    mesh: str
    features: frozenset[str]
    net: str
    pids: tuple[int, ...]

    @property
    def url(self) -> str:
        """Where load enters."""
        return f"http://{self.net}.1:15001/"


def program(name: str) -> str:
    """Its path; ends the benchmark with a message if it is missing."""
    found = shutil.which(name, path=PATH)
    if found is None:
        sys.exit(f"{name} is missing: install nginx-light and wrk")
    return found


def topology(sidecars: int) -> Topology:
    """a calls b, and the others do nothing."""
    nothing = Program("none")
    caller = Service("a", nothing, script=(Step((Call("b"),)),))
    return Topology("pair", "a", (caller, *(Service(name, nothing) for name in NAMES[1:sidecars])))


def identities(folder: Path) -> None:
    """One authority, and an identity per host in `identity/HOST`."""
    base = [sys.executable, "-m", "meshes.identity"]
    subprocess.run([*base, "authority", f"{folder}/authority"], check=True)
    names = [f"{name}-0={spiffe_id(name)}" for name in NAMES]
    subprocess.run(
        [*base, "issue", "--authority", f"{folder}/authority", "--out", f"{folder}/identity", *names], check=True
    )


@contextmanager
def running(
    command: Sequence[str], output: Path, ready: str, cpu: int = SYSTEM_CPU
) -> Iterator[subprocess.Popen[bytes]]:
    """A process on one CPU until the block ends; in the block once the URL `ready` answers 200."""
    with output.open("wb") as log:
        process = subprocess.Popen(["taskset", "-c", str(cpu), *command], stdout=log, stderr=log)
    try:
        wait_for(ready, process)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], pause_s: float = 0.02) -> None:
    """Until the URL answers 200; ends the benchmark if the process does first."""
    deadline = time.monotonic() + READY_WITHIN_S
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{url} is not ready")
        try:
            with urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(pause_s)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The app of every pair, on the load's CPU: the sidecars have the other to themselves. Answers the URL without sidecars."""
    place = folder / "nginx"
    (place / "files").mkdir(parents=True)
    for name, size in SIZES.items():
        if name:
            (place / "files" / name).write_bytes(b"x" * size)
    listens = " ".join(f"listen 127.84.{net}.2:8080;" for net in range(1, NETS))
    text = NGINX.format(folder=place, body="x" * SIZES[""], listens=listens)
    (place / "nginx.conf").write_text("user root;" + text if os.geteuid() == 0 else text)
    command = [program("nginx"), "-p", str(place), "-c", str(place / "nginx.conf"), "-e", f"{place}/error.log"]
    url = "http://127.84.1.2:8080/"
    with running(command, folder / "nginx.log", url, LOAD_CPU):
        yield url


@contextmanager
def pair(mesh: str, features: frozenset[str], number: int, folder: Path, sidecars: int = 2) -> Iterator[Pair]:
    """So many sidecars, ready; `number` chooses the net."""
    net = f"127.84.{number}"
    with ExitStack() as stack:
        pids = []
        for host in [f"{name}-0" for name in NAMES[:sidecars]]:
            words = command(mesh, host, features, net, folder, sidecars)
            ready = f"{address(net, host)}:15000/ready"
            output = folder / f"{mesh}-{number}-{host}.log"
            pids.append(stack.enter_context(running(words, output, f"http://{ready}")).pid)
        yield Pair(mesh, features, net, tuple(pids))


def address(net: str, host: str) -> str:
    """`a-0` is the net's first."""
    return f"{net}.{NAMES.index(host[0]) + 1}"


def command(mesh: str, host: str, features: frozenset[str], net: str, folder: Path, sidecars: int = 2) -> list[str]:
    """What starts a sidecar as its adapter plans it, its files written to `folder`."""
    place = folder / f"{mesh}-{net}-{host}"
    place.mkdir(exist_ok=True)
    make = _envoy if mesh == "envoy" else _builtin
    return make(host, features, net, folder / "identity", place, topology(sidecars))


def _envoy(host: str, features: frozenset[str], net: str, identity: Path, place: Path, shape: Topology) -> list[str]:
    plan = envoy.plan(shape, features, Traffic(), PlatformFacts("process", interception=False))

    def lookup(kind: str, name: str) -> str | None:
        found = {"identity": f"{identity}/{name}", "dir": str(place)}
        return address(net, name) if kind == "address" and name in plan.hosts() else found.get(kind)

    unit = resolve_unit(plan.unit(f"{host}-envoy"), lookup)
    for file in unit.files:
        (place / file.name).write_text(file.content)
    path = next(Path(entry) / unit.program.file for entry in sys.path if (Path(entry) / unit.program.file).is_file())
    return [str(path), *unit.args]


def _builtin(host: str, features: frozenset[str], net: str, identity: Path, place: Path, shape: Topology) -> list[str]:
    """Configured from files with what the adapter plans and the control plane makes of it."""
    plan = builtin.plan(shape, features, Traffic(), PlatformFacts("process", interception=False))

    def lookup(kind: str, name: str) -> str | None:
        return (
            (address(net, name) if name[0] in NAMES and name[1:] == "-0" else f"{net}.99")
            if kind == "address"
            else f"{kind}-{name}"
        )

    control = resolve_unit(plan.units[0], lookup)
    mesh = next(file.content for file in control.files if file.name == "mesh.json")
    bootstrap = {
        "name": host,
        "address": address(net, host),
        "spiffe_id": spiffe_id(host[0]),
        "ca": str(identity / host / "ca.pem"),
        "snapshot": str(place / "snapshot.json"),
        "cert": str(identity / host / "cert.pem"),
        "key": str(identity / host / "key.pem"),
    }
    (place / "snapshot.json").write_text(compiler.snapshots(model.read(mesh))[host].to_json())
    (place / "bootstrap.json").write_text(json.dumps(bootstrap))
    return [sys.executable, *builtin.LEAN, "-m", "meshes.builtin.proxy", str(place / "bootstrap.json")]
