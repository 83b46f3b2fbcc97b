"""Asks the control plane: one request on a connection of its own, the answer whole or as a stream. Knows no document.

Uses the same connection and the same strict reader as requests do, and the same proof of identity.
"""

import asyncio
from collections import deque

from meshes.builtin.proxy import tls
from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.response import ResponseHead
from meshes.builtin.proxy.tls import PeerRefused, TlsSession
from meshes.builtin.proxy.upstream import Upstream
from meshes.builtin.snapshot import Endpoint

CONNECT_S = 5.0
ANSWER_S = 15.0
MAX_ANSWER_BYTES = 1024 * 1024
MAX_WAITING_BYTES = 16 * 1024 * 1024


class ControlError(Exception):
    """The control plane can't be reached, or refuses; the text says which."""


class Stream:
    """An answer as it arrives. What upstream's Owner asks for, with a queue instead of a client."""

    def __init__(self) -> None:
        self.sent_all = True
        self.connection: Upstream | None = None
        self._head: asyncio.Future[ResponseHead] = asyncio.get_running_loop().create_future()
        self._pieces: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._over = False
        self._failure = ""

    async def status(self) -> int:
        """The answer's status, once it is there."""
        return (await self._head).status

    async def read(self) -> bytes:
        """The next piece of the body; b"" at its end. ControlError if it was cut."""
        while not self._pieces and not self._over:
            self._arrived.clear()
            await self._arrived.wait()
        if self._pieces:
            return self._pieces.popleft()
        if self._failure:
            raise ControlError(self._failure)
        return b""

    async def read_all(self) -> bytes:
        """The whole body."""
        body = b""
        while piece := await self.read():
            body += piece
            if len(body) > MAX_ANSWER_BYTES:
                raise ControlError(f"the control plane's answer is longer than {MAX_ANSWER_BYTES} bytes")
        return body

    def close(self) -> None:
        """No more of it is wanted."""
        if self.connection is not None:
            self.connection.owner = None
            self.connection.abort()

    def interim(self, head: ResponseHead) -> None:
        """Nothing follows from an interim response."""

    def respond(self, head: ResponseHead, payload: bytes, done: bool, trailers: bytes = b"") -> None:  # noqa: ARG002 - nothing is in them
        if not self._head.done():
            self._head.set_result(head)
        self.more(payload, done)

    def more(self, payload: bytes, done: bool, trailers: bytes = b"") -> None:  # noqa: ARG002 - see `respond`
        if payload:
            self._pieces.append(payload)
            if sum(map(len, self._pieces)) > MAX_WAITING_BYTES:
                self.upstream_failed(Failure.OVERFLOW, "the control plane sends more than can be read")
                self.close()
        self._over = self._over or done
        self._arrived.set()

    def upstream_failed(self, failure: Failure, detail: str) -> None:
        self._failure = f"the control plane's answer: {failure.flag}{': ' + detail if detail else ''}"
        self._over = True
        self._arrived.set()
        if not self._head.done():
            self._head.set_exception(ControlError(self._failure))

    def pause_reading(self) -> None:
        """Requests to the control plane are small."""

    def resume_reading(self) -> None:
        """See `pause_reading`."""


class _Home:
    """Connections to the control plane are used once."""

    max_header_bytes = 16 * 1024
    max_headers = 64

    def released(self, connection: Upstream) -> None:
        connection.close()

    def lost(self, connection: Upstream) -> None:
        """Nobody waits for it."""


class ControlPlane:
    """Where it is and who it has to be; `name` is ours."""

    def __init__(self, name: str, endpoint: Endpoint, spiffe_id: str, bundle: str, credentials: Credentials) -> None:
        self.name = name
        self._endpoint = endpoint
        self._accepted = frozenset((spiffe_id,))
        self._bundle = bundle
        self._credentials = credentials

    async def post(self, path: str, body: bytes, kind: str, token: str = "") -> bytes:
        """Posts for this proxy's name; the body of a 2xx answer. With a token, no certificate of ours is shown."""
        authorization = f"authorization: Bearer {token}\r\n" if token else ""
        head = f"content-type: {kind}\r\ncontent-length: {len(body)}\r\n{authorization}"
        try:
            async with asyncio.timeout(ANSWER_S):
                stream = await self._ask("POST", f"{path}?name={self.name}", head, body, anonymous=bool(token))
                return await stream.read_all()
        except TimeoutError as error:
            raise ControlError(f"the control plane at {self._endpoint} did not answer in {ANSWER_S:g} s") from error

    async def stream(self, path: str) -> Stream:
        """Gets a path; the answer's head is there and its status is 2xx."""
        async with asyncio.timeout(ANSWER_S):
            return await self._ask("GET", path, "", b"", anonymous=False)

    async def _ask(self, method: str, path: str, fields: str, body: bytes, anonymous: bool) -> Stream:
        connection, stream = await self._connect(anonymous), Stream()
        stream.connection = connection
        head = f"{method} {path} HTTP/1.1\r\nhost: {self._endpoint}\r\n{fields}\r\n"
        connection.start(stream, head.encode() + body, bodiless=False)
        try:
            await self._check(stream, f"{method} {path}")
        except BaseException:
            stream.close()
            raise
        return stream

    async def _check(self, stream: Stream, asked: str) -> None:
        status = await stream.status()
        if status // 100 != 2:
            said = (await stream.read_all()).decode(errors="replace").strip()
            raise ControlError(f"the control plane at {self._endpoint} answers {status} to {asked}: {said:.300}")

    async def _connect(self, anonymous: bool) -> Upstream:
        loop = asyncio.get_running_loop()
        context = tls.anonymous(self._bundle) if anonymous else self._credentials.client
        if context is None:
            raise ControlError("there is no certificate yet")
        session = TlsSession(context, server=False)
        connection = Upstream(_Home(), loop, session, self._accepted, self._credentials.generation)
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: connection, self._endpoint.address, self._endpoint.port)
                await connection.ready
        except (OSError, TimeoutError, PeerRefused) as error:
            connection.abort()
            raise ControlError(
                f"no connection to the control plane at {self._endpoint}: {error or 'timeout'}"
            ) from error
        return connection
