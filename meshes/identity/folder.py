"""Keys and certificates in folders: `ca.pem` and `ca-key.pem` of an authority, `cert.pem`, `key.pem`, `ca.pem` of an identity."""

import os
import secrets
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from meshes.identity import certificates
from meshes.identity.certificates import Key
from meshes.identity.clock import Clock
from meshes.identity.names import TRUST_DOMAIN


def make_authority(folder: Path, now: Clock) -> None:
    """Create the authority unless it is there. Two at once: the one that finishes first stays."""
    if folder.exists():
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


def issue(authority: Path, folder: Path, spiffe_id: str, now: Clock) -> None:
    """A new key and certificate, in a new folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    folder.mkdir(mode=0o700, parents=True)
    _write(folder / "key.pem", _private_pem(key), private=True)
    _write(folder / "cert.pem", _signed(authority, key.public_key(), spiffe_id, certificates.LEAF_LIFETIME, now))
    _write(folder / "ca.pem", (authority / "ca.pem").read_bytes())


def make_request(folder: Path, spiffe_id: str) -> None:
    """A new key and a signing request for it: `key.pem` and `csr.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / "key.pem", _private_pem(key), private=True)
    _write(folder / "csr.pem", certificates.request(key, spiffe_id).public_bytes(serialization.Encoding.PEM))


def sign(authority: Path, request: bytes, allowed: str, lifetime: timedelta, now: Clock) -> bytes:
    """The chain for a request that asks for `allowed` and nothing else; RefusedError otherwise."""
    return _signed(authority, certificates.checked_key(request, allowed), allowed, lifetime, now)


def _signed(authority: Path, key: certificates.PublicKey, spiffe_id: str, lifetime: timedelta, now: Clock) -> bytes:
    issuer = x509.load_pem_x509_certificate((authority / "ca.pem").read_bytes())
    serial = x509.random_serial_number()
    return _pem(certificates.leaf(issuer, _load_key(authority), key, spiffe_id, now(), lifetime, serial))


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
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
