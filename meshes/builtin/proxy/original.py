"""Where a connection was going before the kernel redirected it to us. One question to a socket; knows no rule."""

import asyncio
import socket
import struct
from typing import Final

from meshes.builtin.snapshot import Endpoint

SO_ORIGINAL_DST: Final = 80
"""Of linux/netfilter_ipv4.h; IP6T_SO_ORIGINAL_DST has the same number."""
_IPV4: Final = struct.Struct("!2xH4s8x")
_IPV6: Final = struct.Struct("!2xH4x16s4x")
MAPPED: Final = "::ffff:"


def destination(transport: asyncio.BaseTransport) -> Endpoint | None:
    """The original destination of an accepted connection; None if nobody redirected it."""
    found = transport.get_extra_info("socket")
    here = transport.get_extra_info("sockname")
    address = here[0].removeprefix(MAPPED)
    try:
        meant = _meant(found, six=":" in address)
    except OSError:
        return None
    return None if meant == Endpoint(address, here[1]) else meant


def _meant(found: socket.socket, *, six: bool) -> Endpoint:
    if six:
        port, octets = _IPV6.unpack(found.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, _IPV6.size))
        return Endpoint(socket.inet_ntop(socket.AF_INET6, octets), port)
    port, octets = _IPV4.unpack(found.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, _IPV4.size))
    return Endpoint(socket.inet_ntop(socket.AF_INET, octets), port)
