"""The whole mesh as its plan starts it: control plane, sidecars and apps, while requests flow and configuration and certificates change."""

import json
import os
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from harness import registry
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.plan import ADMIN_PORT, INBOUND_PORT, METRICS_PORT, File, Plan
from harness.model.platform import Deployment
from harness.model.topology import Topology
from harness.platforms.addresses import AddressBlock
from harness.platforms.placement import place
from harness.platforms.process import ProcessPlatform
from harness.platforms.supervised import Supervised
from harness.probes import observe, parity
from meshes.builtin import plan as adapter
from tests.meshes.builtin.topologies import CHAIN

pytestmark = pytest.mark.system
FEATURES = frozenset({"mtls"})
SHORT_S = 10
"""Lifetime of certificates here: renewed every five seconds."""

WITHIN_S = 40.0


def eventually(what: Callable[[], object], why: str) -> None:
    give_up = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < give_up, why
        time.sleep(0.02)


def chain() -> Topology:
    program = registry.service_program()
    return replace(CHAIN, services=tuple(replace(service, program=program) for service in CHAIN.services))


def short_lived(plan: Plan) -> Plan:
    """The same plan with certificates that soon end."""
    control = plan.unit("control")
    files = tuple(shortened(file) if file.name == "mesh.json" else file for file in control.files)
    return replace(plan, units=tuple(replace(u, files=files) if u is control else u for u in plan.units))


def shortened(file: File) -> File:
    return replace(file, content=json.dumps(json.loads(file.content) | {"leaf_lifetime_s": SHORT_S}))


class Mesh:
    """A deployment and the folder in which its control plane's file lies."""

    def __init__(self, deployment: Deployment, workspace: Path) -> None:
        self.deployment = deployment
        self._mesh = workspace / "control" / "mesh.json"

    def page(self, host: str, port: int, path: str) -> str:
        with urlopen(f"http://{self.deployment.address(host)}:{port}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def proxies(self) -> dict[str, Any]:  # Any: JSON values
        return dict(json.loads(self.page("control", ADMIN_PORT, "/status"))["proxies"])

    def settled(self) -> bool:
        """Whether every proxy has taken what is meant for it."""
        return all(each["acked"] == each["version"] and not each["error"] for each in self.proxies().values())

    def certificates(self, host: str) -> int:
        found = re.search(r"certificates_total (\d+)", self.page(host, METRICS_PORT, "/metrics"))
        assert found is not None
        return int(found[1])

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        document = json.loads(self._mesh.read_text())
        change(document)
        draft = self._mesh.with_suffix(".new")
        draft.write_text(json.dumps(document))
        draft.rename(self._mesh)


def failures(metrics: str) -> list[str]:
    """The lines of a metrics page that count what went wrong, by flag."""
    return [line for line in metrics.splitlines() if "flag=" in line or "error=" in line]


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[Mesh]:
    placement = place(sorted(os.sched_getaffinity(0)))
    with AddressBlock() as addresses, Supervised(tmp_path / "units") as supervised:
        platform = ProcessPlatform(supervised, addresses, placement, tmp_path / "authority")
        plan = adapter.plan(chain(), FEATURES, Traffic(), PlatformFacts("process", interception=False))
        with platform.launch(short_lived(plan), tmp_path / "run") as deployment:
            yield Mesh(deployment, tmp_path / "run")


class Clients:
    """Two clients that send one request after the other over connections that stay, and count how each ended."""

    def __init__(self, url: str) -> None:
        entry = urlsplit(url)
        assert entry.hostname is not None
        self._where = (entry.hostname, entry.port)
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(2)]
        self.ended: Counter[str] = Counter()

    def _run(self) -> None:
        connection = HTTPConnection(*self._where, timeout=10)
        while not self._over.is_set():
            self.ended[self._once(connection)] += 1
        connection.close()

    @staticmethod
    def _once(connection: HTTPConnection) -> str:
        try:
            connection.request("GET", "/")
            with connection.getresponse() as response:
                response.read()
                return str(response.status)
        except (OSError, HTTPException) as error:
            connection.close()
            return repr(error)

    @contextmanager
    def sending(self) -> Iterator["Clients"]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()


def test_configuration_and_certificates_change_while_requests_flow(mesh: Mesh) -> None:
    def only_first(document: dict[str, Any]) -> None:
        del document["services"]["b"]["endpoints"][1]

    with Clients(mesh.deployment.entry_url()).sending() as clients:
        before = mesh.proxies()
        eventually(lambda: clients.ended["200"] > 100, "no requests flow")
        mesh.edit(only_first)
        eventually(lambda: mesh.proxies()["a-0"]["acked"] != before["a-0"]["acked"] and mesh.settled(), "not pushed")
        observe.reset(mesh.deployment)
        sidecars = [unit.host for unit in mesh.deployment.plan.units if unit.role == "sidecar"]
        eventually(lambda: min(map(mesh.certificates, sidecars)) >= 3, "certificates aren't renewed")
        mesh.edit(lambda document: document.update(balancing="least-request"))
        eventually(mesh.settled, "the second change is not pushed")

    said = {host: failures(mesh.page(host, METRICS_PORT, "/metrics")) for host in sidecars}
    assert set(clients.ended) == {"200"}, f"{clients.ended}: {said}"
    assert mesh.proxies()["c-0"]["version"] == before["c-0"]["version"]
    served = observe.served(mesh.deployment)
    assert served["b-0"].requests > 0
    # One of each client may have been on its way to b-1.
    assert served["b-1"].requests <= 2


def test_peers_have_to_prove_who_they_are(mesh: Mesh) -> None:
    assert parity.failed(parity.quick(mesh.deployment, FEATURES)) == ()
    with socket.create_connection((mesh.deployment.address("b-0"), INBOUND_PORT), timeout=5) as plaintext:
        plaintext.sendall(b"GET / HTTP/1.1\r\nhost: b\r\n\r\n")
        assert b"HTTP/" not in b"".join(iter(lambda: plaintext.recv(4096), b""))
