"""Asks a unit once whether it is ready. Whoever calls decides how often and for how long."""

import socket
from http.client import HTTPConnection, HTTPException

from harness.model.plan import Ready

ANSWER_WITHIN_S = 1.0


def is_ready(address: str, ready: Ready) -> bool:
    """Whether the unit answers as `ready` wants it; a unit that accepts and then says nothing for a second isn't ready."""
    if not ready.path:
        with socket.socket() as attempt:
            attempt.settimeout(ANSWER_WITHIN_S)
            return attempt.connect_ex((address, ready.port)) == 0
    connection = HTTPConnection(address, ready.port, timeout=ANSWER_WITHIN_S)
    try:
        connection.request("GET", ready.path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
