"""A transport without a socket: it keeps what is written, and loses the connection when the test says so."""

import asyncio


class FakeTransport(asyncio.Transport):
    """Like a real one it ignores nothing: writing after `close` is recorded as a fault of the protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.late = b""
        self.closed = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self.closed:
            self.late += bytes(data)
        else:
            self.written += bytes(data)

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return self.closed
