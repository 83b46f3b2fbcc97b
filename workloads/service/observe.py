"""The observe port: what this replica counted, for probes. Never meshed, never measured.

`GET /hops?from=S&to=S` calls by second and hop · `GET /served` requests and connections that arrived · `POST /reset` forget · `GET /ready` ·
`POST /order?status=503&sleep_us=0&times=2` answer the next two requests so, instead of working (`times=0`: as ever).
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from harness.wire.pool import Pool
from harness.wire.server import Request, ServerConnection, response
from workloads.service.orders import Order
from workloads.service.visit import STATUS_LINES, App

HOPS_SCHEMA = 1
# 1: seconds → hop → calls, errors, error_kinds, retried, sums_ns and buckets of elapsed, request, callee, response, transit.

FOREVER = 2**62
MOST_SLEEP_US = 60_000_000


class Doors:
    """Connections of one port: how many were accepted, and which are open."""

    def __init__(self) -> None:
        self.accepted = 0
        self.open: set[ServerConnection] = set()
        self._empty = asyncio.Event()
        self._empty.set()

    def opened(self, connection: ServerConnection) -> None:
        """A peer connected."""
        self.accepted += 1
        self.open.add(connection)
        self._empty.clear()

    def closed(self, connection: ServerConnection) -> None:
        """A connection ended."""
        self.open.discard(connection)
        if not self.open:
            self._empty.set()

    async def drain(self) -> None:
        """Close every connection as soon as its request in hand is answered; returns when all are closed."""
        for connection in tuple(self.open):
            connection.drain()
        await self._empty.wait()


class Observe:
    """Handler of the observe port."""

    def __init__(self, app: App, doors: Doors, pools: dict[tuple[str, int], Pool]) -> None:
        self._app = app
        self._doors = doors
        self._pools = pools

    def handle(self, request: Request, connection: ServerConnection) -> None:
        """Route by method and path."""
        address = urlsplit(request.target.decode("latin-1"))
        match request.method, address.path:
            case b"GET", "/ready":
                connection.answer(response(200, b"{}"))
            case b"GET", "/hops":
                connection.answer(self._hops(parse_qs(address.query)))
            case b"GET", "/served":
                connection.answer(_json(self._served()))
            case b"POST", "/reset":
                self._reset()
                connection.answer(response(200, b"{}"))
            case b"POST", "/order":
                connection.answer(self._order(parse_qs(address.query)))
            case _:
                connection.answer(response(404, b'{"error": "have /ready /hops /served /reset /order"}'))

    def _hops(self, query: dict[str, list[str]]) -> bytes:
        try:
            first, end = (int(query.get(name, [default])[0]) for name, default in (("from", "0"), ("to", str(FOREVER))))
        except ValueError:
            return response(400, b'{"error": "from and to are whole seconds"}')
        document = {
            "kind": "hops",
            "schema": HOPS_SCHEMA,
            "service": self._app.config.service,
            "replica": self._app.config.replica,
            "domain": {"boot_id": BOOT_ID, "monotonic_ns": time.monotonic_ns(), "realtime_ns": time.time_ns()},
            "seconds": self._app.recorder.seconds(first, end),
        }
        return _json(document)

    def _order(self, query: dict[str, list[str]]) -> bytes:
        try:
            status, sleep_us, times = (int(query[name][0]) for name in ("status", "sleep_us", "times"))
        except (KeyError, ValueError):
            return response(400, b'{"error": "status, sleep_us and times are whole numbers"}')
        if status not in STATUS_LINES or not 0 <= sleep_us <= MOST_SLEEP_US or times < 0:
            known = " ".join(map(str, STATUS_LINES))
            told = {"error": f"have status {known}, sleep_us from 0 to {MOST_SLEEP_US}, times from 0"}
            return response(400, json.dumps(told).encode())
        self._app.obey(Order(status, sleep_us * 1000, times) if times else None)
        return response(200, b"{}")

    def _served(self) -> dict[str, Any]:  # Any: JSON values
        last, order = self._app.last, self._app.order
        return {
            "requests": self._app.requests,
            "connections_accepted": self._doors.accepted,
            "connections_open": len(self._doors.open),
            "last_version": last.version if last else "",
            "last_headers": [[k.decode("latin-1"), v.decode("latin-1")] for k, v in last.headers] if last else [],
            "most_at_once": order.most_at_once if order else 0,
            "races": {f"{host}:{port}": pool.races for (host, port), pool in self._pools.items()},
        }

    def _reset(self) -> None:
        self._app.recorder.reset()
        self._app.requests = 0
        self._app.last = None
        self._doors.accepted = 0


BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _json(document: dict[str, Any]) -> bytes:  # Any: JSON values
    return response(200, json.dumps(document).encode())
