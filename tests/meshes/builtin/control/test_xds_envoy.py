"""Real Envoys fed by the control plane: what they carry, and what a change, a mistake, a renewal or a restart does to it."""

import copy
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.model.plan import INBOUND_PORT
from meshes.envoy.bootstrap import token_secret
from meshes.identity.names import spiffe_id
from tests.meshes.builtin.control.running import ADDRESS, Control, eventually, identity, mesh_inputs, running
from tests.meshes.running_envoy import ADDRESSES, Envoy, apps, call, envoys, once, through

pytestmark = pytest.mark.system

Json = dict[str, Any]


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    with apps(), running(tmp_path / "control", endpoints(mesh_inputs(), "b-0"), xds=True) as control:
        yield control


def endpoints(inputs: Json, *hosts: str) -> Json:
    """The same mesh where b has these endpoints."""
    made = copy.deepcopy(inputs)
    made["services"]["b"]["endpoints"] = [f"{ADDRESSES[host]}:{INBOUND_PORT}" for host in hosts]
    return made


def refused_by_envoy(inputs: Json) -> Json:
    """Header limits that we allow and Envoy doesn't."""
    made = copy.deepcopy(inputs)
    made["limits"]["max_header_bytes"] = 2**24
    return made


def in_force(control: Control, *hosts: str) -> bool:
    states = [control.status(host) for host in hosts]
    return all(each["acked"] == each["version"] and not each["error"] for each in states)


@contextmanager
def kept_busy(a: Envoy) -> Iterator[dict[str, int]]:
    """Calls from a to b, one after the other on one connection; how often each replica, or a status other than 200, answered."""
    seen: dict[str, int] = {}
    over = threading.Event()

    def load() -> None:
        with through(a) as connection:
            while not over.wait(0.002):
                answered = call(connection, "b")
                key = answered.body.get("host", str(answered.status))
                seen[key] = seen.get(key, 0) + 1

    thread = threading.Thread(target=load)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def served_by(host: str, seen: dict[str, int], more: int = 20) -> Callable[[], bool]:
    before = seen.get(host, 0)
    return lambda: seen.get(host, 0) >= before + more


def peer_certificate(host: str, control: Control, folder: Path) -> bytes:
    """The certificate that an Envoy shows now to another member of the mesh."""
    words = ("issue", "--authority", str(control.authority), "--out", str(folder), f"a={spiffe_id('a')}")
    if not (folder / "a").exists():
        identity(*words)
    context = ssl.create_default_context(cafile=control.ca)
    context.check_hostname = False
    context.load_cert_chain(folder / "a" / "cert.pem", folder / "a" / "key.pem")
    with socket.create_connection((ADDRESSES[host], INBOUND_PORT)) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""


def port_certificate(control: Control) -> bytes:
    """The certificate that the control plane shows to Envoys that come now."""
    context = ssl.create_default_context(cafile=control.ca)
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    with socket.create_connection((ADDRESS, control.xds_port)) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""


def test_two_envoys_carry_a_call_over_mutual_tls_with_certificates_of_ours(control: Control, tmp_path: Path) -> None:
    with envoys(control, tmp_path, "a-0", "b-0") as running_:
        answered = once(running_["a-0"], "b:8080")

        assert (answered.status, answered.body["host"]) == (200, "b-0")
        assert f"URI={spiffe_id('a')}" in answered.body["peer"]
        assert running_["b-0"].stat("listener.127.85.1.2_15006.ssl.handshake") == 1
        eventually(lambda: in_force(control, "a-0", "b-0"), f"{control.admin('/status')}")
        assert control.status("a-0")["connected"] == 1


def test_who_has_no_certificate_is_not_let_in(control: Control, tmp_path: Path) -> None:
    with envoys(control, tmp_path, "b-0") as running_:
        with socket.create_connection((ADDRESSES["b-0"], INBOUND_PORT), timeout=20) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nhost: b\r\n\r\n")
            with suppress(ConnectionResetError):
                assert plain.recv(100) == b""
        assert running_["b-0"].stat("http.inbound.downstream_rq_total") == 0


def test_endpoints_change_without_a_lost_request(control: Control, tmp_path: Path) -> None:
    with envoys(control, tmp_path, "a-0", "b-0", "b-1") as running_, kept_busy(running_["a-0"]) as seen:
        eventually(served_by("b-0", seen), "b-0 serves nothing")
        for hosts in (("b-0", "b-1"), ("b-1",), ("b-0", "b-1"), ("b-0",)):
            control.write(endpoints(mesh_inputs(), *hosts))
            eventually(lambda: in_force(control, "a-0"), "a-0 doesn't take the change")
            for host in hosts:
                eventually(served_by(host, seen), f"{host} serves nothing")

    assert set(seen) == {"b-0", "b-1"}


def test_clusters_and_routes_change_without_a_lost_request(control: Control, tmp_path: Path) -> None:
    """A split makes a cluster more and routes to it, and its end takes both away: make before break, both ways."""
    both = endpoints(mesh_inputs(), "b-0", "b-1")
    split = both | {"policies": {"split": {"canary_share": 0.5}}}
    with envoys(control, tmp_path, "a-0", "b-0", "b-1") as running_, kept_busy(running_["a-0"]) as seen:
        for inputs in (split, both, split | {"balancing": "least-request"}, both):
            control.write(inputs)
            eventually(lambda: in_force(control, "a-0"), f"a-0 doesn't take the change: {control.admin('/status')}")
            for host in ("b-0", "b-1"):
                eventually(served_by(host, seen), f"{host} serves nothing")
        clusters = running_["a-0"].admin("/clusters")

    assert set(seen) == {"b-0", "b-1"}
    assert "canary_b" not in clusters


