"""Certificates of the authority and of its leaves, as values: keys, clock and serials are passed in. Knows no file.

ECDSA P-256 throughout. A leaf carries one URI SAN, its SPIFFE id, and nothing that a signing request asks for besides (the SPIFFE
X.509-SVID standard: exactly one URI, no CA bit, digitalSignature). Leaves start a minute early, for clocks that disagree.
"""

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFETIME = timedelta(days=365)
LEAF_LIFETIME = timedelta(hours=24)
BACKDATED = timedelta(minutes=1)

Key = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey


class RefusedError(ValueError):
    """A signing request that may not be signed; the message says why."""


class ForeignIdentityError(RefusedError):
    """It is a proper request, but for another identity than the one allowed."""


def authority(key: Key, trust_domain: str, now: datetime, serial: int) -> x509.Certificate:
    """A self-signed root that may sign leaves only."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"hoptax authority of {trust_domain}")])
    uri = x509.UniformResourceIdentifier(f"spiffe://{trust_domain}")
    builder = _builder(name, name, key.public_key(), now, AUTHORITY_LIFETIME, serial)
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectAlternativeName([uri]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )


def leaf(
    issuer: x509.Certificate,
    issuer_key: Key,
    public_key: PublicKey,
    spiffe_id: str,
    now: datetime,
    lifetime: timedelta,
    serial: int,
) -> x509.Certificate:
    """A certificate for client and server side; its subject is empty, so the SAN is critical (RFC 5280, 4.2.1.6).

    It ends with its issuer's certificate at the latest: a chain is as good as its weakest link.
    """
    if (left := issuer.not_valid_after_utc - now) <= timedelta():
        raise RefusedError(f"the authority's own certificate ended {-left} ago: make a new authority")
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    return (
        _builder(x509.Name([]), issuer.subject, public_key, now, min(lifetime, left), serial)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)]), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def server(
    issuer: x509.Certificate, issuer_key: Key, public_key: PublicKey, names: tuple[str, ...], now: datetime, serial: int
) -> x509.Certificate:
    """A certificate for a server that is known by DNS names, as the callers of an admission webhook want; it is no SVID."""
    issuer_id = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    lifetime = min(AUTHORITY_LIFETIME, issuer.not_valid_after_utc - now)
    return (
        _builder(x509.Name([]), issuer.subject, public_key, now, lifetime, serial)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def request(key: Key, spiffe_id: str) -> x509.CertificateSigningRequest:
    """A signing request for one SPIFFE id."""
    uri = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(spiffe_id)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.add_extension(uri, critical=True).sign(key, hashes.SHA256())


def checked_key(pem: bytes, allowed: str) -> PublicKey:
    """The key of a signing request that is signed by it, is P-256 and asks for exactly the identity `allowed`."""
    try:
        asked = x509.load_pem_x509_csr(pem)
        names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        key = asked.public_key()
    except (ValueError, UnsupportedAlgorithm, x509.ExtensionNotFound, x509.DuplicateExtension) as error:
        raise RefusedError(f"that is no signing request with a subject alternative name: {error}") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise RefusedError("the request's key is not ECDSA P-256: make one with `python -m meshes.identity csr`")
    if not asked.is_signature_valid:
        raise RefusedError("the request is not signed by its own key")
    if [name.value for name in names] != [allowed] or not isinstance(names[0], x509.UniformResourceIdentifier):
        raise ForeignIdentityError(
            f"the request asks for {', '.join(str(n.value) for n in names)}; allowed is {allowed}"
        )
    return key


def _builder(
    subject: x509.Name, issuer: x509.Name, key: PublicKey, now: datetime, lifetime: timedelta, serial: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
