"""Keys and certificates on disk."""

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLError

import pytest
from cryptography import x509

from meshes.identity import folder
from meshes.identity.certificates import ForeignIdentityError
from meshes.identity.clock import wall_clock
from meshes.identity.names import spiffe_id
from tests.meshes.identity.tls import handshake

ALICE, BOB = spiffe_id("alice"), spiffe_id("bob")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    folder.make_authority(tmp_path / "authority", wall_clock)
    return tmp_path / "authority"


def issued(authority: Path, name: str, at: datetime | None = None) -> Path:
    where = authority.parent / f"{authority.name}-identities" / name
    folder.issue(authority, where, spiffe_id(name), (lambda: at) if at else wall_clock)
    return where


def test_two_identities_of_one_authority_know_each_other(authority: Path) -> None:
    alice, bob = issued(authority, "alice"), issued(authority, "bob")

    assert handshake(alice, bob, trusted=bob) == (BOB, ALICE)


def test_identities_of_two_authorities_do_not(authority: Path, tmp_path: Path) -> None:
    folder.make_authority(tmp_path / "other", wall_clock)
    alice, stranger = issued(authority, "alice"), issued(tmp_path / "other", "bob")
    with pytest.raises(SSLError, match="certificate verify failed"):
        handshake(alice, stranger, trusted=authority)


@pytest.mark.parametrize("ago", [timedelta(days=-2), timedelta(days=2)])
def test_a_certificate_is_no_good_out_of_its_time(authority: Path, ago: timedelta) -> None:
    alice, bob = issued(authority, "alice"), issued(authority, "bob", datetime.now(UTC) - ago)
    with pytest.raises(SSLError, match="certificate verify failed"):
        handshake(alice, bob, trusted=authority)


def test_private_is_private(authority: Path) -> None:
    alice = issued(authority, "alice")
    folder.make_request(alice.with_name("asking"), ALICE)

    def mode(path: Path) -> int:
        return path.stat().st_mode & 0o777

    assert {mode(path) for path in (authority, alice, alice.with_name("asking"))} == {0o700}
    keys = (authority / "ca-key.pem", alice / "key.pem", alice.with_name("asking") / "key.pem")
    assert {mode(path) for path in keys} == {0o600}
    assert mode(alice / "cert.pem") == 0o644


def test_an_identity_has_its_own_key_and_never_the_authoritys(authority: Path) -> None:
    alice, bob = issued(authority, "alice"), issued(authority, "bob")

    assert {path.name for path in alice.iterdir()} == {"cert.pem", "key.pem", "ca.pem"}
    assert len({path.read_bytes() for path in (alice / "key.pem", bob / "key.pem", authority / "ca-key.pem")}) == 3


def test_an_authority_that_is_there_stays(authority: Path) -> None:
    before = (authority / "ca-key.pem").read_bytes()
    folder.make_authority(authority, wall_clock)

    assert (authority / "ca-key.pem").read_bytes() == before


def test_an_authority_that_can_not_be_written_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "authority").write_text("a file in the way")
    with pytest.raises(OSError, match="Not a directory"):
        folder.make_authority(tmp_path / "authority", wall_clock)

    assert [path.name for path in tmp_path.iterdir()] == ["authority"]


def test_what_lies_in_the_way_of_a_key_is_replaced_not_written_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("theirs")
    (tmp_path / "key.pem").symlink_to(tmp_path / "elsewhere")
    folder.make_request(tmp_path, ALICE)

    assert (tmp_path / "elsewhere").read_text() == "theirs"
    assert not (tmp_path / "key.pem").is_symlink()


def test_of_authorities_made_at_once_one_stays_whole(tmp_path: Path) -> None:
    makers = 4
    together = threading.Barrier(makers, timeout=10)

    def at_once() -> datetime:
        together.wait()
        return wall_clock()

    threads = [
        threading.Thread(target=folder.make_authority, args=(tmp_path / "authority", at_once)) for _ in range(makers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [path.name for path in tmp_path.iterdir()] == ["authority"]
    alice, bob = issued(tmp_path / "authority", "alice"), issued(tmp_path / "authority", "bob")
    assert handshake(alice, bob, trusted=tmp_path / "authority") == (BOB, ALICE)


def test_a_request_is_signed_for_what_it_may_have(authority: Path, tmp_path: Path) -> None:
    asking = tmp_path / "asking"
    folder.make_request(asking, ALICE)
    at = wall_clock().replace(microsecond=0)
    signed = folder.sign(authority, (asking / "csr.pem").read_bytes(), ALICE, timedelta(seconds=90), lambda: at)
    (asking / "cert.pem").write_text(signed.chain)

    [leaf] = x509.load_pem_x509_certificates(signed.chain.encode())
    assert leaf.not_valid_after_utc == at + timedelta(seconds=90)
    assert signed.not_after == leaf.not_valid_after_utc.timestamp()
    assert signed.bundle == (authority / "ca.pem").read_text()
    assert handshake(asking, issued(authority, "bob"), trusted=authority) == (BOB, ALICE)


def test_a_request_for_somebody_else_is_not_signed(authority: Path, tmp_path: Path) -> None:
    folder.make_request(tmp_path / "asking", BOB)
    with pytest.raises(ForeignIdentityError, match=f"asks for {BOB}; allowed is {ALICE}"):
        folder.sign(authority, (tmp_path / "asking" / "csr.pem").read_bytes(), ALICE, timedelta(1), wall_clock)
