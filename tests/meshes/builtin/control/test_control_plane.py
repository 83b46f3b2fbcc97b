"""A control plane as a process, and proxies made of the standard library: certificates, the watch, its restart and its end."""

import copy
import json
import signal
import ssl
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from meshes.builtin.snapshot import Snapshot
from meshes.identity.names import spiffe_id
from tests.meshes.builtin.control.running import (
    Control,
    FakeProxy,
    eventually,
    identity,
    make_request,
    mesh_inputs,
    running,
)

pytestmark = pytest.mark.system


@pytest.fixture
def proxy(control: Control, tmp_path: Path) -> FakeProxy:
    return FakeProxy(control, "a-0", tmp_path / "a-0")


def moved(inputs: dict[str, Any]) -> dict[str, Any]:
    """The same mesh with one endpoint of c elsewhere: of a, b, c only b calls c."""
    changed = copy.deepcopy(inputs)
    changed["services"]["c"]["endpoints"] = ["127.85.1.99:15006"]
    return changed


def unbalanced(inputs: dict[str, Any]) -> dict[str, Any]:
    """The same mesh with another balancing, which concerns every caller."""
    return inputs | {"balancing": "least-request"}


def test_a_token_buys_a_certificate_and_a_certificate_its_renewal(control: Control, proxy: FakeProxy) -> None:
    first = proxy.enrol()
    second = proxy.enrol(renew=True)

    assert first["chain"] != second["chain"]
    assert first["bundle"] == control.ca.read_text()
    assert 0 < first["lifetime_s"] <= 24 * 3600
    assert proxy.watch().status == 200


def test_who_has_no_right_gets_no_certificate(control: Control, proxy: FakeProxy, tmp_path: Path) -> None:
    request = make_request(tmp_path / "request", "a")

    assert proxy.ask("POST", "/v1/certificates", request, "token-b-0")[0] == 401
    assert proxy.ask("POST", "/v1/certificates", request, "tökén")[0] == 401
    assert proxy.ask("POST", "/v1/certificates", request, anonymous=True)[0] == 401
    assert FakeProxy(control, "x-0", tmp_path / "x").ask("POST", "/v1/certificates", request, "token-a-0")[0] == 401


def test_a_request_for_another_identity_is_refused(proxy: FakeProxy, tmp_path: Path) -> None:
    status, document = proxy.ask("POST", "/v1/certificates", make_request(tmp_path / "r", "c"), "token-a-0")

    assert status == 403
    assert spiffe_id("c") in document["error"]
    assert proxy.ask("POST", "/v1/certificates", b"no request", "token-a-0")[0] == 400
    assert proxy.ask("POST", "/v1/certificates", b"x" * 20_000, "token-a-0")[0] == 413


def test_watching_and_acknowledging_need_the_certificate_of_that_proxy(control: Control, proxy: FakeProxy) -> None:
    assert proxy.ask("GET", "/v1/watch", anonymous=True)[0] == 401
    assert proxy.ask("POST", "/v1/ack", b"{}", anonymous=True)[0] == 401
    proxy.enrol()
    other = copy.copy(proxy)
    other.name = "c-0"
    assert other.watch().status == 404
    assert other.acknowledge(1) == 404
    assert proxy.ask("POST", "/v1/ack", b"[]")[0] == 400
    assert proxy.ask("GET", "/v1/other")[0] == 404


def test_a_peer_of_another_authority_gets_no_answer(proxy: FakeProxy, tmp_path: Path) -> None:
    identity("authority", str(tmp_path / "foreign"))
    identity("issue", "--authority", str(tmp_path / "foreign"), "--out", str(tmp_path / "x"), f"a={spiffe_id('a')}")
    proxy.folder = tmp_path / "x" / "a"

    with pytest.raises((ssl.SSLError, ConnectionError)):
        proxy.watch()


