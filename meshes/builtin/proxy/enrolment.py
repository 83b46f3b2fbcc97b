"""Our certificate's life: a new key and request by a helper process, the control plane's signature, and again at half-life.

Knows the two calls it takes, not who makes keys: a helper that ends before the first request arrives keeps the libraries for
that out of this process, whose memory is what it is measured by.
"""

import asyncio
import json
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

from meshes.builtin.proxy.backoff import delay_s
from meshes.builtin.proxy.control import ControlError, ControlPlane
from meshes.builtin.proxy.credentials import Credentials
from meshes.builtin.proxy.telemetry import Telemetry

HELPER_S = 30.0
CSR_KIND = "application/x-pem-file"


class Enrolment:
    """One proxy's certificate. `token` authenticates the first request; after that the certificate itself does, while it
    is valid."""

    def __init__(
        self,
        control: ControlPlane,
        spiffe_id: str,
        token: Callable[[], str],
        folder: Path,
        credentials: Credentials,
        telemetry: Telemetry,
    ) -> None:
        self._control = control
        self._spiffe_id = spiffe_id
        self._token = token
        self._folder = folder / "identity"
        self._credentials = credentials
        self._telemetry = telemetry
        self._expires_s = 0.0

    async def keep(self, enrolled: asyncio.Event, chance: Callable[[], float]) -> None:
        """For ever: a certificate, then a new one after half of its life. Failures are tried again."""
        failures = 0
        while True:
            try:
                lifetime_s = await self._renew()
            except (ControlError, OSError) as error:
                self._telemetry.control_errors += 1
                self._telemetry.control_error = str(error)
                await asyncio.sleep(delay_s(failures, chance()))
                failures += 1
                continue
            failures = 0
            enrolled.set()
            await asyncio.sleep(lifetime_s / 2)

    async def _renew(self) -> float:
        """One new certificate; how long it lives, in seconds."""
        request = await self._key_and_request()
        # A certificate that ran out meanwhile (a machine that slept) proves nothing: start again as at the beginning.
        token = self._token() if asyncio.get_running_loop().time() >= self._expires_s else ""
        answer = await self._control.post("/v1/certificates", request, CSR_KIND, token)
        try:
            document = json.loads(answer)
            chain, bundle = str(document["chain"]), str(document["bundle"])
            lifetime_s, not_after = float(document["lifetime_s"]), int(document["not_after"])
            self._load(chain, bundle)
        except (ValueError, KeyError, TypeError, ssl.SSLError) as error:
            raise ControlError(f"the control plane's certificate can't be used: {error!r}") from error
        self._expires_s = asyncio.get_running_loop().time() + lifetime_s
        self._telemetry.certificates += 1
        self._telemetry.certificate_not_after = not_after
        return lifetime_s

    async def _key_and_request(self) -> bytes:
        words = ("-m", "meshes.identity", "csr", "--spiffe-id", self._spiffe_id, "--out", str(self._folder))
        pipe = asyncio.subprocess.PIPE
        helper = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=pipe, stderr=pipe)
        try:
            async with asyncio.timeout(HELPER_S):
                _, said = await helper.communicate()
        except TimeoutError as error:
            helper.kill()
            await helper.wait()
            raise ControlError(f"the helper that makes keys took longer than {HELPER_S:g} s") from error
        if helper.returncode:
            raise ControlError(
                f"the helper that makes keys ended with {helper.returncode}: {said.decode().strip():.300}"
            )
        return (self._folder / "csr.pem").read_bytes()

    def _load(self, chain: str, bundle: str) -> None:
        """OpenSSL reads chains and keys from files only; none of them stays."""
        certificate = self._folder / "chain.pem"
        key = self._folder / "key.pem"
        try:
            certificate.write_text(chain)
            self._credentials.replace(certificate, key, bundle)
        finally:
            for path in (certificate, key, self._folder / "csr.pem"):
                path.unlink(missing_ok=True)
