"""Signing through short-lived helpers, so that the control plane holds neither cryptography nor the authority's key in memory."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELPER_S = 10.0
HELPERS = 2
"""At once. Each takes a CPU for a tenth of a second; more would only slow each other."""

REFUSED_REQUEST, FOREIGN_IDENTITY = 3, 5
"""Exit codes of `python -m meshes.identity`."""


class RefusedRequestError(Exception):
    """That is no request which can be signed."""


class ForeignIdentityError(Exception):
    """The request is for an identity that its sender may not have."""


class SigningError(Exception):
    """We could not sign, whatever the request was."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A chain and the roots to verify others by, both PEM; `not_after_s` is Unix time."""

    chain: str
    bundle: str
    not_after_s: float


@dataclass(frozen=True, slots=True)
class Helped:
    """How a helper ended: exit code and output."""

    code: int
    out: bytes
    err: str


Helper = Callable[[tuple[str, ...], bytes], Coroutine[Any, Any, Helped]]
"""Runs `python -m meshes.identity` with words and stdin; SigningError if it doesn't end."""


class Signer:
    """Signs with the authority in `folder`."""

    def __init__(self, folder: Path, helper: Helper | None = None) -> None:
        self._folder = folder
        self._helper = helper or run_helper
        self._slots = asyncio.Semaphore(HELPERS)

    async def sign(self, request: bytes, spiffe_id: str, lifetime_s: float) -> Signed:
        """A chain for a request that asks for exactly `spiffe_id`."""
        words = ("sign", "--authority", str(self._folder), "--spiffe-id", spiffe_id, "--lifetime", f"{lifetime_s}")
        helped = await self._run(words, request)
        try:
            document = json.loads(helped.out)
            return Signed(document["chain"], document["bundle"], float(document["not_after"]))
        except (ValueError, KeyError, TypeError) as error:
            raise SigningError("the helper that signs wrote no certificate") from error

    async def request(self, folder: Path, spiffe_id: str) -> bytes:
        """A new `key.pem` in `folder` and a request for it."""
        await self._run(("csr", "--spiffe-id", spiffe_id, "--out", str(folder)), b"")
        return (folder / "csr.pem").read_bytes()

    async def _run(self, words: tuple[str, ...], given: bytes) -> Helped:
        async with self._slots:
            helped = await self._helper(words, given)
        if helped.code == REFUSED_REQUEST:
            raise RefusedRequestError(helped.err)
        if helped.code == FOREIGN_IDENTITY:
            raise ForeignIdentityError(helped.err)
        if helped.code:
            raise SigningError(f"the helper that signs ended with {helped.code}: {helped.err}")
        return helped


async def run_helper(words: tuple[str, ...], given: bytes) -> Helped:
    """As `Helper`."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "meshes.identity", *words, stdin=pipe, stdout=pipe, stderr=pipe
    )
    try:
        async with asyncio.timeout(HELPER_S):
            out, err = await process.communicate(given)
    except BaseException as error:
        if process.returncode is None:
            process.kill()
        await process.wait()
        if isinstance(error, TimeoutError):
            raise SigningError(f"the helper that signs took longer than {HELPER_S:g} s") from error
        raise
    lines = err.decode(errors="replace").strip().splitlines()
    return Helped(process.returncode or 0, out, lines[-1] if lines else "")