def test_what_envoy_refuses_is_told_and_the_old_stays_in_force(control: Control, tmp_path: Path) -> None:
    with envoys(control, tmp_path, "a-0", "b-0", "b-1") as running_:
        eventually(lambda: in_force(control, "a-0"), "a-0 isn't settled")
        good = control.status("a-0")["acked"]
        control.write(refused_by_envoy(endpoints(mesh_inputs(), "b-0")))
        eventually(lambda: control.status("a-0")["error"], "nobody is told")

        told = control.status("a-0")
        assert "cds: " in told["error"]
        assert "MaxResponseHeadersKb" in told["error"]
        assert told["acked"] == good != told["version"]
        assert running_["a-0"].stat("listener_manager.lds.update_rejected") == 0
        assert once(running_["a-0"], "b").status == 200

        control.write(endpoints(mesh_inputs(), "b-1"))
        eventually(lambda: in_force(control, "a-0", "b-0"), "the good one isn't taken")
        assert once(running_["a-0"], "b").body["host"] == "b-1"


def test_endpoints_go_on_changing_while_something_else_is_refused(control: Control, tmp_path: Path) -> None:
    with envoys(control, tmp_path, "a-0", "b-0", "b-1") as running_:
        control.write(refused_by_envoy(endpoints(mesh_inputs(), "b-0")))
        eventually(lambda: control.status("a-0")["error"], "nobody is told")
        control.write(refused_by_envoy(endpoints(mesh_inputs(), "b-1")))

        eventually(lambda: once(running_["a-0"], "b").body["host"] == "b-1", "the endpoint stays the old one")


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Control]:
    """A control plane whose certificates live ten seconds."""
    inputs = endpoints(mesh_inputs(), "b-0") | {"leaf_lifetime_s": 10}
    with apps(), running(tmp_path / "control", inputs, xds=True) as control:
        yield control


def test_certificates_are_renewed_and_connections_stay_open(hasty: Control, tmp_path: Path) -> None:
    with envoys(hasty, tmp_path, "a-0", "b-0") as running_, kept_busy(running_["a-0"]) as seen:
        first, ours = peer_certificate("b-0", hasty, tmp_path / "me"), port_certificate(hasty)
        eventually(lambda: peer_certificate("b-0", hasty, tmp_path / "me") != first, "the certificate stays the same")
        second = peer_certificate("b-0", hasty, tmp_path / "me")
        eventually(lambda: peer_certificate("b-0", hasty, tmp_path / "me") != second, "it was renewed only once")
        eventually(lambda: port_certificate(hasty) != ours, "that of the control plane's port stays the same")

        assert running_["a-0"].stat("cluster.outbound_b.upstream_cx_total") == 1
    assert set(seen) == {"b-0"}


def test_an_envoy_outlives_its_control_plane_and_takes_what_changed_in_between(
    control: Control, tmp_path: Path
) -> None:
    with envoys(control, tmp_path, "a-0", "b-0", "b-1") as running_, kept_busy(running_["a-0"]) as seen:
        eventually(lambda: in_force(control, "a-0"), "a-0 isn't settled")
        control.stop(9)
        eventually(served_by("b-0", seen, 200), "without its control plane a-0 serves nothing")
        control.write(endpoints(mesh_inputs(), "b-1"))
        control.start()

        eventually(served_by("b-1", seen), "a-0 doesn't take the change")
        eventually(lambda: in_force(control, "a-0", "b-0", "b-1"), "not all came back")
    assert set(seen) == {"b-0", "b-1"}


def test_an_envoy_with_another_token_gets_nothing(control: Control, tmp_path: Path) -> None:
    stranger = Envoy(control, "a-0", tmp_path / "a-0", token={"inline_string": "token-b-0"})
    try:
        eventually(lambda: "no token for a proxy named" in stranger.log(), "it isn't refused")

        assert control.status("a-0")["connected"] == control.status("a-0")["sent"] == 0
        assert not stranger.ready()
    finally:
        stranger.close()


def test_a_token_that_is_renewed_is_read_again(control: Control, tmp_path: Path) -> None:
    """As the kubelet does it: files are links into a folder that is replaced as a whole."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    project(mounted, "1", "token-a-0")
    for name in ("token", "token.json"):
        (mounted / name).symlink_to(f"..data/{name}")
    a = Envoy(control, "a-0", mounted, token={"filename": str(mounted / "token")})
    try:
        eventually(lambda: control.status("a-0")["acked"], "the first token isn't taken")
        project(mounted, "2", "the-next")
        inputs = mesh_inputs()
        inputs["proxies"]["a-0"]["token"] = "the-next"
        control.stop(9)
        control.write(inputs)
        control.start()

        eventually(lambda: in_force(control, "a-0"), f"the next token isn't taken: {a.log()}")
        assert control.status("a-0")["connected"] == 1
    finally:
        a.close()


def project(mounted: Path, version: str, token: str) -> None:
    """The next version of a mounted folder."""
    (mounted / version).mkdir()
    (mounted / version / "token").write_text(token)
    (mounted / version / "token.json").write_text(json.dumps(token_secret({"filename": str(mounted / "token")})))
    (mounted / "..next").symlink_to(version)
    (mounted / "..next").rename(mounted / "..data")
