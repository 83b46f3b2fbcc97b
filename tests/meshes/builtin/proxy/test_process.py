"""The program as it is started: what it imports, how it ends, and how it lives with a control plane."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from meshes.builtin.plan import LEAN
from meshes.builtin.snapshot import Endpoint, Inbound, Snapshot
from meshes.identity.names import CONTROL_PLANE, TRUST_DOMAIN, spiffe_id
from tests.meshes.builtin.proxy.pair import certificates

pytestmark = pytest.mark.system

HOST, CONTROL = "127.84.12.1", "127.84.12.9"
HEAVY = (
    "grpc",
    "pandas",
    "numpy",
    "pydantic",
    "cryptography",
    "argparse",
    "logging.config",
    "ctypes",
    "unittest",
    "yaml",
)


def command(bootstrap: Path) -> list[str]:
    return [sys.executable, *LEAN, "-m", "meshes.builtin.proxy", str(bootstrap)]


@contextmanager
def running(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def page(url: str) -> str:
    with urlopen(url, timeout=2) as answer:
        return str(answer.read().decode())


def until(url: str, pattern: str = "", within_s: float = 15) -> str:
    deadline, said = time.monotonic() + within_s, ""
    while True:
        try:
            if re.search(pattern, said := page(url)):
                return said
        except (URLError, OSError):
            pass
        assert time.monotonic() < deadline, f"{url} does not say {pattern!r}, but {said!r}"
        time.sleep(0.02)  # between two looks at another process


def from_files(folder: Path) -> Path:
    certificates(folder, "a")
    inbound = Inbound(Endpoint(HOST, 8080))
    (folder / "snapshot.json").write_text(Snapshot(1, spiffe_id("a"), TRUST_DOMAIN, inbound).to_json())
    identity = folder / "a"
    document = {
        "name": "a-0",
        "address": HOST,
        "spiffe_id": spiffe_id("a"),
        "ca": str(identity / "ca.pem"),
        "snapshot": str(folder / "snapshot.json"),
        "cert": str(identity / "cert.pem"),
        "key": str(identity / "key.pem"),
    }
    (folder / "bootstrap.json").write_text(json.dumps(document))
    return folder / "bootstrap.json"


def test_it_starts_from_files_and_ends_on_sigterm(tmp_path: Path) -> None:
    with running(command(from_files(tmp_path))) as process:
        until(f"http://{HOST}:15000/ready", "ready")
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, meshes.builtin.proxy.__main__; print(' '.join(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, *LEAN, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not [name for name in HEAVY if name in loaded]
    ours = {name for name in loaded if name.startswith(("meshes.", "harness"))}
    allowed = ("meshes.builtin.proxy", "meshes.builtin.snapshot", "meshes.builtin.reading", "meshes.builtin.policies")
    assert all(name == "meshes.builtin" or name.startswith(allowed) for name in ours)


def test_a_port_that_is_taken_is_said(tmp_path: Path) -> None:
    bootstrap = from_files(tmp_path)
    with running(command(bootstrap)) as first:
        until(f"http://{HOST}:15000/ready")
        second = subprocess.run(command(bootstrap), capture_output=True, text=True, check=False, timeout=20)
        assert second.returncode == 4
        assert second.stderr.count("\n") == 1
        assert f"{HOST}:15006 can't be listened on" in second.stderr
        first.terminate()


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "can't be read"), ('{"name": "a"}', "bootstrap.address is missing"), ("[]", "it has to be an object")],
)
def test_a_bad_bootstrap_file_is_said(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "bootstrap.json").write_text(content)
    ended = subprocess.run(
        command(tmp_path / "bootstrap.json"), capture_output=True, text=True, check=False, timeout=20
    )
    assert ended.returncode == 2
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def mesh(routes: list[str]) -> dict[str, Any]:  # Any: JSON values
    return {
        "mtls": True,
        "balancing": "round-robin",
        "leaf_lifetime_s": 2,
        "access_log": False,
        "timeouts": {"connect_s": 1.0, "request_s": 15.0, "idle_s": 300.0},
        "limits": {
            "max_header_bytes": 61440,
            "max_headers": 100,
            "max_connections": 64,
            "max_requests": 64,
            "buffer_bytes": 65536,
        },
        "services": {
            "a": {"endpoints": [f"{HOST}:15006"], "calls": routes},
            "b": {"endpoints": ["127.84.12.2:15006"], "calls": []},
        },
        "proxies": {"a-0": {"service": "a", "app": f"{HOST}:8080", "token": "secret"}},
    }


@pytest.fixture
def controlled(tmp_path: Path) -> Path:
    """A folder with everything for a control plane and one proxy."""
    certificates(tmp_path, "control", "a")
    (tmp_path / "mesh.json").write_text(json.dumps(mesh([])))
    control = {
        "address": CONTROL,
        "port": 15010,
        "admin_port": 15000,
        "mesh": str(tmp_path / "mesh.json"),
        "identity": str(tmp_path / "control"),
        "authority": str(tmp_path / "authority"),
    }
    (tmp_path / "control.json").write_text(json.dumps(control))
    bootstrap = {
        "name": "a-0",
        "address": HOST,
        "spiffe_id": spiffe_id("a"),
        "control": {"address": f"{CONTROL}:15010", "spiffe_id": CONTROL_PLANE},
        "ca": str(tmp_path / "authority" / "ca.pem"),
        "token": "secret",
    }
    (tmp_path / "proxy").mkdir()
    (tmp_path / "proxy" / "bootstrap.json").write_text(json.dumps(bootstrap))
    return tmp_path


def test_it_lives_with_a_control_plane_and_without(controlled: Path) -> None:
    """It waits for the control plane, obeys it, renews its certificate, outlives it, and obeys its successor."""
    control = [sys.executable, "-m", "meshes.builtin.control", str(controlled / "control.json")]
    ready, dump, metrics = (f"http://{HOST}:{tail}" for tail in ("15000/ready", "15000/config_dump", "15090/metrics"))
    with running(command(controlled / "proxy" / "bootstrap.json")) as proxy:
        with running(control):
            until(ready)
            assert '"routes":{}' in page(dump)
            (controlled / "mesh.json").write_text(json.dumps(mesh(["b"])))
            until(dump, r'"routes":\{"b":"b"\}')
            until(f"http://{CONTROL}:15000/status", '"error": ""')
            until(metrics, r"hoptax_certificates_total ([3-9]|\d\d)\n")
            assert not list((controlled / "proxy" / "identity").glob("chain*"))
        until(metrics, "hoptax_control_errors_total")
        assert '"routes":{"b":"b"}' in page(dump)
        (controlled / "mesh.json").write_text(json.dumps(mesh([])))
        with running(control):
            until(dump, r'"routes":\{\}')
        proxy.terminate()
        assert proxy.wait(5) == 0
