"""Signing, with helpers that end in every way: each end is one decision for the caller."""

import asyncio
import json
from pathlib import Path

import pytest

from meshes.builtin.control.signing import (
    FOREIGN_IDENTITY,
    HELPERS,
    REFUSED_REQUEST,
    ForeignIdentityError,
    Helped,
    RefusedRequestError,
    Signed,
    Signer,
    SigningError,
)
from meshes.identity import __main__ as helpers

AUTHORITY = Path("authority")
GOOD = json.dumps({"chain": "chain", "bundle": "bundle", "not_after": 1_900_000_000}).encode()


def signing(helped: Helped) -> Signed:
    async def helper(_words: tuple[str, ...], _given: bytes) -> Helped:
        return helped

    return asyncio.run(Signer(AUTHORITY, helper).sign(b"request", "spiffe://x/a", 60))


def test_the_helper_is_told_what_is_allowed_and_what_it_says_is_passed_on() -> None:
    seen: list[tuple[tuple[str, ...], bytes]] = []

    async def helper(words: tuple[str, ...], given: bytes) -> Helped:
        seen.append((words, given))
        return Helped(0, GOOD, "")

    signed = asyncio.run(Signer(AUTHORITY, helper).sign(b"request", "spiffe://x/a", 60))

    assert signed == Signed("chain", "bundle", 1_900_000_000)
    words = ("sign", "--authority", "authority", "--spiffe-id", "spiffe://x/a", "--lifetime", "60")
    assert seen == [(words, b"request")]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (REFUSED_REQUEST, RefusedRequestError),
        (FOREIGN_IDENTITY, ForeignIdentityError),
        (1, SigningError),
        (-9, SigningError),
    ],
)
def test_each_end_of_the_helper_is_an_error_of_its_own(code: int, error: type[Exception]) -> None:
    with pytest.raises(error, match="because"):
        signing(Helped(code, b"", "because"))


@pytest.mark.parametrize("out", [b"", b"[]", b"{}", b'{"chain": "c", "bundle": "b", "not_after": "soon"}'])
def test_what_isnt_a_certificate_is_not_taken_for_one(out: bytes) -> None:
    with pytest.raises(SigningError, match="no certificate"):
        signing(Helped(0, out, ""))


def test_codes_are_those_of_the_helper() -> None:
    assert (REFUSED_REQUEST, FOREIGN_IDENTITY) == (helpers.REFUSED, helpers.FOREIGN)


def test_few_helpers_run_at_once() -> None:
    running, most = 0, 0

    async def helper(_words: tuple[str, ...], _given: bytes) -> Helped:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return Helped(0, GOOD, "")

    async def crowd() -> None:
        signer = Signer(AUTHORITY, helper)
        await asyncio.gather(*(signer.sign(b"", "spiffe://x/a", 60) for _ in range(5 * HELPERS)))

    asyncio.run(crowd())
    assert most == HELPERS
