"""The program: bad starts are one sentence, and malformed requests to its open port do no harm."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.meshes.builtin.control.running import ADDRESS, Control

pytestmark = pytest.mark.system


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /v1/watch HTTP/1.1\r\n\r\n", b"400"),
        (b"GET /ready HTTP/1.0\r\nhost: x\r\n\r\n", b"505"),
        (b"GET //[ HTTP/1.1\r\nhost: x\r\n\r\n", b"400"),
        (b"GET /ready HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 9000 + b"\r\n\r\n", b"431"),
        (b"POST /ready HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999\r\n\r\n", b"413"),
        (b"POST /ready HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n", b"400"),
        (b"GET /ready HTTP/1.1\r\nhost: x", b""),
    ],
)
def test_malformed_requests_get_an_answer_and_do_no_harm(control: Control, sent: bytes, status: bytes) -> None:
    with socket.create_connection((ADDRESS, control.admin_port)) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))

    assert answer.split(b" ", 2)[1:2] == ([status] if status else [])
    assert control.admin("/ready") == (200, {})
    assert control.log() == ""


@pytest.mark.parametrize(
    ("content", "said", "code"),
    [("{", "not JSON", 2), ('{"address": 1}', "control.address", 2), (None, "No such file", 4)],
)
def test_a_bad_start_is_one_sentence(tmp_path: Path, content: str | None, said: str, code: int) -> None:
    path = tmp_path / "control.json"
    if content is not None:
        path.write_text(content)

    ended = subprocess.run(
        [sys.executable, "-m", "meshes.builtin.control", str(path)], capture_output=True, text=True, check=False
    )

    assert (ended.returncode, ended.stderr.count("\n")) == (code, 1)
    assert said in ended.stderr


def test_a_taken_port_is_one_sentence(control: Control) -> None:
    second = [sys.executable, "-m", "meshes.builtin.control", str(control.folder / "control.json")]

    ended = subprocess.run(second, capture_output=True, text=True, check=False)

    assert (ended.returncode, ended.stderr.count("\n")) == (4, 1)
    assert str(control.port) in ended.stderr
