"""Keys and certificates in folders: `ca.pem` and `ca-key.pem` of an authority, `cert.pem`, `key.pem`, `ca.pem` of an identity.

`cert.pem` is a chain: the leaf, then intermediates, of which this authority has none. Decides nothing about what a certificate says.
"""

import os
import secrets
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshes.identity import certificates
from meshes.identity.certificates import Key
from meshes.identity.clock import Clock
from meshes.identity.names import TRUST_DOMAIN


@dataclass(frozen=True, slots=True)
class Signed:
    """A chain, the roots to verify others by (both PEM), and when the leaf ends (Unix time)."""

    chain: str
    bundle: str
    not_after: int


def make_authority(folder: Path, now: Clock) -> None:
    """Create the authority unless it is there. Two at once: the one that finishes first stays. OSError if it can't be written."""
    if (folder / "ca.pem").exists():
        return
    draft = folder.with_name(f"{folder.name}.{secrets.token_hex(4)}")
    draft.mkdir(mode=0o700, parents=True)
    key = ec.generate_private_key(ec.SECP256R1())
    _write(draft / "ca-key.pem", _private_pem(key), private=True)
    _write(draft / "ca.pem", _pem(certificates.authority(key, TRUST_DOMAIN, now(), x509.random_serial_number())))
    try:
        draft.rename(folder)
    except OSError:
        for file in draft.iterdir():
            file.unlink()
        draft.rmdir()
        if not (folder / "ca.pem").exists():
            raise


def issue(authority: Path, folder: Path, spiffe_id: str, now: Clock) -> None:
    """A new key and certificate, in a new folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    signed = _signed(authority, key.public_key(), spiffe_id, certificates.LEAF_LIFETIME, now)
    folder.mkdir(mode=0o700, parents=True)
    _write(folder / "key.pem", _private_pem(key), private=True)
    _write(folder / "cert.pem", signed.chain.encode())
    _write(folder / "ca.pem", signed.bundle.encode())


def serve(authority: Path, folder: Path, names: tuple[str, ...], now: Clock) -> None:
    """A key and certificate for a server known by DNS names, in a new folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    made = certificates.server(
        issuer, _load_key(authority), key.public_key(), names, now(), x509.random_serial_number()
    )
    folder.mkdir(mode=0o700, parents=True)
    _write(folder / "key.pem", _private_pem(key), private=True)
    _write(folder / "cert.pem", _pem(made))


def make_request(folder: Path, spiffe_id: str) -> None:
    """A new key and a signing request for it: `key.pem` and `csr.pem`. What was there under these names is replaced."""
    key = ec.generate_private_key(ec.SECP256R1())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / "key.pem", _private_pem(key), private=True)
    _write(folder / "csr.pem", certificates.request(key, spiffe_id).public_bytes(serialization.Encoding.PEM))


def sign(authority: Path, request: bytes, allowed: str, lifetime: timedelta, now: Clock) -> Signed:
    """The chain for a request that asks for `allowed` and nothing else; RefusedError otherwise."""
    return _signed(authority, certificates.checked_key(request, allowed), allowed, lifetime, now)


def _signed(authority: Path, key: certificates.PublicKey, spiffe_id: str, lifetime: timedelta, now: Clock) -> Signed:
    bundle = (authority / "ca.pem").read_bytes()
    issuer = x509.load_pem_x509_certificate(bundle)
    serial = x509.random_serial_number()
    leaf = certificates.leaf(issuer, _load_key(authority), key, spiffe_id, now(), lifetime, serial)
    return Signed(_pem(leaf).decode(), bundle.decode(), int(leaf.not_valid_after_utc.timestamp()))


def _load_key(authority: Path) -> Key:
    key = serialization.load_pem_private_key((authority / "ca-key.pem").read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private_pem(key: Key) -> bytes:
    nobody = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, nobody)


def _write(path: Path, content: bytes, *, private: bool = False) -> None:
    """A new file: one that is there might be readable by others, or a link."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
