"""`python -m meshes.identity`, as platforms and control planes call it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from meshes.identity.names import spiffe_id
from tests.meshes.identity.tls import handshake

pytestmark = pytest.mark.system
ALICE, BOB = spiffe_id("alice"), spiffe_id("bob")


def run(*words: object, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "meshes.identity", *map(str, words)]
    return subprocess.run(command, input=given, capture_output=True, check=False, timeout=60)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("identity") / "authority"
    assert run("authority", folder).returncode == 0
    return folder


def sign(authority: Path, request: bytes, identity: str = ALICE) -> subprocess.CompletedProcess[bytes]:
    return run("sign", "--authority", authority, "--spiffe-id", identity, "--lifetime", 60, given=request)


def test_identities_are_issued_into_folders_of_their_names(authority: Path, tmp_path: Path) -> None:
    out = tmp_path / "identities"
    done = run("issue", "--authority", authority, "--out", out, f"one={ALICE}", f"two={BOB}")

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert handshake(out / "one", out / "two", trusted=authority) == (BOB, ALICE)


def test_a_request_on_stdin_becomes_a_chain_on_stdout(authority: Path, tmp_path: Path) -> None:
    assert run("csr", "--spiffe-id", ALICE, "--out", tmp_path).returncode == 0
    request = (tmp_path / "csr.pem").read_bytes()

    granted = sign(authority, request)
    assert granted.returncode == 0
    signed = json.loads(granted.stdout)
    assert signed["not_after"] == not_after(signed["chain"])
    assert signed["bundle"] == (authority / "ca.pem").read_text()

    refused = sign(authority, request, BOB)
    assert (refused.returncode, refused.stdout) == (5, b"")
    assert refused.stderr.decode() == f"identity: the request asks for {ALICE}; allowed is {BOB}\n"


def not_after(chain: str) -> float:
    return x509.load_pem_x509_certificate(chain.encode()).not_valid_after_utc.timestamp()


def test_what_is_too_long_is_not_even_read(authority: Path) -> None:
    refused = sign(authority, b"x" * 16_385)

    assert (refused.returncode, refused.stdout) == (3, b"")
    assert refused.stderr == b"identity: the request is longer than 16384 bytes\n"


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("alice", "'' is no SPIFFE id below spiffe://hoptax.local/"),
        (f"={ALICE}", "is not NAME=SPIFFE_ID"),
        (f"../up={ALICE}", "NAME becomes a folder"),
        ("alice=spiffe://other.local/ns/default/sa/alice", "no SPIFFE id below"),
    ],
)
def test_names_that_are_wrong_are_refused(authority: Path, tmp_path: Path, named: str, message: str) -> None:
    refused = run("issue", "--authority", authority, "--out", tmp_path / "identities", named)

    assert refused.returncode == 2
    assert message in refused.stderr.decode()
    assert not (tmp_path / "identities").exists()


@pytest.mark.parametrize("lifetime", ["0", "-5", "forever", "nan", "1e99"])
def test_lifetimes_that_are_wrong_are_refused(authority: Path, lifetime: str) -> None:
    words = ("sign", "--authority", authority, "--spiffe-id", ALICE, f"--lifetime={lifetime}")
    refused = run(*words)

    assert refused.returncode == 2
    assert "is no lifetime: 1 to 31622400 seconds are allowed" in refused.stderr.decode()


def test_an_authority_that_is_not_there_is_told(tmp_path: Path) -> None:
    refused = run("issue", "--authority", tmp_path / "none", "--out", tmp_path / "out", f"alice={ALICE}")

    assert refused.returncode == 4
    assert refused.stderr.startswith(b"identity: [Errno 2] No such file or directory")
