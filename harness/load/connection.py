"""One keep-alive connection of the engine, with at most one request in flight.

It decides nothing: what comes next, also after a loss, is its owner's business.
"""

import errno
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from harness.load.poller import READ, WRITE, Poller
from harness.wire.response import Head, ResponseError, ResponseParser

RECEIVE_BYTES = 65536
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where connections go: a resolved socket address, TLS or None, and whether answers have bodies (not to HEAD)."""

    family: int
    address: Any  # a sockaddr: its shape depends on the family
    tls: ssl.SSLContext | None
    host: str
    bodiless: bool


class Owner(Protocol):
    """Who uses connections. `lost` says why: a word of ERROR_KINDS; the connection is closed by then."""

    def opened(self, connection: "Connection") -> None: ...

    def answered(self, connection: "Connection", at_ns: int, head: Head) -> None: ...

    def lost(self, connection: "Connection", kind: str) -> None: ...


class Connection:
    """`row` is the request in flight, -1 for none; the owner sets it before `send`. Stamps are CLOCK_MONOTONIC ns.

    `why` says in words how the connection was last lost.
    """

    __slots__ = ("_endpoint", "_fd", "_owner", "_parser", "_poller", "_receive", "_send", "_socket", "_unsent", "first_byte_ns",
                 "is_open", "number", "opening_ns", "received_bytes", "row", "sent_bytes", "why")  # fmt: skip

    def __init__(self, number: int, endpoint: Endpoint, poller: Poller, owner: Owner) -> None:
        self.number = number
        self._endpoint, self._poller, self._owner = endpoint, poller, owner
        self._socket: socket.socket | None = None
        self.is_open = False
        self.row = -1
        self.why = ""
        self.opening_ns = self.first_byte_ns = self.received_bytes = self.sent_bytes = 0

    def open(self) -> None:
        """Begin to connect; `opened` or `lost` follows, maybe before this returns."""
        self._parser = ResponseParser(self._endpoint.bodiless)
        self._unsent = memoryview(b"")
        self.opening_ns = time.monotonic_ns()
        self._socket = sock = socket.socket(self._endpoint.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._fd = sock.fileno()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = sock.connect_ex(self._endpoint.address)
        if error in (0, errno.EINPROGRESS):
            self._poller.watch(self._fd, WRITE, self._on_connected)
        else:
            self._lose("connect", os.strerror(error))

    def send(self, request: bytes) -> None:
        """Write the request; what the kernel doesn't take now follows as soon as it does."""
        self.first_byte_ns = self.received_bytes = 0
        try:
            self.sent_bytes = written = self._send(request)
        except _AGAIN:
            self.sent_bytes = written = 0
        except OSError as error:
            self._lose(_kind(error), str(error))
            return
        if written < len(request):
            self._unsent = memoryview(request)[written:]
            self._poller.watch(self._fd, READ | WRITE, self._on_writable)

    def close(self) -> None:
        """Idempotent; the owner isn't told."""
        if self._socket is not None:
            self._poller.forget(self._fd)
            self._socket.close()
            self._socket = None
        self.is_open = False

    def _lose(self, kind: str, why: str) -> None:
        self.why = why
        self.close()
        self._owner.lost(self, kind)

    def _on_connected(self, _events: int) -> None:
        assert self._socket is not None
        if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._lose("connect", os.strerror(error))
        elif self._endpoint.tls is None:
            self._ready(self._socket.recv)
        else:
            self._socket = secure = self._endpoint.tls.wrap_socket(
                self._socket, server_hostname=self._endpoint.host, do_handshake_on_connect=False
            )
            self._shake_hands(secure)

    def _shake_hands(self, secure: ssl.SSLSocket) -> None:
        try:
            secure.do_handshake()
        except _AGAIN as wants:
            events = READ if isinstance(wants, ssl.SSLWantReadError) else WRITE
            self._poller.watch(self._fd, events, lambda _events: self._shake_hands(secure))
        except OSError as error:
            self._lose("tls", f"TLS handshake: {error}")
        else:
            self._ready(lambda size: _receive_all(secure, size))

    def _ready(self, receive: Callable[[int], bytes]) -> None:
        assert self._socket is not None
        self._send, self._receive = self._socket.send, receive
        self._poller.watch(self._fd, READ, self._on_data)
        self.is_open = True
        self._owner.opened(self)

    def _on_writable(self, events: int) -> None:
        try:
            written = self._send(self._unsent)
        except _AGAIN:
            written = 0
        except OSError as error:
            self._lose(_kind(error), str(error))
            return
        self.sent_bytes += written
        self._unsent = self._unsent[written:]
        if not self._unsent:
            self._poller.watch(self._fd, READ, self._on_data)
        if events & READ:
            self._on_data(events)

    def _on_data(self, _events: int) -> None:
        try:
            data = self._receive(RECEIVE_BYTES)
        except _AGAIN:
            return
        except OSError as error:
            self._lose(_kind(error), str(error))
            return
        at_ns = time.monotonic_ns()
        if not data:
            self._on_end(at_ns)
            return
        self.received_bytes += len(data)
        self.first_byte_ns = self.first_byte_ns or at_ns
        try:
            head = self._parser.feed(data) if self.row >= 0 else _unasked(data)
        except ResponseError as error:
            self._lose("protocol", str(error))
            return
        if head is not None:
            self._answer(at_ns, head)

    def _on_end(self, at_ns: int) -> None:
        head = self._parser.eof() if self.row >= 0 else None
        if head is None:
            self._lose("closed", "the server closed the connection")
        else:
            self._answer(at_ns, head)

    def _answer(self, at_ns: int, head: Head) -> None:
        """An answer before the whole request went out is an answer, but the rest of the request then has no meaning."""
        if not head.keep_alive or self._unsent:
            self.close()
        self._owner.answered(self, at_ns, head)


def _unasked(data: bytes) -> Head:
    raise ResponseError(f"{data[:60]!r} without a request")


def _receive_all(secure: ssl.SSLSocket, size: int) -> bytes:
    """Everything decrypted: bytes left in OpenSSL's buffer wouldn't make the socket readable again."""
    data = secure.recv(size)
    while data and secure.pending():
        data += secure.recv(size)
    return data


def _kind(error: OSError) -> str:
    return "tls" if isinstance(error, ssl.SSLError) else "reset"
