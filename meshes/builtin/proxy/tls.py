"""TLS of a connection as bytes in, bytes out, and who the peer is. Opens no socket; knows no HTTP.

The session drives OpenSSL through memory: one call per record, no layer of futures and transports in between, and no buffer
of 256 KiB per connection as the event loop's own TLS has. TLS 1.3 only; peers are judged by their certificate's chain and
its one SPIFFE id, never by names.
"""

import ssl
from collections.abc import Container, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, cast

RECORD: Final = 16384
_READ: Final = 65536


class PeerRefused(Exception):
    """The peer could not prove an identity that is accepted."""


def context(server: bool, cert: Path, key: Path, bundle: str) -> ssl.SSLContext:
    """A context with our certificate that trusts the roots in `bundle` (PEM text) and demands a certificate of every peer."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if server else anonymous(bundle)
    if server:
        _harden(made, bundle, server=True)
        # Connections between sidecars live long: resumption would save nothing and cost two writes per handshake.
        made.num_tickets = 0
    made.load_cert_chain(cert, key)
    return made


def anonymous(bundle: str) -> ssl.SSLContext:
    """A client that has no certificate yet; the server still needs one."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    _harden(made, bundle)
    return made


def _harden(made: ssl.SSLContext, bundle: str, *, server: bool = False) -> None:
    made.verify_mode = ssl.CERT_REQUIRED
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    if server:
        made.set_alpn_protocols(["h2", "http/1.1"])
    made.load_verify_locations(cadata=bundle)


def spiffe_id(session: ssl.SSLObject) -> str:
    """The SPIFFE id of the peer: its certificate's only URI name (X.509-SVID §2). PeerRefused if there isn't exactly one."""
    certificate = session.getpeercert() or {}
    pairs = cast("tuple[tuple[str, str], ...]", certificate.get("subjectAltName", ()))
    names = [value for kind, value in pairs if kind == "URI"]
    if len(names) != 1 or not names[0].startswith("spiffe://"):
        raise PeerRefused(f"the certificate has the URI names {names}: exactly one SPIFFE id is needed")
    return names[0]


class Members(Container[str]):
    """Every identity of a trust domain."""

    def __init__(self, trust_domain: str) -> None:
        self._prefix = f"spiffe://{trust_domain}/"

    def __contains__(self, identity: object) -> bool:
        return isinstance(identity, str) and identity.startswith(self._prefix)


class TlsSession:
    """One side of one TLS connection. ssl.SSLError from any call ends it; `outgoing()` then holds the alert to send."""

    __slots__ = ("_incoming", "_object", "_outgoing", "_read", "_write", "closed", "established", "peer")

    def __init__(self, made: ssl.SSLContext, server: bool, offers: Sequence[str] = ("http/1.1",)) -> None:
        """`offers` are the protocols (ALPN) that a client of this one session speaks."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        if not server:
            made.set_alpn_protocols(offers)  # a session keeps what its context has when it is made
        self._object = made.wrap_bio(self._incoming, self._outgoing, server_side=server)
        self._read = self._object.read
        self._write = self._object.write
        self.established = False
        self.closed = False
        self.peer = ""

    def handshake(self, data: bytes, accepted: Container[str]) -> bool:
        """Takes bytes of the peer; True once the handshake is complete and the peer's identity is in `accepted`.

        PeerRefused if it is another. Bytes for the peer are in `outgoing()` after each call.
        """
        self._incoming.write(data)
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.peer = spiffe_id(self._object)
        if self.peer not in accepted:
            raise PeerRefused(f"the peer is {self.peer}")
        self.established = True
        return True

    def decrypt(self, data: bytes) -> bytes:
        """The plain text that is complete with `data`; `closed` tells that the peer will send no more."""
        incoming = self._incoming
        incoming.write(data)
        plain = b""
        try:
            plain = read = self._read(_READ)
            # A read gives one record; asking again when nothing is left would cost an exception.
            while incoming.pending and read:
                read = self._read(_READ)
                plain += read
        except ssl.SSLWantReadError:
            return plain
        # OpenSSL tells by an empty read that the peer closed in due form.
        self.closed = not read
        return plain

    def encrypt(self, data: bytes) -> bytes:
        """The records of a plain text."""
        write = self._write
        if write(data) < len(data):
            view = memoryview(data)[RECORD:]
            while view:
                view = view[write(view) :]
        return self._outgoing.read()

    @property
    def protocol(self) -> str:
        """What both sides agreed to speak; "" if the peer didn't care."""
        return self._object.selected_alpn_protocol() or ""

    @property
    def leftover(self) -> bool:
        """Whether bytes of the peer wait to be decrypted."""
        return self._incoming.pending > 0

    def outgoing(self) -> bytes:
        """Bytes of the protocol itself for the peer: handshake, alerts, key updates."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def close(self) -> bytes:
        """Our close_notify."""
        with suppress(ssl.SSLError):
            self._object.unwrap()
        return self.outgoing()
