"""A control plane as a process, and a client that speaks the watch protocol with the standard library's own HTTP and TLS."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Any

from harness.model.mesh import Traffic
from meshes.builtin.plan import mesh_document
from meshes.identity.names import CONTROL_PLANE, spiffe_id
from tests.meshes.builtin.topologies import CHAIN

ADDRESS = "127.85.0.1"
WITHIN_S = 20.0


def eventually(what: Callable[[], object], why: str) -> None:
    """Returns once `what` is true; fails after a deadline."""
    give_up = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < give_up, why
        time.sleep(0.01)


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, different from each other."""
    sockets = [socket.create_server((ADDRESS, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def mesh_inputs(**changes: Any) -> dict[str, Any]:  # Any: JSON values
    """The input for the chain a → b → c, as the adapter writes it, with the references resolved in some way."""
    text = json.dumps(mesh_document(CHAIN, frozenset({"mtls"}), Traffic()))
    for number, host in enumerate(("a-0", "b-0", "b-1", "c-0"), start=1):
        text = text.replace(f"${{address.{host}}}", f"127.85.1.{number}").replace(
            f"${{secret.{host}}}", f"token-{host}"
        )
    return dict(json.loads(text)) | changes


def identity(*words: str, given: bytes = b"") -> bytes:
    """What `python -m meshes.identity` writes."""
    return subprocess.run(
        [sys.executable, "-m", "meshes.identity", *words], input=given, capture_output=True, check=True
    ).stdout


def make_request(folder: Path, service: str) -> bytes:
    """A key in `folder`, and a signing request for it."""
    identity("csr", "--spiffe-id", spiffe_id(service), "--out", str(folder))
    return (folder / "csr.pem").read_bytes()


class Control:
    """A control plane in a folder, for Envoys too if `xds`; `start` may be called again after `stop`."""

    def __init__(self, folder: Path, inputs: dict[str, Any], *, xds: bool = False) -> None:
        self.folder, self.mesh = folder, folder / "mesh.json"
        self.port, self.admin_port, self.xds_port = free_ports(3)
        self.authority = folder / "authority"
        identity("authority", str(self.authority))
        identity("issue", "--authority", str(self.authority), "--out", str(folder / "ids"), f"control={CONTROL_PLANE}")
        self.ca = folder / "ids" / "control" / "ca.pem"
        settings = {
            "address": ADDRESS,
            "port": self.port,
            "admin_port": self.admin_port,
            "mesh": str(self.mesh),
            "identity": str(folder / "ids" / "control"),
            "authority": str(self.authority),
        } | ({"xds": {"port": self.xds_port, "captured": False}} if xds else {})
        (folder / "control.json").write_text(json.dumps(settings))
        self.write(inputs)
        self.process: subprocess.Popen[str] | None = None

    def write(self, inputs: dict[str, Any] | str) -> None:
        """Replace the mesh's file in one step, as editors do."""
        draft = self.mesh.with_suffix(".new")
        draft.write_text(inputs if isinstance(inputs, str) else json.dumps(inputs))
        draft.rename(self.mesh)

    def start(self) -> None:
        words = [sys.executable, "-m", "meshes.builtin.control", str(self.folder / "control.json")]
        with (self.folder / "log").open("a") as log:
            self.process = subprocess.Popen(words, stderr=log, text=True)
        eventually(self._answers, f"the control plane isn't ready: {self.log()}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log()
        try:
            return self.admin("/ready")[0] == 200
        except OSError:
            return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        code = self.process.wait(WITHIN_S)
        self.process = None
        return code

    def log(self) -> str:
        return (self.folder / "log").read_text()

    def admin(self, path: str) -> tuple[int, Any]:
        connection = HTTPConnection(ADDRESS, self.admin_port, timeout=WITHIN_S)
        connection.request("GET", path)
        with connection.getresponse() as response:
            return response.status, json.loads(response.read())

    def status(self, proxy: str) -> dict[str, Any]:
        return dict(self.admin("/status")[1]["proxies"][proxy])


@contextmanager
def running(folder: Path, inputs: dict[str, Any], *, xds: bool = False) -> Iterator[Control]:
    """A control plane that answers, ended at the end."""
    control = Control(folder, inputs, xds=xds)
    control.start()
    try:
        yield control
    finally:
        if control.process is not None:
            control.stop(signal.SIGKILL)


class Watching:
    """An open watch."""

    def __init__(self, connection: HTTPSConnection, response: HTTPResponse) -> None:
        self._connection, self.status, self._response = connection, response.status, response

    def line(self) -> Any:
        """The next line; None at the end."""
        text = self._response.readline()
        return json.loads(text) if text else None

    def snapshot(self) -> Any:
        """The next snapshot, heartbeats skipped."""
        while (line := self.line()) and line["kind"] != "snapshot":
            pass
        return line["snapshot"] if line else None

    def close(self) -> None:
        self._response.close()
        self._connection.close()


class FakeProxy:
    """One proxy's side, made of the standard library."""

    def __init__(self, control: Control, name: str, folder: Path) -> None:
        self.control, self.name, self.folder = control, name, folder
        self.service = name.rpartition("-")[0]
        folder.mkdir(parents=True)

    def connect(self, *, anonymous: bool = False) -> HTTPSConnection:
        context = ssl.create_default_context(cafile=self.control.ca)
        context.check_hostname = False
        if not anonymous:
            context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        return HTTPSConnection(ADDRESS, self.control.port, context=context, timeout=WITHIN_S)

    def ask(
        self, method: str, path: str, body: bytes = b"", token: str = "", *, anonymous: bool = False
    ) -> tuple[int, Any]:
        """Status and JSON of a whole answer."""
        connection = self.connect(anonymous=anonymous or bool(token))
        headers = {"authorization": f"Bearer {token}"} if token else {}
        connection.request(method, f"{path}?name={self.name}", body, headers)
        with connection.getresponse() as response:
            text = response.read()
        connection.close()
        return response.status, json.loads(text) if text else None

    def enrol(self, *, renew: bool = False) -> dict[str, Any]:
        """A certificate, by token or by the one it has."""
        request = make_request(self.folder / "next", self.service)
        status, document = self.ask("POST", "/v1/certificates", request, "" if renew else f"token-{self.name}")
        assert status == 200, document
        (self.folder / "cert.pem").write_text(document["chain"])
        (self.folder / "next" / "key.pem").rename(self.folder / "key.pem")
        return dict(document)

    def watch(self, version: int = 0) -> Watching:
        connection = self.connect()
        connection.request("GET", f"/v1/watch?name={self.name}&version={version}")
        return Watching(connection, connection.getresponse())

    def acknowledge(self, version: int, error: str = "") -> int:
        body = json.dumps({"version": version, "ok": not error, "error": error}).encode()
        return self.ask("POST", "/v1/ack", body)[0]
