"""Asks the Kubernetes API server: whole answers, and watches as JSON lines. HTTP/1.1 over TLS; knows no kind of object.

One connection per question: a control plane asks rarely, and a watch is one question for minutes. The token is read each time,
since the kubelet renews it.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONNECT_S = 5.0
ANSWER_S = 15.0
SILENCE_S = 330.0
"""Of a watch; the server ends each after 300 s by our wish."""
MAX_LINE_BYTES = 4 * 1024 * 1024
MAX_ANSWER_BYTES = 64 * 1024 * 1024
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")

Json = dict[str, Any]


class ApiError(Exception):
    """The API server refuses, or can't be reached (status 0)."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class ApiServer:
    """Where it is, the roots to verify it by, and the file of our token."""

    host: str
    port: int
    ca: Path
    token: Path


def in_cluster(environment: Mapping[str, str], account: Path = ACCOUNT) -> ApiServer:
    """As every pod is told; ApiError outside of a pod."""
    try:
        host, port = environment["KUBERNETES_SERVICE_HOST"], int(environment["KUBERNETES_SERVICE_PORT"])
    except (KeyError, ValueError) as error:
        raise ApiError(
            0, "KUBERNETES_SERVICE_HOST or _PORT is not set: the control plane has to run in a pod"
        ) from error
    return ApiServer(host, port, account / "ca.crt", account / "token")


class Client:
    """Every failure is an ApiError."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._context = ssl.create_default_context(cafile=server.ca)

    async def ask(self, method: str, path: str, document: object = None, kind: str = "application/json") -> Json:
        """The JSON of a 2xx answer."""
        body = b"" if document is None else json.dumps(document).encode()
        try:
            async with asyncio.timeout(ANSWER_S), self._asked(method, path, body, kind) as (status, pieces):
                text = await _whole(pieces)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            raise ApiError(0, f"{method} {path}: {error or type(error).__name__}") from error
        return _checked(method, path, status, text)

    async def watch(self, path: str) -> AsyncIterator[Json]:
        """The events of one watch, until the server ends it in due form."""
        try:
            async with self._asked("GET", path, b"", "application/json") as (status, pieces):
                if status != 200:
                    _checked("GET", path, status, await _whole(pieces))
                async for line in _lines(pieces):
                    yield json.loads(line)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            raise ApiError(0, f"watch {path}: {error or type(error).__name__}") from error

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, body: bytes, kind: str
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        server = self._server
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(server.host, server.port, ssl=self._context)
        try:
            name = f"[{server.host}]" if ":" in server.host else server.host
            head = (
                f"{method} {path} HTTP/1.1\r\nhost: {name}:{server.port}\r\nconnection: close\r\naccept: application/json\r\n"
                f"user-agent: hoptax\r\nauthorization: Bearer {server.token.read_text().strip()}\r\n"
                f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
            )
            writer.write(head.encode() + body)
            async with asyncio.timeout(ANSWER_S):
                status, headers = _head(await reader.readuntil(b"\r\n\r\n"))
            yield status, _body(reader, headers)
        finally:
            writer.close()


def _head(data: bytes) -> tuple[int, dict[str, str]]:
    start, *lines = data[:-4].decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines)
    return int(start.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> AsyncIterator[bytes]:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await _patient(reader.readuntil(b"\r\n"))).split(b";")[0], 16):
            yield (await _patient(reader.readexactly(size + 2)))[:-2]
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while data := await _patient(reader.read(65536)):
            yield data


async def _patient(reading: Any) -> bytes:  # Any: a coroutine of the reader
    async with asyncio.timeout(SILENCE_S):
        return bytes(await reading)


async def _whole(pieces: AsyncIterator[bytes]) -> bytes:
    whole = bytearray()
    async for piece in pieces:
        whole += piece
        if len(whole) > MAX_ANSWER_BYTES:
            raise ValueError(f"an answer longer than {MAX_ANSWER_BYTES} bytes")
    return bytes(whole)


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > MAX_LINE_BYTES:
            raise ValueError(f"an event longer than {MAX_LINE_BYTES} bytes")


def _checked(method: str, path: str, status: int, text: bytes) -> Json:
    try:
        document = json.loads(text)
    except ValueError:
        document = {}
    if status // 100 != 2:
        raise ApiError(status, f"{method} {path}: {status} {document.get('message', text[:200])}")
    return dict(document)
