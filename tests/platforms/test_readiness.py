"""What counts as ready, against servers of a few lines."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from harness.model.plan import Ready
from harness.platforms import readiness
from harness.platforms.readiness import is_ready

HERE, PORT = "127.83.1.1", 8080
BY_HTTP, BY_TCP = Ready(PORT, "/ready"), Ready(PORT)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((HERE, PORT)) as listener:
        yield listener


def answering(listener: socket.socket, answer: bytes) -> threading.Thread:
    def serve() -> None:
        served, _ = listener.accept()
        with served, suppress(ConnectionError):
            served.recv(4096)
            served.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


@pytest.mark.parametrize("ready", [BY_HTTP, BY_TCP])
def test_where_nobody_listens_nobody_is_ready(ready: Ready) -> None:
    assert not is_ready(HERE, ready)


def test_without_a_path_a_connection_is_enough(listener: socket.socket) -> None:
    assert is_ready(HERE, BY_TCP)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", True),
        (b"HTTP/1.1 503 Not Yet\r\ncontent-length: 0\r\n\r\n", False),
        (b"HTTP/1.1 204 Empty\r\n\r\n", False),
        (b"SSH-2.0-nonsense\r\n", False),
        (b"", False),
    ],
)
def test_with_a_path_it_takes_an_answer_of_200(listener: socket.socket, answer: bytes, expected: bool) -> None:
    server = answering(listener, answer)
    assert is_ready(HERE, BY_HTTP) is expected
    server.join()


def test_a_unit_that_accepts_and_says_nothing_is_not_ready(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "ANSWER_WITHIN_S", 0.01)
    assert not is_ready(HERE, BY_HTTP)
