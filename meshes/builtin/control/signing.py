"""Signing through a short-lived helper, so that the control plane never holds cryptography, nor the authority's key, in memory."""

import asyncio
import re
import ssl
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SIGN_WITHIN_S = 10.0
REFUSED_STATUS = 3
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n?", re.DOTALL)


class RefusedRequestError(Exception):
    """The helper won't sign that; the text is its sentence."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A chain and the roots to verify others by, both PEM; `not_after_s` is Unix time."""

    chain: str
    bundle: str
    not_after_s: float


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs with the authority in `folder`. `slots` bounds the helpers that run at once."""

    folder: Path
    slots: asyncio.Semaphore
    read: Callable[[Path], str] = Path.read_text

    async def sign(self, request: bytes, spiffe_id: str, lifetime_s: float) -> Signed:
        """A chain for a request that asks for exactly `spiffe_id`; RefusedRequestError otherwise."""
        async with self.slots:
            chain = await _helper(request, self.folder, spiffe_id, lifetime_s)
        return Signed(chain, self.read(self.folder / "ca.pem"), not_after_s(chain))


async def _helper(request: bytes, folder: Path, spiffe_id: str, lifetime_s: float) -> str:
    words = (
        "-m",
        "meshes.identity",
        "sign",
        "--authority",
        str(folder),
        "--spiffe-id",
        spiffe_id,
        "--lifetime",
        str(lifetime_s),
    )
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=pipe, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.wait_for(process.communicate(request), SIGN_WITHIN_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        lines = err.decode(errors="replace").strip().splitlines()
        raise RefusedRequestError(lines[-1] if lines else f"the helper ended with {process.returncode}")
    return out.decode()


def not_after_s(chain: str) -> float:
    """When the leaf of a PEM chain ends, Unix time; the standard library's own parser reads it from a file's text."""
    first = _CERTIFICATE.search(chain)
    if first is None:
        raise RefusedRequestError("the helper wrote no certificate")
    return _end_of(ssl.PEM_cert_to_DER_cert(first[0]))


def _end_of(der: bytes) -> float:
    """notAfter is the second of two adjacent times, which are DER type 0x17 (UTCTime) with 13 characters up to 2049."""
    times = re.findall(rb"\x17\x0d(\d{12}Z)", der)
    return float(ssl.cert_time_to_seconds(_spoken(times[1].decode())))


def _spoken(utc_time: str) -> str:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    year, month, day = int(utc_time[:2]), int(utc_time[2:4]), int(utc_time[4:6])
    clock = f"{utc_time[6:8]}:{utc_time[8:10]}:{utc_time[10:12]}"
    return f"{months[month - 1]} {day:2d} {clock} {2000 + year} GMT"
