"""The interposer: a TCP relay that may hold back what goes from caller to callee. A program of its own; it knows no HTTP and no TLS.

    python -m harness.faults.interposer FILE      FILE: {"listen": [IP, PORT], "to": [IP, PORT], "control": [IP, PORT]}

Its control port takes one line of JSON per connection and answers with one: {"delay_ns": 25000000, "for_ns": 2000000000} begins
a delay that ends by itself, {"delay_ns": 0} ends it now; both answer {"at_ns": …}, when it did. {} asks for its counters. Bytes stay in
order: what comes after a delay waits behind what it held back.
"""

import json
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

CHUNK_BYTES = 1 << 16
HELD_BYTES = 1 << 20
"""In one direction of one connection; beyond it the sender waits."""
CONNECT_WITHIN_S = 1.0
_RESET = struct.pack("ii", 1, 0)
_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT


class Delay:
    """How long what is relayed now is held back; `chunks` and `delayed` count pieces from callers."""

    def __init__(self) -> None:
        self.ns = self.until_ns = self.chunks = self.delayed = self.connections = 0

    def begin(self, ns: int, for_ns: int, now_ns: int) -> int:
        """Hold back from now on; when it began."""
        self.ns, self.until_ns = ns, now_ns + for_ns
        return now_ns

    def end(self, now_ns: int) -> int:
        """When it ended: now, or before by itself."""
        self.until_ns = min(self.until_ns, now_ns)
        return self.until_ns

    def release_ns(self, now_ns: int) -> int:
        """When a piece that came from a caller now may go on."""
        self.chunks += 1
        if now_ns >= self.until_ns:
            return now_ns
        self.delayed += 1
        return now_ns + self.ns


class Loop:
    """Readiness of sockets, and times. `select` waits with microseconds where `epoll` has milliseconds."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}
        self._events: dict[int, int] = {}
        self.streams: set[Stream] = set()

    def watch(self, sock: socket.socket, events: int, call: Callable[[int], None]) -> None:
        """Call with the events; replaces what was asked before for this socket."""
        fd = sock.fileno()
        if fd not in self._calls:
            self._epoll.register(fd, events)
        elif self._events[fd] != events:
            self._epoll.modify(fd, events)
        self._calls[fd], self._events[fd] = call, events

    def forget(self, sock: socket.socket) -> None:
        """Before it is closed."""
        if self._calls.pop(sock.fileno(), None):
            self._epoll.unregister(sock.fileno())

    def run(self) -> None:
        """For ever."""
        while True:
            held = [stream.next_ns for stream in self.streams if stream.next_ns]
            wait_s = max(0, min(held) - time.monotonic_ns()) / 1e9 if held else None
            if select.select([self._epoll.fileno()], [], [], wait_s)[0]:
                for fd, events in self._epoll.poll(0):
                    if call := self._calls.get(fd):
                        call(events)
            now_ns = time.monotonic_ns()
            for stream in [stream for stream in self.streams if 0 < stream.next_ns <= now_ns]:
                stream.flush()


class Stream:
    """One direction of a connection: what came from `source` and hasn't gone to `sink` yet. `next_ns` is 0 if nothing waits for a time."""

    def __init__(self, pair: "Pair", source: socket.socket, sink: socket.socket, delay: Delay | None) -> None:
        self.pair, self.source, self.sink, self._delay = pair, source, sink, delay
        self._held: deque[tuple[int, bytes]] = deque()
        self._bytes = 0
        self._last_ns = 0
        self.next_ns = 0
        self.blocked = self.full = self.ended = self.over = False

    def receive(self) -> None:
        """Read once; an empty piece is the end, and goes through the line like others."""
        try:
            data = self.source.recv(CHUNK_BYTES)
        except BlockingIOError:
            return
        now_ns = time.monotonic_ns()
        release_ns = self._delay.release_ns(now_ns) if self._delay else now_ns
        self._last_ns = max(self._last_ns, release_ns)
        self.ended = not data
        self._bytes += len(data)
        self.full = self._bytes >= HELD_BYTES
        self._held.append((self._last_ns, data))
        self.flush()

    def flush(self) -> None:
        """Send what may go."""
        try:
            self._send()
        except OSError:
            self.pair.abort()
            return
        self.pair.settle()

    def _send(self) -> None:
        self.next_ns, self.blocked = 0, False
        while self._held and not self.blocked:
            release_ns, data = self._held[0]
            if release_ns > time.monotonic_ns():
                self.next_ns = release_ns
                break
            self._held.popleft()
            self._pass(data)
        self.full = self._bytes >= HELD_BYTES

    def _pass(self, data: bytes) -> None:
        if not data:
            self.over = True
            self.sink.shutdown(socket.SHUT_WR)
            return
        try:
            sent = self.sink.send(data)
        except BlockingIOError:
            sent = 0
        self._bytes -= sent
        if sent < len(data):
            self.blocked = True
            self._held.appendleft((0, data[sent:]))