def test_a_change_goes_to_the_proxies_it_concerns_and_to_no_other(control: Control, tmp_path: Path) -> None:
    a, b = FakeProxy(control, "a-0", tmp_path / "a"), FakeProxy(control, "b-0", tmp_path / "b")
    watches = {}
    for proxy in (a, b):
        proxy.enrol()
        watches[proxy] = proxy.watch()
    before = {proxy: Snapshot.from_document(watch.snapshot()) for proxy, watch in watches.items()}
    for proxy, snapshot in before.items():
        assert proxy.acknowledge(snapshot.version) == 204

    control.write(moved(mesh_inputs()))
    after = Snapshot.from_document(watches[b].snapshot())
    b.acknowledge(after.version, "too new for me")

    assert [str(endpoint) for endpoint in after.clusters[0].endpoints] == ["127.85.1.99:15006"]
    assert control.status("b-0") == {
        "connected": 1, "sent": after.version, "acked": before[b].version, "version": after.version,
        "error": "too new for me",
    }  # fmt: skip
    assert control.status("a-0") == {
        "connected": 1, "sent": before[a].version, "acked": before[a].version, "version": before[a].version, "error": "",
    }  # fmt: skip

    control.write(unbalanced(moved(mesh_inputs())))
    assert watches[a].line()["snapshot"]["clusters"][0]["balancing"] == "least-request"


def refused(control: Control, said: str) -> bool:
    return said in control.admin("/status")[1]["input_error"]


def test_a_bad_file_is_refused_and_told_and_the_last_good_one_stays(control: Control, proxy: FakeProxy) -> None:
    proxy.enrol()
    watch = proxy.watch()
    version = watch.snapshot()["version"]
    dangling = mesh_inputs()
    dangling["services"]["a"]["calls"] = ["nobody"]

    for wrong, said in ((dangling, "nobody"), ("{", "not JSON"), (mesh_inputs(balancing="best"), "balancing")):
        control.write(wrong)
        eventually(partial(refused, control, said), f"{said} is not told")
    assert control.status("a-0")["version"] == version

    control.write(unbalanced(mesh_inputs()))
    assert watch.line()["snapshot"]["version"] != version
    assert control.admin("/status")[1]["input_error"] == ""


def test_a_removed_proxy_is_dismissed_in_due_form(control: Control, proxy: FakeProxy) -> None:
    proxy.enrol()
    watch = proxy.watch()
    watch.snapshot()
    without = mesh_inputs()
    del without["proxies"]["a-0"]

    control.write(without)

    assert watch.snapshot() is None
    assert proxy.watch().status == 404
    assert proxy.ask("POST", "/v1/certificates", b"", "token-a-0")[0] == 401


def test_after_a_restart_tokens_and_certificates_hold_and_nothing_is_new(control: Control, proxy: FakeProxy) -> None:
    proxy.enrol()
    version = proxy.watch().snapshot()["version"]

    assert control.stop() == 0
    control.start()
    again = proxy.watch(version)

    assert again.line() == {"kind": "heartbeat"}
    assert control.status("a-0") | {"connected": 0} == {
        "connected": 0, "sent": version, "acked": version, "version": version, "error": "",
    }  # fmt: skip
    proxy.enrol()


def test_it_ends_at_once_with_watches_open(control: Control, proxy: FakeProxy) -> None:
    proxy.enrol()
    watches = [proxy.watch() for _ in range(3)]

    assert control.stop(signal.SIGTERM) == 0
    assert [watch.status for watch in watches] == [200] * 3
    assert control.log() == ""


def test_a_watch_ends_with_the_certificate_it_was_opened_with(tmp_path: Path) -> None:
    with running(tmp_path, mesh_inputs(leaf_lifetime_s=3)) as control:
        proxy = FakeProxy(control, "a-0", tmp_path / "a-0")
        proxy.enrol()
        watch = proxy.watch()

        lines = iter(watch.line, None)

        assert [line["kind"] for line in lines].count("snapshot") == 1


def serial(proxy: FakeProxy) -> str:
    """Of the certificate that the control plane shows now."""
    connection = proxy.connect(anonymous=True)
    connection.connect()
    shown = connection.sock.getpeercert()
    connection.close()
    assert shown is not None
    return str(shown["serialNumber"])


def test_its_own_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    with running(tmp_path, mesh_inputs(leaf_lifetime_s=4)) as control:
        proxy = FakeProxy(control, "a-0", tmp_path / "a-0")
        seen = set[str]()

        def third() -> bool:
            seen.add(serial(proxy))
            return len(seen) == 3

        eventually(third, "the control plane shows the same certificate for too long")
        eventually(lambda: not (tmp_path / "identity").exists(), "its key stays on the disk")


def test_status_shows_no_token(control: Control) -> None:
    assert "token-" not in json.dumps(control.admin("/status"))
