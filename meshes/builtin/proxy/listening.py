"""A socket that listens on an address, made here because the event loop would start four threads to resolve its number."""

import socket

BACKLOG = 1024


def listening(address: str, port: int) -> socket.socket:
    """Bound and listening, not blocking; OSError if the port is taken."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((address, port))
        made.listen(BACKLOG)
        made.setblocking(False)
    except OSError:
        made.close()
        raise
    return made
