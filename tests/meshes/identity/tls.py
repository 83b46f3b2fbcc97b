"""A TLS handshake in memory: what OpenSSL thinks of certificates, without a socket."""

import ssl
from contextlib import suppress
from pathlib import Path


def context(identity: Path, protocol: int, trusted: Path) -> ssl.SSLContext:
    """Mutual TLS 1.3 with the identity's certificate; the peer's has to come from `trusted`."""
    made = ssl.SSLContext(protocol)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_STRICT
    made.load_cert_chain(identity / "cert.pem", identity / "key.pem")
    made.load_verify_locations(trusted / "ca.pem")
    return made


def handshake(client: Path, server: Path, trusted: Path) -> tuple[str, str]:
    """(what the client sees of the server, what the server sees of the client), their URI names; ssl.SSLError if refused."""
    one, other = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        context(client, ssl.PROTOCOL_TLS_CLIENT, trusted).wrap_bio(one, other),
        context(server, ssl.PROTOCOL_TLS_SERVER, trusted).wrap_bio(other, one, server_side=True),
    ]
    for _ in range(3):
        for end in ends:
            with suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return peer(ends[0]), peer(ends[1])


def peer(end: ssl.SSLObject) -> str:
    certificate = end.getpeercert()
    assert certificate is not None
    names = certificate["subjectAltName"]
    assert [name[0] for name in names] == ["URI"]
    return str(names[0][1])
