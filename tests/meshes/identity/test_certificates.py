"""Certificates as values, and requests that may not be signed."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from meshes.identity import certificates
from meshes.identity.certificates import ForeignIdentityError, RefusedError

NOW = datetime(2030, 5, 1, 12, 0, 0, tzinfo=UTC)
ALICE = "spiffe://hoptax.local/ns/default/sa/alice"
BOB = "spiffe://hoptax.local/ns/default/sa/bob"
PEM = serialization.Encoding.PEM


@pytest.fixture(scope="module")
def key() -> certificates.Key:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def root(key: certificates.Key) -> x509.Certificate:
    return certificates.authority(key, "hoptax.local", NOW, serial=1)


@pytest.fixture(scope="module")
def leaf(key: certificates.Key, root: x509.Certificate) -> x509.Certificate:
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    return certificates.leaf(root, key, other, ALICE, NOW, timedelta(hours=1), serial=2)


def names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    return list(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)


def test_a_leafs_only_name_is_its_identity(leaf: x509.Certificate) -> None:
    assert names(leaf) == [x509.UniformResourceIdentifier(ALICE)]
    assert list(leaf.subject) == []
    assert leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_a_leaf_serves_and_calls_and_signs_nothing(leaf: x509.Certificate) -> None:
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    purposes = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)
    assert set(purposes) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_the_authority_signs_leaves_and_no_authorities(root: x509.Certificate, leaf: x509.Certificate) -> None:
    constraints = root.extensions.get_extension_for_class(x509.BasicConstraints)

    assert constraints.critical
    assert (constraints.value.ca, constraints.value.path_length) == (True, 0)
    assert names(root) == [x509.UniformResourceIdentifier("spiffe://hoptax.local")]
    leaf.verify_directly_issued_by(root)


def test_lifetimes_are_as_asked_and_begin_a_minute_early(root: x509.Certificate, leaf: x509.Certificate) -> None:
    minute_ago = NOW - timedelta(minutes=1)

    assert (leaf.not_valid_before_utc, leaf.not_valid_after_utc) == (minute_ago, NOW + timedelta(hours=1))
    assert (root.not_valid_before_utc, root.not_valid_after_utc) == (minute_ago, NOW + timedelta(days=365))


def late(key: certificates.Key, root: x509.Certificate, days: int, hours: int = 0) -> x509.Certificate:
    """A leaf of one day, signed so long after the root."""
    at = NOW + timedelta(days=days, hours=hours)
    return certificates.leaf(root, key, key.public_key(), ALICE, at, timedelta(days=1), serial=4)


def test_a_leaf_ends_with_its_issuer_at_the_latest(key: certificates.Key, root: x509.Certificate) -> None:
    assert late(key, root, 363).not_valid_after_utc == NOW + timedelta(days=364)
    assert late(key, root, 364, hours=12).not_valid_after_utc == root.not_valid_after_utc == NOW + timedelta(days=365)


def test_an_authority_that_ended_signs_nothing(key: certificates.Key, root: x509.Certificate) -> None:
    with pytest.raises(RefusedError, match="ended 1 day, 0:00:00 ago: make a new authority"):
        late(key, root, 366)


def test_a_request_for_the_allowed_identity_gives_its_key(key: certificates.Key) -> None:
    request = certificates.request(key, ALICE).public_bytes(PEM)

    assert certificates.checked_key(request, ALICE) == key.public_key()


def asking(key: object, *asked: x509.GeneralName) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    if asked:
        builder = builder.add_extension(x509.SubjectAlternativeName(asked), critical=True)
    digest = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(key, digest).public_bytes(PEM)  # type: ignore[arg-type]  # keys of many kinds


URI = x509.UniformResourceIdentifier
COMMON = x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, ALICE)]))


@pytest.mark.parametrize(
    "asked",
    [
        [URI(BOB)],
        [URI(ALICE), URI(BOB)],
        [URI(ALICE), URI(ALICE)],
        [URI(ALICE), x509.DNSName("alice")],
        [x509.DNSName(ALICE)],
        [x509.RFC822Name(ALICE)],
        [URI(ALICE + "/")],
        [URI(ALICE.upper())],
        [COMMON],
    ],
)
def test_a_request_for_any_other_name_is_refused(key: certificates.Key, asked: list[x509.GeneralName]) -> None:
    with pytest.raises(ForeignIdentityError, match=f"the request asks for .*; allowed is {ALICE}"):
        certificates.checked_key(asking(key, *asked), ALICE)


@pytest.mark.parametrize(
    "other",
    [
        rsa.generate_private_key(65537, 2048),
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ed25519.Ed25519PrivateKey.generate(),
    ],
    ids=["rsa", "p384", "secp256k1", "ed25519"],
)
def test_other_keys_are_refused(other: object) -> None:
    with pytest.raises(RefusedError, match="not ECDSA P-256: make one with"):
        certificates.checked_key(asking(other, URI(ALICE)), ALICE)


def test_a_request_that_its_key_has_not_signed_is_refused(key: certificates.Key) -> None:
    theirs = certificates.request(key, ALICE).public_bytes(serialization.Encoding.DER)
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    ours = ec.generate_private_key(ec.SECP256R1()).public_key()
    stolen = theirs.replace(
        point, ours.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    )
    with pytest.raises(RefusedError, match="not signed by its own key"):
        certificates.checked_key(x509.load_der_x509_csr(stolen).public_bytes(PEM), ALICE)


def test_a_request_whose_key_is_no_point_of_the_curve_is_refused(key: certificates.Key) -> None:
    request = certificates.request(key, ALICE).public_bytes(serialization.Encoding.DER)
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    broken = request.replace(point, point[:1] + bytes(64))
    with pytest.raises(RefusedError, match="no signing request"):
        certificates.checked_key(x509.load_der_x509_csr(broken).public_bytes(PEM), ALICE)


@pytest.mark.parametrize(
    "text", [b"", b"hello", b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"]
)
def test_what_is_no_request_is_refused(text: bytes) -> None:
    with pytest.raises(RefusedError, match="that is no signing request"):
        certificates.checked_key(text, ALICE)


def test_a_request_without_names_is_refused(key: certificates.Key) -> None:
    with pytest.raises(RefusedError, match="subject alternative name"):
        certificates.checked_key(asking(key), ALICE)


def test_nothing_a_request_asks_for_besides_its_name_is_granted(key: certificates.Key, root: x509.Certificate) -> None:
    greedy = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")]))
        .add_extension(x509.SubjectAlternativeName([URI(ALICE)]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(PEM)
    )
    granted = certificates.leaf(
        root, key, certificates.checked_key(greedy, ALICE), ALICE, NOW, timedelta(hours=1), serial=3
    )

    assert not granted.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert list(granted.subject) == []
