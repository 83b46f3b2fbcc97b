"""Replicas of the fan-out service as real processes, started from the very documents that plans give them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from harness import registry
from harness.model.app import direct, service_document
from harness.model.mesh import Traffic
from harness.model.plan import APP_PORT, FRONT_PORT, OBSERVE_PORT, replica_host
from harness.model.topology import Call, Service, Step, Topology, Work
from harness.platforms.addresses import AddressBlock

WITHIN_S = 20.0
PROGRAM = registry.service_program()
Json = dict[str, Any]  # Any: JSON values


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def stamps(self) -> tuple[int, int]:
        """When the replica had the request and when it answered, CLOCK_MONOTONIC ns."""
        received, _, answered = self.headers["x-hoptax-stamps"].partition(",")
        return int(received), int(answered)


# Any: the fields of Work
def service(name: str, *steps: tuple[Call, ...], replicas: int = 1, **work: Any) -> Service:
    script = tuple(Step(step) for step in steps)
    return Service(name, PROGRAM, replicas, work=Work(**work), script=script)


def pair(call: Call | None = None, **work: Any) -> Topology:
    """a calls b; `work` is b's."""
    return Topology("pair", "a", (service("a", (call or Call("b"),)), service("b", **work)))


class Replicas:
    """A topology's replicas, each at an address of its own. `more` adds keys to the document of a service."""

    def __init__(
        self, topology: Topology, folder: Path, traffic: Traffic, more: Mapping[str, Json], block: AddressBlock
    ):
        self.topology = topology
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        hosts = [replica_host(each.name, number) for each in topology.services for number in range(each.replicas)]
        self.address = block.assign(hosts)
        self._folder, self._traffic, self._more = folder, traffic, more

    def start(self, service: Service) -> None:
        for number in range(service.replicas):
            host = replica_host(service.name, number)
            document = service_document(self.topology, service, number, self._traffic, direct)
            text = json.dumps(document | self._more.get(service.name, {}))
            for name, address in self.address.items():
                text = text.replace(f"${{address.{name}}}", address)
            path = self._folder / f"{host}.json"
            path.write_text(text)
            self.processes[host] = subprocess.Popen([sys.executable, "-m", "workloads.service", str(path)])

    def ready(self) -> None:
        deadline = time.monotonic() + WITHIN_S
        for host, process in self.processes.items():
            while not self._is_ready(host):
                assert process.poll() is None, f"{host} ended with {process.returncode}"
                assert time.monotonic() < deadline, f"{host} is not ready"
                os.sched_yield()

    def _is_ready(self, host: str) -> bool:
        try:
            return self.ask(host, "/ready", OBSERVE_PORT).status == 200
        except (OSError, HTTPException):
            return False

    def ask(
        self, host: str, path: str, port: int, method: str = "GET", headers: Mapping[str, str] | None = None
    ) -> Reply:
        connection = HTTPConnection(self.address[host], port, timeout=WITHIN_S)
        try:
            connection.request(method, path, headers=dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def call(self, headers: Mapping[str, str] | None = None) -> Reply:
        """One request to the entry."""
        return self.ask(replica_host(self.topology.entry, 0), "/", FRONT_PORT, headers=headers)

    def observe(self, host: str, path: str) -> Json:
        found: Json = json.loads(self.ask(host, path, OBSERVE_PORT).body)
        return found

    def reset(self, host: str) -> int:
        return self.ask(host, "/reset", OBSERVE_PORT, "POST").status

    def hop(self, hop: str = "a#0>b/http", host: str = "a-0") -> Json:
        """The hop's counts, its seconds added up."""
        seconds = self.observe(host, "/hops")["seconds"].values()
        found = [hops[hop] for hops in seconds if hop in hops]
        return {
            "calls": sum(each["calls"] for each in found),
            "errors": sum(each["errors"] for each in found),
            "error_kinds": dict(sum((Counter(each["error_kinds"]) for each in found), Counter[str]())),
            "sums_ns": {part: sum(each["sums_ns"][part] for each in found) for part in found[0]["sums_ns"]}
            if found
            else {},
            "measured": sum(sum(each["elapsed"].values()) for each in found),
        }

    def stop(self, host: str) -> int:
        process = self.processes.pop(host)
        process.send_signal(signal.SIGTERM)
        return process.wait(WITHIN_S)


@contextmanager
def running(
    topology: Topology,
    folder: Path,
    traffic: Traffic | None = None,
    more: Mapping[str, Json] | None = None,
    without: str = "",
) -> Iterator[Replicas]:
    """Every service but `without`, ready."""
    with AddressBlock("127.82") as block:
        replicas = Replicas(topology, folder, traffic or Traffic(), more or {}, block)
        try:
            for each in topology.services:
                if each.name != without:
                    replicas.start(each)
            replicas.ready()
            yield replicas
        finally:
            for process in replicas.processes.values():
                process.kill()
                process.wait()


@contextmanager
def stranger(address: str, answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[None]:
    """Something that is not the fan-out service at a callee's address; `answer` writes status and headers."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            answer(self)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer((address, APP_PORT), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
