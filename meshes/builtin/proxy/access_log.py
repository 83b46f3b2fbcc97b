"""A line of JSON per request, kept until it is worth writing. Knows no file: what writes is passed in.

```json
{"time":1732339200.123,"direction":"outbound","method":"GET","path":"/x","host":"b","status":200,"flag":"","duration_us":183,
 "bytes_in":0,"bytes_out":12,"endpoint":"127.77.0.2:15006","peer":"spiffe://hoptax.test/a"}
```
`status` 0: the client went before its answer. `flag` says why the proxy answered itself; `peer` is the caller's proven identity.
"""

from collections.abc import Callable

from meshes.builtin.proxy.request import RequestHead

FULL_BYTES = 65536


class AccessLog:
    """Lines of one direction. `write` gets many at once: when there are 64 KiB of them, and whenever `flush` is called. `now_ns` is Unix
    time."""

    __slots__ = ("_direction", "_lines", "_now_ns", "_size", "_write")

    def __init__(self, direction: str, write: Callable[[bytes], object], now_ns: Callable[[], int]) -> None:
        self._direction = direction.encode()
        self._lines: list[bytes] = []
        self._size = 0
        self._write = write
        self._now_ns = now_ns

    def note(
        self,
        request: RequestHead,
        status: int,
        flag: str,
        elapsed_ns: int,
        bytes_in: int,
        bytes_out: int,
        endpoint: str,
        peer: str,
    ) -> None:
        """One request that is over. Targets have visible ASCII only, so two characters are all that JSON needs escaped."""
        method, target, _ = request.lead.split(b" ", 2)
        line = (
            b'{"time":%d.%03d,"direction":"%b","method":"%b","path":"%b","host":"%b","status":%d,"flag":"%b","duration_us":%d,'
            b'"bytes_in":%d,"bytes_out":%d,"endpoint":"%b","peer":"%b"}\n'
        ) % (
            *divmod(self._now_ns() // 1_000_000, 1000),
            self._direction,
            method,
            target.replace(b"\\", b"\\\\").replace(b'"', b'\\"'),
            request.host,
            status,
            flag.encode(),
            elapsed_ns // 1000,
            bytes_in,
            bytes_out,
            endpoint.encode(),
            peer.encode(),
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
