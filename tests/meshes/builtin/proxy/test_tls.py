"""TLS through memory: two sessions talk to each other, in pieces of any size, and know who the other is."""

import ssl
from collections.abc import Container
from pathlib import Path

import pytest

from meshes.builtin.proxy.tls import Members, PeerRefused, TlsSession, anonymous, context
from meshes.identity.names import TRUST_DOMAIN, spiffe_id
from tests.meshes.builtin.proxy.pair import certificates

DOMAIN = Members(TRUST_DOMAIN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("identities")
    certificates(made, "a", "b")
    return made


def made(folder: Path, name: str, *, server: bool) -> ssl.SSLContext:
    identity = folder / name
    return context(server, identity / "cert.pem", identity / "key.pem", (identity / "ca.pem").read_text())


def shaken(
    folder: Path,
    accepted: Container[str] = DOMAIN,
    *,
    size: int = 1 << 20,
    client_context: ssl.SSLContext | None = None,
) -> tuple[TlsSession, TlsSession]:
    client = TlsSession(client_context or made(folder, "a", server=False), server=False)
    server = TlsSession(made(folder, "b", server=True), server=True)
    client.handshake(b"", DOMAIN)
    to_server, to_client = client.outgoing(), b""
    while not server.established:
        for n in range(0, len(to_server), size):
            if not server.established:
                server.handshake(to_server[n : n + size], accepted)
        to_client, to_server = server.outgoing(), b""
        for n in range(0, len(to_client), size):
            if not client.established:
                client.handshake(to_client[n : n + size], DOMAIN)
        to_server = client.outgoing()
    return client, server


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_both_know_each_other(folder: Path, size: int) -> None:
    client, server = shaken(folder, size=size)
    assert (client.peer, server.peer) == (spiffe_id("b"), spiffe_id("a"))


@pytest.mark.parametrize("size", [1, 100, 20_000, 1 << 20])
def test_plain_text_arrives_whole_and_in_order(folder: Path, size: int) -> None:
    client, server = shaken(folder)
    text = bytes(range(256)) * 300
    records = client.encrypt(text)
    got = b"".join(server.decrypt(records[n : n + size]) for n in range(0, len(records), size))
    assert got == text
    assert not server.leftover


def test_a_close_is_noticed_even_behind_data(folder: Path) -> None:
    client, server = shaken(folder)
    last = client.encrypt(b"bye") + client.close()
    assert server.decrypt(last) == b"bye"
    assert server.closed


def test_a_changed_record_is_an_error(folder: Path) -> None:
    client, server = shaken(folder)
    records = bytearray(client.encrypt(b"hello"))
    records[-1] ^= 1
    with pytest.raises(ssl.SSLError):
        server.decrypt(bytes(records))


def test_plain_http_and_clients_without_certificate_are_refused(folder: Path) -> None:
    with pytest.raises(ssl.SSLError):
        TlsSession(made(folder, "b", server=True), server=True).handshake(b"GET / HTTP/1.1\r\n\r\n", DOMAIN)
    with pytest.raises(ssl.SSLError):
        shaken(folder, client_context=anonymous((folder / "a" / "ca.pem").read_text()))


def test_an_identity_that_is_not_accepted(folder: Path) -> None:
    with pytest.raises(PeerRefused, match=spiffe_id("a")):
        shaken(folder, frozenset({spiffe_id("b")}))


def test_members_of_a_trust_domain() -> None:
    members = Members("hoptax.local")
    assert "spiffe://hoptax.local/a" in members
    assert "spiffe://hoptax.local.evil/a" not in members
    assert "spiffe://hoptax.local" not in members
