"""The proxy's side of the watch: obeys snapshot after snapshot, and says so. Knows nothing of requests or routes.

The watch protocol (version 1)
==============================
HTTP/1.1 over TLS 1.3 (ALPN `http/1.1`) on the control plane's address. The server proves the SPIFFE id that the bootstrap
file names, by a certificate of the bundle in `ca`; the client's certificate is optional in the handshake and demanded per
endpoint. Answers other than 2xx have a JSON body `{"error": "<one sentence>"}`. `NAME` is the proxy's name (`a-0`).

`POST /v1/certificates?name=NAME`, body: a CSR in PEM (`content-type: application/x-pem-file`), at most 16 KiB.
    Authenticated by `authorization: Bearer <bootstrap token>` (first certificate) or by the client certificate (renewal).
    200: `{"chain": "<PEM: leaf, then intermediates>", "bundle": "<PEM: trusted roots>", "lifetime_s": 3600.0,
    "not_after": 1790000000}`. `lifetime_s` is what is left of it now: the proxy renews after half of it, by its monotonic
    clock. `not_after` (Unix seconds) is only shown. 400: no such CSR; 401: no or wrong token and no certificate; 403: the
    caller may not have the identity that the CSR asks for; 429: another of its CSRs is being signed; 503: signing failed.
    Every renewal has a new key.

`GET /v1/watch?name=NAME&version=V`: client certificate demanded. V is the version in force, 0 for none.
    200, `content-type: application/x-ndjson`, chunked, endless. One JSON object per line:
    `{"kind": "snapshot", "snapshot": {…}}`: at once unless it is V, then whenever it changes (`meshes.builtin.snapshot`);
    `{"kind": "heartbeat"}`: at least every 5 s. Lines of other kinds are ignored. A line is at most 8 MiB long.
    After 15 s without a line the proxy takes the control plane for gone and connects anew.
    401: no certificate; 404: nobody of that name with that identity. The control plane may end the stream at any time (the
    proxy comes back): it should when the client's certificate expires.

`POST /v1/ack?name=NAME`, client certificate demanded: `{"version": 7, "ok": true, "error": ""}`, or `ok` false with the
    sentence why the proxy refused that version (it keeps the former one). `version` is 0 if it couldn't even be read. 204.
    Sent on a connection of its own, after each snapshot line; best effort: V in the next watch says the same.

Without a control plane the proxy keeps what it has and tries again after 0.1 s, doubled each time up to 5 s, with full jitter.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable

from meshes.builtin.proxy.backoff import delay_s
from meshes.builtin.proxy.control import ControlError, ControlPlane
from meshes.builtin.proxy.telemetry import Telemetry
from meshes.builtin.snapshot import Snapshot, SnapshotError

SILENCE_S = 15.0
MAX_LINE_BYTES = 8 * 1024 * 1024

Obey = Callable[[Snapshot], Awaitable[None]]
Chance = Callable[[], float]


class Lines:
    """Text in pieces to lines, bounded."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete with `data`; ControlError if one is too long."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE_BYTES:
            raise ControlError(f"a line of the watch is longer than {MAX_LINE_BYTES} bytes")
        return lines


class Watch:
    """Follows the control plane for ever. `obey` takes each snapshot (SnapshotError if it refuses); `in_force` is told by it."""

    def __init__(self, control: ControlPlane, obey: Obey, telemetry: Telemetry, chance: Chance) -> None:
        self._control = control
        self._obey = obey
        self._telemetry = telemetry
        self._chance = chance
        self._fruitless = 0

    async def follow(self) -> None:
        """Comes back whenever the stream ends, however it ends."""
        while True:
            try:
                await self._follow_once()
            except (ControlError, OSError) as error:
                self._telemetry.control_errors += 1
                self._telemetry.control_error = str(error)
            await asyncio.sleep(delay_s(self._fruitless, self._chance()))
            self._fruitless += 1

    async def _follow_once(self) -> None:
        stream = await self._control.stream(
            f"/v1/watch?name={self._control.name}&version={self._telemetry.snapshot_version}"
        )
        try:
            lines = Lines()
            while True:
                async with asyncio.timeout(SILENCE_S):
                    data = await stream.read()
                if not data:
                    return
                for line in lines.feed(data):
                    self._fruitless = 0
                    await self._take(line)
        finally:
            stream.close()

    async def _take(self, line: bytes) -> None:
        try:
            document = json.loads(line)
        except ValueError as error:
            raise ControlError(f"a line of the watch is not JSON: {error}") from error
        if not isinstance(document, dict) or document.get("kind") != "snapshot":
            return
        version, problem = 0, ""
        try:
            snapshot = Snapshot.from_document(document.get("snapshot"))
            version = snapshot.version
            await self._obey(snapshot)
        except SnapshotError as error:
            self._telemetry.snapshots_refused += 1
            problem = str(error)
        await self._acknowledge(version, problem)

    async def _acknowledge(self, version: int, problem: str) -> None:
        """Best effort: what it says, the next watch says again."""
        document = {"version": version, "ok": not problem, "error": problem}
        try:
            await self._control.post("/v1/ack", json.dumps(document).encode(), "application/json")
        except (ControlError, OSError) as error:
            self._telemetry.control_errors += 1
            self._telemetry.control_error = str(error)