class Pair:
    """A caller's connection and ours to the callee."""

    def __init__(self, loop: Loop, caller: socket.socket, callee: socket.socket, delay: Delay) -> None:
        self._loop = loop
        self._there = Stream(self, caller, callee, delay)
        self._back = Stream(self, callee, caller, None)
        loop.streams |= {self._there, self._back}
        for sock in (caller, callee):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.settle()

    def settle(self) -> None:
        """Ask for what each socket can be used for now, or close both when all is said."""
        if self._there.over and self._back.over:
            self._close()
            return
        for reads, writes in ((self._there, self._back), (self._back, self._there)):
            events = (0 if reads.ended or reads.full else _READ) | (_WRITE if writes.blocked else 0)
            self._loop.watch(reads.source, events, partial(self._on, reads=reads, writes=writes))

    def _on(self, events: int, *, reads: Stream, writes: Stream) -> None:
        try:
            if events & _WRITE:
                writes.flush()
            if reads in self._loop.streams and not reads.ended and events & ~_WRITE:
                reads.receive()
            elif events & (select.EPOLLERR | select.EPOLLHUP):
                self.abort()
        except OSError:
            self.abort()

    def abort(self) -> None:
        """Reset both: one side is broken, so the other must not take it for an orderly end."""
        for sock in (self._there.source, self._back.source):
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._close()

    def _close(self) -> None:
        self._loop.streams -= {self._there, self._back}
        for sock in (self._there.source, self._back.source):
            if sock.fileno() >= 0:
                self._loop.forget(sock)
                sock.close()


def accept(loop: Loop, listener: socket.socket, to: tuple[str, int], delay: Delay) -> None:
    """A caller came: connect it, or reset it if the callee isn't there."""
    caller, _ = listener.accept()
    callee = socket.socket()
    callee.settimeout(CONNECT_WITHIN_S)
    delay.connections += 1
    try:
        callee.connect(to)
    except OSError:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        caller.close()
        callee.close()
        return
    Pair(loop, caller, callee, delay)


def answer(listener: socket.socket, delay: Delay) -> None:
    """One command, one answer; who sends none within a second gets none."""
    asker, _ = listener.accept()
    with asker, suppress(OSError, ValueError):
        asker.settimeout(1.0)
        line = asker.makefile("rb").readline()
        asker.sendall(json.dumps(obey(json.loads(line), delay, time.monotonic_ns())).encode() + b"\n")


def obey(command: dict[str, int], delay: Delay, now_ns: int) -> dict[str, int]:
    """The answer to a command."""
    if command.get("delay_ns"):
        return {"at_ns": delay.begin(command["delay_ns"], command["for_ns"], now_ns)}
    if "delay_ns" in command:
        return {"at_ns": delay.end(now_ns)}
    return {"chunks": delay.chunks, "delayed": delay.delayed, "connections": delay.connections}


def main() -> None:
    """Relay until killed."""
    document = json.loads(Path(sys.argv[1]).read_text())
    loop, delay = Loop(), Delay()
    to = (document["to"][0], document["to"][1])
    listener = socket.create_server(tuple(document["listen"]), backlog=512)
    control = socket.create_server(tuple(document["control"]), backlog=16)
    loop.watch(listener, _READ, lambda _events: accept(loop, listener, to, delay))
    loop.watch(control, _READ, lambda _events: answer(control, delay))
    loop.run()


if __name__ == "__main__":
    main()
