"""A line per request, kept until it is worth writing: `outbound GET /x b 200 183` (direction, method, target, host, status or
0 for a client that went, µs). Knows no file: what writes is passed in.
"""

from collections.abc import Callable

from meshes.builtin.proxy.request import RequestHead

FULL_BYTES = 65536


class AccessLog:
    """Lines of one direction. `write` gets many at once: when there are 64 KiB of them, and whenever `flush` is called."""

    __slots__ = ("_direction", "_lines", "_size", "_write")

    def __init__(self, direction: str, write: Callable[[bytes], object]) -> None:
        self._direction = direction.encode()
        self._lines: list[bytes] = []
        self._size = 0
        self._write = write

    def note(self, request: RequestHead, status: int, elapsed_ns: int) -> None:
        """One request that is over."""
        method, target, _ = request.lead.split(b" ", 2)
        line = b"%b %b %b %b %d %d\n" % (
            self._direction,
            method,
            target,
            request.host or b"-",
            status,
            elapsed_ns // 1000,
        )
        self._lines.append(line)
        self._size += len(line)
        if self._size >= FULL_BYTES:
            self.flush()

    def flush(self) -> None:
        """Writes what there is."""
        if self._lines:
            text, self._lines, self._size = b"".join(self._lines), [], 0
            self._write(text)
