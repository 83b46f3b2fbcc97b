"""What a request costs in reads and writes of the real program, as the kernel counts them: policies add none."""

import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshes.builtin.policies import Breaker, Ejection, Retry, Split, Tracing
from meshes.builtin.snapshot import Cluster, Endpoint, Outbound, Snapshot
from tests.meshes.builtin.proxy.test_process import HOST, command, from_files, until

pytestmark = pytest.mark.system

REQUESTS = 500
PER_REQUEST = 4
"""The request read and passed on, its answer read and passed on."""
BESIDE = 20
"""The access log is written once a second, and a page is asked for."""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
POLICIES: dict[str, Any] = {
    "retry": Retry(2, 5.0, 0.2, 3, 0.025, 0.25),
    "breaker": Breaker(64, 64),
    "ejection": Ejection(5, 30.0, 0.5),
    "split": Split(0.2),
}


@contextmanager
def app() -> Iterator[Endpoint]:
    """Answers whatever comes on connections that stay, one thread each."""
    with socket.create_server((HOST, 0)) as server:

        def serve(connection: socket.socket) -> None:
            with connection:
                while connection.recv(65536):
                    connection.sendall(ANSWER)

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield Endpoint(HOST, server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def reads_and_writes(pid: int) -> int:
    """All that a process has made so far."""
    lines = (line.split() for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return sum(int(count) for name, count in lines if name in ("syscr:", "syscw:"))


@pytest.mark.parametrize("policed", [False, True])
def test_a_request_costs_four_reads_and_writes_with_and_without_policies(tmp_path: Path, *, policed: bool) -> None:
    bootstrap = from_files(tmp_path)
    with app() as endpoint:
        plain = Snapshot.from_json((tmp_path / "snapshot.json").read_bytes())
        cluster = Cluster("b", (endpoint,), mtls=False, **(POLICIES if policed else {}))
        more: dict[str, Any] = {"access_log": True, "tracing": Tracing(0.0)} if policed else {}
        made = replace(plain, outbound=Outbound({"b": "b"}), clusters=(cluster,), **more)
        (tmp_path / "snapshot.json").write_text(made.to_json())
        log = tmp_path / "log"
        with log.open("wb") as out, subprocess.Popen(command(bootstrap), stdout=out) as process:
            try:
                until(f"http://{HOST}:15000/ready", "ready")
                spent = asked(process.pid)
            finally:
                process.terminate()
                process.wait(5)
        assert PER_REQUEST * REQUESTS <= spent <= PER_REQUEST * REQUESTS + BESIDE
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        assert [line["status"] for line in lines] == [200] * (REQUESTS + 1) * policed


def asked(pid: int) -> int:
    """Reads and writes of so many requests over one connection that is warm."""
    with socket.create_connection((HOST, 15001)) as client:
        before = 0
        for number in range(REQUESTS + 1):
            if number == 1:
                before = reads_and_writes(pid)
            client.sendall(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n")
            assert client.recv(65536).endswith(b"ok")
        return reads_and_writes(pid) - before
