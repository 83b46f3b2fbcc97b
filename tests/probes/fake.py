"""A deployment without processes: observe ports answered by threads, for probes that only ask."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

from harness.model.plan import INBOUND_PORT, OBSERVE_PORT, OUTBOUND_PORT, Plan, Unit
from harness.model.platform import Deployment, Endpoint
from harness.model.program import Program

APP = Program("app", module="app")


class FakeDeployment:
    """What the probes use of a Deployment."""

    def __init__(self, plan: Plan, addresses: Mapping[str, str]) -> None:
        self.plan = plan
        self._addresses = addresses

    def address(self, host: str) -> str:
        return self._addresses[host]

    def inbound(self, host: str) -> Endpoint:
        return self._addresses[host], INBOUND_PORT

    def outbound(self, host: str, callee: str) -> Endpoint:
        del callee
        return self._addresses[host], OUTBOUND_PORT

    def entry_url(self) -> str:
        return f"http://{self._addresses[self.plan.entry_host]}:{self.plan.entry_port}"


def app(host: str, ports: tuple[int, ...] = (8080, OBSERVE_PORT)) -> Unit:
    return Unit(host, "app", host, APP, ports=ports, service=host.rpartition("-")[0])


@contextmanager
def observed(
    answers: Mapping[str, Mapping[str, Any]], *others: Unit
) -> Iterator[tuple[Deployment, list[str]]]:  # Any: JSON values
    """A replica per host, that answers a path with a document; also the requests it got, as `host METHOD target`."""
    addresses = {host: f"127.86.7.{number}" for number, host in enumerate(answers, start=1)}
    heard: list[str] = []
    servers = [serve(address, host, answers[host], heard) for host, address in addresses.items()]
    plan = Plan((*map(app, answers), *others), entry_host=next(iter(answers)))
    try:
        yield cast("Deployment", FakeDeployment(plan, addresses)), heard
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


def serve(address: str, host: str, answers: Mapping[str, Any], heard: list[str]) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{host} {self.command} {self.path}")
            document = answers.get(self.path.partition("?")[0])
            text = json.dumps(document).encode()
            self.send_response(404 if document is None else 200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_POST = do_GET  # noqa: N815 - the name that the base class looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer((address, OBSERVE_PORT), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
