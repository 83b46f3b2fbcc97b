"""Envoys whose traffic the kernel redirects to them, as in a pod: real iptables in network namespaces, no cluster."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from meshes.identity.names import spiffe_id
from tests.meshes.captured_story import HERE, PODS, UID

pytestmark = pytest.mark.system

Json = dict[str, Any]

PREFIX = f"hx{os.getpid()}"
NEEDED = ("ip", "iptables", "setpriv", "curl")
RULES = (
    f"OUTPUT -p tcp -m owner --uid-owner {UID} -j RETURN",
    "OUTPUT -p tcp -d 127.0.0.0/8 -j RETURN",
    "OUTPUT -p tcp -j REDIRECT --to-ports 15001",
    "PREROUTING -p tcp --dport 8081 -j RETURN",
    "PREROUTING -p tcp --dport 15090 -j RETURN",
    "PREROUTING -p tcp -j REDIRECT --to-ports 15006",
)


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, timeout=60)


def ip(namespace: str, *words: str) -> None:
    run("ip", "-n", PREFIX + namespace, *words)


def make_network() -> None:
    """Three namespaces on one bridge: c in the middle, and two pods whose TCP is redirected."""
    for each in ("c", *PODS):
        run("ip", "netns", "add", PREFIX + each)
        ip(each, "link", "set", "lo", "up")
    ip("c", "link", "add", "br0", "type", "bridge")
    ip("c", "addr", "add", f"{HERE}/24", "dev", "br0")
    ip("c", "link", "set", "br0", "up")
    for pod, address in PODS.items():
        ip(pod, "link", "add", "eth0", "type", "veth", "peer", "name", f"to-{pod}", "netns", f"{PREFIX}c")
        ip("c", "link", "set", f"to-{pod}", "master", "br0", "up")
        ip(pod, "addr", "add", f"{address}/24", "dev", "eth0")
        ip(pod, "link", "set", "eth0", "up")
        ip(pod, "route", "add", "default", "via", HERE)
        for rule in RULES:
            run("ip", "netns", "exec", PREFIX + pod, "iptables", "-t", "nat", "-A", *rule.split())


@contextmanager
def network() -> Iterator[None]:
    try:
        try:
            make_network()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces can't be made here: {error.stderr.strip()}")
        yield
    finally:
        for each in ("c", *PODS):
            subprocess.run(["ip", "netns", "del", PREFIX + each], capture_output=True, check=False)


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, tuple[int, Json]]]:
    """Status and what the app saw, of every call. The folder is one that Envoy's own user may enter."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        pytest.skip(f"redirecting traffic needs root and {', '.join(NEEDED)}; missing: {', '.join(missing) or 'root'}")
    with network(), TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        run(
            "ip",
            "netns",
            "exec",
            f"{PREFIX}c",
            sys.executable,
            "-m",
            "tests.meshes.captured_story",
            PREFIX,
            str(folder),
        )
        yield {name: (status, body) for name, (status, body) in json.loads((folder / "seen.json").read_text()).items()}


def test_the_app_calls_a_service_by_name_and_knows_nothing(seen: dict[str, tuple[int, Json]]) -> None:
    status, body = seen["by name"]

    assert (status, body["port"]) == (200, 8080)
    assert f"URI={spiffe_id('a')}" in body["peer"]


@pytest.mark.parametrize("call", ["plaintext", "plaintext to another port", "plaintext to the listener", "admin"])
def test_from_outside_nobody_gets_in_without_a_certificate(seen: dict[str, tuple[int, Json]], call: str) -> None:
    assert seen[call][0] == 0


@pytest.mark.parametrize(
    ("call", "port"), [("member", 8080), ("member to the listener", 8080), ("member to another port", 9999)]
)
def test_a_member_of_the_mesh_reaches_every_port(seen: dict[str, tuple[int, Json]], call: str, port: int) -> None:
    status, body = seen[call]

    assert (status, body["port"]) == (200, port)
    assert bool(body["peer"]) is (port == 8080)


@pytest.mark.parametrize(("call", "port"), [("unknown host", 8080), ("unknown port", 9999), ("excluded port", 8081)])
def test_what_the_mesh_does_not_know_is_left_alone(seen: dict[str, tuple[int, Json]], call: str, port: int) -> None:
    assert seen[call] == (200, {"port": port, "peer": ""})


def test_a_call_to_the_outbound_listener_itself_does_not_go_in_circles(seen: dict[str, tuple[int, Json]]) -> None:
    assert seen["in a circle"][0] == 0


def test_probes_and_scrapers_see_metrics_and_cannot_stop_anything(seen: dict[str, tuple[int, Json]]) -> None:
    assert seen["metrics"][0] == 200
    assert seen["stop by the metrics port"][0] == 404
