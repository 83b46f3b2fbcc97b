"""Certificates with keys for Envoys: made once, renewed in the second half of their life, by helpers that may fail."""

import asyncio
from pathlib import Path
from typing import cast

import pytest

from meshes.builtin.control.signing import Signed, Signer, SigningError
from meshes.builtin.control.xds_certificates import Leaves

A = ("a-0", "spiffe://x/a")
LIFE_S = 100.0
LIVES_S = {"a-0": LIFE_S, "b-0": LIFE_S / 5}


class _Signer:
    """Makes numbered keys; keeps where they lay."""

    def __init__(self) -> None:
        self.now_s, self.keys, self.folders, self.fails = 0.0, 0, list[Path](), False

    async def request(self, folder: Path, _spiffe_id: str) -> bytes:
        await asyncio.sleep(0)
        self.keys += 1
        self.folders.append(folder)
        (folder / "key.pem").write_text(f"key {self.keys}")
        return b"request"

    async def sign(self, _request: bytes, spiffe_id: str, lifetime_s: float) -> Signed:
        if self.fails:
            raise SigningError("no")
        return Signed(f"chain of {spiffe_id}", "roots", self.now_s + lifetime_s)


@pytest.fixture
def signer() -> _Signer:
    return _Signer()


@pytest.fixture
def leaves(signer: _Signer, tmp_path: Path) -> Leaves:
    return Leaves(cast("Signer", signer), tmp_path / "keys", lambda name: LIVES_S[name], lambda: signer.now_s)


def test_it_is_made_once_for_all_who_ask_at_once(leaves: Leaves, signer: _Signer) -> None:
    async def ask() -> None:
        first, second = await asyncio.gather(leaves.leaf(A), leaves.leaf(A))
        assert first is second

    asyncio.run(ask())
    assert signer.keys == 1


def test_it_is_renewed_in_the_second_half_of_its_life(leaves: Leaves, signer: _Signer) -> None:
    first = asyncio.run(leaves.leaf(A))
    assert leaves.fresh_s(first) == LIFE_S / 2
    signer.now_s = LIFE_S / 2 - 1
    assert asyncio.run(leaves.leaf(A)) is first
    signer.now_s = LIFE_S / 2
    second = asyncio.run(leaves.leaf(A))

    assert (first.key, second.key, second.chain) == ("key 1", "key 2", "chain of spiffe://x/a")
    assert leaves.held(A) is second


def test_after_a_failure_the_old_one_is_held_as_long_as_it_is_valid(leaves: Leaves, signer: _Signer) -> None:
    first = asyncio.run(leaves.leaf(A))
    signer.fails, signer.now_s = True, LIFE_S / 2
    with pytest.raises(SigningError):
        asyncio.run(leaves.leaf(A))

    assert leaves.held(A) is first
    signer.now_s = LIFE_S
    assert leaves.held(A) is None


def test_no_key_stays_on_disk(leaves: Leaves, signer: _Signer) -> None:
    asyncio.run(leaves.leaf(A))
    signer.fails = True
    with pytest.raises(SigningError):
        asyncio.run(leaves.leaf(("b-0", "spiffe://x/b")))

    assert len(signer.folders) == 2
    assert not any(folder.exists() for folder in signer.folders)


def test_one_name_with_another_identity_gets_another_certificate(leaves: Leaves) -> None:
    first = asyncio.run(leaves.leaf(A))

    assert asyncio.run(leaves.leaf(("a-0", "spiffe://x/other"))).chain != first.chain


def test_each_name_has_the_lifetime_of_its_own_mesh(leaves: Leaves) -> None:
    longer, shorter = (asyncio.run(leaves.leaf((name, "spiffe://x/a"))) for name in ("a-0", "b-0"))

    assert (longer.not_after_s, shorter.not_after_s) == (LIFE_S, LIFE_S / 5)
