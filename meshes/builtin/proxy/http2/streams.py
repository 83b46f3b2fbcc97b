"""Streams of one connection: what each may still send and take (RFC 9113 §5.1, §5.2), and how hard a peer may try us. Pure."""

from collections import deque
from typing import Final

from meshes.builtin.proxy.http2.frames import Code, ConnectionFault

PATIENCE: Final = 1000
"""Frames that ask for work and bring nothing (PING, SETTINGS, PRIORITY, RST_STREAM, empty DATA, …) in a row."""
EARNED: Final = 20
"""For a frame that brings something."""
FREE_RESETS: Final = 100
"""Streams that may be opened and reset before their answer, whatever else the connection does; beyond it, half of all streams."""


class StreamFault(Exception):
    """The peer broke the protocol in one stream: it is reset with this code."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail


class Stream:
    """`window` is what may be sent, `room` what may still come; `pending` waits for a window. `head` is true once the peer's head is
    here, `left` counts a stated length down (None if there is none). `blocked` is set by who writes and wants to be told when it drained."""

    __slots__ = (
        "blocked", "consumed", "end", "head", "id", "left", "local_done", "pending", "pending_bytes", "remote_done", "room",
        "trailers", "window",
    )  # fmt: skip

    def __init__(self, number: int, window: int, room: int) -> None:
        self.id = number
        self.window = window
        self.room = room
        self.consumed = 0
        self.pending: deque[bytes] = deque()
        self.pending_bytes = 0
        self.end = False
        self.trailers = b""
        self.head = False
        self.left: int | None = None
        self.local_done = False
        self.remote_done = False
        self.blocked = False

    def took(self, payload_bytes: int, *, end: bool) -> None:
        """Data came; StreamFault if it isn't as long as was stated (§8.1.1)."""
        if self.left is None:
            return
        self.left -= payload_bytes
        if self.left < 0 or (end and self.left):
            raise StreamFault(Code.PROTOCOL_ERROR, "the body isn't as long as its content-length")

    def put(self, data: bytes) -> None:
        """Data to be sent as windows allow."""
        self.pending.append(data)
        self.pending_bytes += len(data)

    def next_piece(self, most: int) -> bytes:
        """As much of the pending data as may go at once; at least one byte of it."""
        piece = self.pending.popleft()
        if len(piece) > most:
            self.pending.appendleft(piece[most:])
            piece = piece[:most]
        self.pending_bytes -= len(piece)
        self.window -= len(piece)
        return piece


class Patience:
    """How much work for nothing a peer has asked for; no clock, since a peer that also brings something may ask for more."""

    __slots__ = ("_left", "_opened", "_resets")

    def __init__(self) -> None:
        self._left = PATIENCE
        self._opened = 0
        self._resets = 0

    def earn(self) -> None:
        """A frame that brought something."""
        if self._left < PATIENCE:
            self._left += EARNED

    def spend(self, what: str) -> None:
        """A frame that didn't."""
        self._left -= 1
        if self._left < 0:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, f"too many frames that bring nothing, the last is {what}")

    def opened(self) -> None:
        """A stream was."""
        self._opened += 1

    def reset(self) -> None:
        """A stream ended before its answer, by the peer's will or for its fault (CVE-2023-44487, CVE-2025-8671)."""
        self._resets += 1
        if self._resets > FREE_RESETS and 2 * self._resets > self._opened:
            raise ConnectionFault(Code.ENHANCE_YOUR_CALM, f"{self._resets} of {self._opened} streams were reset")
