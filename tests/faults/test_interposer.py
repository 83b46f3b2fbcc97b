"""The interposer as a program: bytes arrive whole and in order, held back as long as told, in one direction only."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness.faults.interposer import Delay, obey

WITHIN_S = 10.0
NS = 1_000_000_000


def test_a_delay_ends_by_itself() -> None:
    delay = Delay()
    assert obey({"delay_ns": 5, "for_ns": 100}, delay, 1000) == {"at_ns": 1000}
    assert [delay.release_ns(now) for now in (1000, 1099, 1100)] == [1005, 1104, 1100]
    assert obey({}, delay, 1200) == {"chunks": 3, "delayed": 2, "connections": 0}


def test_a_delay_that_is_ended_says_when_it_ended() -> None:
    delay = Delay()
    obey({"delay_ns": 5, "for_ns": 100}, delay, 1000)
    assert obey({"delay_ns": 0}, delay, 1050) == {"at_ns": 1050}
    assert delay.release_ns(1051) == 1051
    assert obey({"delay_ns": 0}, delay, 1200) == {"at_ns": 1050}


class Wired:
    """A callee that we play ourselves, with an interposer before it."""

    def __init__(self, folder: Path, listening: bool = True) -> None:
        block = f"127.90.{os.getpid() % 250 + 1}"
        self.via, self.to, self.control = (f"{block}.1", 8080), (f"{block}.2", 8080), (f"{block}.1", 15080)
        self.callee = socket.create_server(self.to) if listening else None
        document = {"listen": self.via, "to": self.to, "control": self.control}
        (folder / "wire.json").write_text(json.dumps(document))
        words = [sys.executable, "-m", "harness.faults.interposer", str(folder / "wire.json")]
        self.process = subprocess.Popen(words)
        self.tell({})

    def tell(self, command: dict[str, int]) -> dict[str, int]:
        give_up = time.monotonic() + WITHIN_S
        while True:
            with suppress(ConnectionRefusedError), socket.create_connection(self.control, WITHIN_S) as asked:
                asked.sendall(json.dumps(command).encode() + b"\n")
                answer: dict[str, int] = json.loads(asked.makefile("rb").readline())
                return answer
            assert time.monotonic() < give_up

    def pair(self) -> tuple[socket.socket, socket.socket]:
        caller = socket.create_connection(self.via, WITHIN_S)
        assert self.callee is not None
        callee, _ = self.callee.accept()
        callee.settimeout(WITHIN_S)
        return caller, callee

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.callee is not None:
            self.callee.close()


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    wired = Wired(tmp_path)
    yield wired
    wired.close()


def read(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size and (more := sock.recv(1 << 16)):
        data += more
    return data


@pytest.mark.system
def test_bytes_pass_both_ways_and_an_end_passes_after_them(wired: Wired) -> None:
    caller, callee = wired.pair()
    with caller, callee:
        caller.sendall(b"ask")
        assert read(callee, 3) == b"ask"
        callee.sendall(b"answer")
        assert read(caller, 6) == b"answer"
        caller.shutdown(socket.SHUT_WR)
        assert callee.recv(10) == b""
        callee.sendall(b"last")
        callee.close()
        assert read(caller, 10) == b"last"
    assert wired.tell({})["connections"] == 1


@pytest.mark.system
def test_much_more_than_it_holds_arrives_whole(wired: Wired) -> None:
    caller, callee = wired.pair()
    sent = os.urandom(8 << 20)
    with caller, callee:
        sender = threading.Thread(target=caller.sendall, args=(sent,))
        sender.start()
        assert read(callee, len(sent)) == sent
        sender.join(WITHIN_S)


@pytest.mark.system
def test_what_a_caller_sends_is_held_back_and_answers_are_not(wired: Wired) -> None:
    caller, callee = wired.pair()
    with caller, callee:
        wired.tell({"delay_ns": NS // 5, "for_ns": 30 * NS})
        sent_ns = time.monotonic_ns()
        caller.sendall(b"ask")
        assert read(callee, 3) == b"ask"
        there_ns = time.monotonic_ns()
        callee.sendall(b"answer")
        assert read(caller, 6) == b"answer"
        back_ns = time.monotonic_ns()
    assert NS // 5 <= there_ns - sent_ns < NS
    assert back_ns - there_ns < NS // 5
    assert wired.tell({})["delayed"] >= 1


@pytest.mark.system
def test_what_comes_after_a_delay_waits_behind_it(wired: Wired) -> None:
    caller, callee = wired.pair()
    with caller, callee:
        wired.tell({"delay_ns": NS // 5, "for_ns": 30 * NS})
        caller.sendall(b"first ")
        while not wired.tell({})["delayed"]:
            pass
        wired.tell({"delay_ns": 0})
        caller.sendall(b"second")
        assert read(callee, 12) == b"first second"


@pytest.mark.system
def test_a_callee_that_is_not_there_is_a_reset(tmp_path: Path) -> None:
    wired = Wired(tmp_path, listening=False)
    try:
        with pytest.raises(ConnectionResetError), socket.create_connection(wired.via, WITHIN_S) as caller:
            caller.recv(1)
    finally:
        wired.close()


@pytest.mark.system
def test_a_callee_that_resets_resets_the_caller(wired: Wired) -> None:
    caller, callee = wired.pair()
    with caller:
        caller.sendall(b"ask")
        assert read(callee, 3) == b"ask"
        callee.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        callee.close()
        with pytest.raises(ConnectionResetError):
            caller.recv(1)
    other, there = wired.pair()
    with other, there:
        other.sendall(b"still relaying")
        assert read(there, 14) == b"still relaying"
