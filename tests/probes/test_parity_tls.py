"""Probes of the inbound port, against servers that are right and servers that are wrong in one way each."""

import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model.plan import INBOUND_PORT
from harness.model.run import Parity
from harness.probes import parity_tls
from harness.probes.parity_tls import Door
from meshes.identity.names import spiffe_id
from meshes.identity.program import ISSUER

ADDRESS = "127.86.8.1"
DOOR = Door("b-0-sidecar", (ADDRESS, INBOUND_PORT), "b", spiffe_id("b"))
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`home/` and `foreign/` are two authorities; below each, the identities `b` and `probe`."""
    root = tmp_path_factory.mktemp("authorities")
    for place in ("home", "foreign"):
        authority, names = str(root / place / "authority"), [f"{name}={spiffe_id(name)}" for name in ("b", "probe")]
        issuer(["authority", authority])
        issuer(["issue", "--authority", authority, "--out", str(root / place), *names])
    return root


def issuer(words: list[str]) -> None:
    subprocess.run([sys.executable, "-m", ISSUER.program.module, *words], check=True, capture_output=True)


def server_context(folder: Path, verify: ssl.VerifyMode = ssl.CERT_REQUIRED) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "home/b/cert.pem", folder / "home/b/key.pem")
    context.load_verify_locations(folder / "home/b/ca.pem")
    context.verify_mode = verify
    return context


@contextmanager
def sidecar(context: ssl.SSLContext | None, answer: bytes = OK) -> Iterator[None]:
    """Answers every request it lets in, one connection after the other, until the block ends."""
    listener = socket.create_server((ADDRESS, INBOUND_PORT))
    thread = threading.Thread(target=serve, args=(listener, context, answer))
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def serve(listener: socket.socket, context: ssl.SSLContext | None, answer: bytes) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(2)
            try:
                peer = context.wrap_socket(connection, server_side=True) if context else connection
                with peer:
                    if peer.recv(4096).startswith(b"GET ") and answer:
                        peer.sendall(answer)
                    elif not answer:
                        peer.recv(1)
            except OSError:
                continue


def strict(folder: Path, door: Door = DOOR) -> dict[str, Parity]:
    proofs = parity_tls.strict([door], folder / "home/probe", folder / "foreign/probe")
    return {proof.check: proof for proof in proofs}


def broken(proofs: dict[str, Parity]) -> set[str]:
    return {check for check, proof in proofs.items() if not proof.passed}


pytestmark = pytest.mark.system


def test_a_strict_sidecar_passes(folder: Path) -> None:
    with sidecar(server_context(folder)):
        proofs = strict(folder)

    assert broken(proofs) == set()
    assert len(proofs) == 5
    assert proofs["identity: server certificate"].seen.endswith(spiffe_id("b"))


def test_a_sidecar_that_asks_for_no_certificate_is_found(folder: Path) -> None:
    with sidecar(server_context(folder, ssl.CERT_NONE)):
        proofs = strict(folder)

    assert broken(proofs) == {"mtls: client without certificate refused", "mtls: client of another authority refused"}


def test_a_sidecar_without_tls_is_found(folder: Path) -> None:
    with sidecar(None):
        proofs = strict(folder)

    assert {"mtls: plaintext refused", "mtls: peer accepted", "identity: server certificate"} <= broken(proofs)


def test_a_sidecar_with_another_identity_is_found(folder: Path) -> None:
    with sidecar(server_context(folder)):
        proofs = strict(folder, replace(DOOR, identity=spiffe_id("c")))

    assert broken(proofs) == {"identity: server certificate"}
    assert f"proved {spiffe_id('b')}, not {spiffe_id('c')}" in proofs["identity: server certificate"].seen


def test_silence_is_no_refusal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parity_tls, "PATIENCE_S", 0.2)
    with sidecar(server_context(folder, ssl.CERT_NONE), answer=b""):
        proofs = strict(folder)

    assert "no answer within 0.2 s" in proofs["mtls: client without certificate refused"].seen
    assert not proofs["mtls: peer accepted"].passed


def test_without_mtls_plaintext_is_let_in(folder: Path) -> None:
    with sidecar(None):
        (plain,) = parity_tls.open_to_all([DOOR])
    with sidecar(server_context(folder)):
        (guarded,) = parity_tls.open_to_all([DOOR])

    assert (plain.passed, guarded.passed) == (True, False)


def test_without_a_sidecar_nobody_listens() -> None:
    (nobody,) = parity_tls.closed([DOOR])
    with sidecar(None):
        (somebody,) = parity_tls.closed([DOOR])

    assert (nobody.passed, somebody.passed) == (True, False)


def test_no_host_to_try_proves_nothing() -> None:
    assert [proof.passed for proof in parity_tls.open_to_all([])] == [False]
