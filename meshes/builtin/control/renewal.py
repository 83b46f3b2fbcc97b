"""The control plane's own certificate: the one it was given to start with, then a new key and chain at half-life."""

import asyncio
import shutil
import ssl
import sys
from collections.abc import Callable
from pathlib import Path

from meshes.builtin.control.signing import RefusedRequestError, Signer, SigningError
from meshes.identity.names import CONTROL_PLANE

GIVEN_LIFETIME_S = 24 * 3600.0
"""Of the certificate that the issuer made before launch."""

AGAIN_S = 5.0


def server_context(identity: Path) -> ssl.SSLContext:
    """TLS 1.3; a client's certificate is asked for, and verified if given, since the first request can't have one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(identity / "cert.pem", identity / "key.pem")
    context.load_verify_locations(identity / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL
    context.set_alpn_protocols(["http/1.1"])
    # Proxies ask for something new each time they connect, rarely: tickets would never be used.
    context.num_tickets = 0
    return context


async def keep_certificate(
    context: ssl.SSLContext,
    signer: Signer,
    folder: Path,
    lifetime_s: Callable[[], float],
    wall_s: Callable[[], float],
) -> None:
    """For ever: new connections get the newest certificate. A failure is told and tried again, long before the old one ends.

    `lifetime_s` is what a new certificate is to have, `wall_s` Unix time.
    """
    wait_s = min(GIVEN_LIFETIME_S, lifetime_s()) / 2
    while True:
        await asyncio.sleep(wait_s)
        try:
            wait_s = (await _renew(context, signer, folder, lifetime_s()) - wall_s()) / 2
        except (SigningError, RefusedRequestError, OSError) as error:
            print(f"control: no new certificate of our own: {error}", file=sys.stderr)
            wait_s = min(AGAIN_S, lifetime_s() / 10)


async def _renew(context: ssl.SSLContext, signer: Signer, folder: Path, lifetime_s: float) -> float:
    """When the new certificate ends, Unix time. OpenSSL reads chains and keys from files only; none of them stays."""
    try:
        request = await signer.request(folder, CONTROL_PLANE)
        signed = await signer.sign(request, CONTROL_PLANE, lifetime_s)
        (folder / "chain.pem").write_text(signed.chain)
        context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
        return signed.not_after_s
    finally:
        shutil.rmtree(folder, ignore_errors=True)
