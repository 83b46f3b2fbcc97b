"""Our certificate in the form that connections use, replaced as a whole when it is renewed. Opens no socket.

Connections keep the certificate that they were made with. Those that we made are retired as they become idle (`cluster`), and so
are, on their side, those that others made to us: nobody's outlives its renewal by more than its busiest time.
"""

import ssl
from pathlib import Path

from meshes.builtin.proxy import tls


class Credentials:
    """`server` and `client` are contexts for new connections; `generation` counts replacements, 0 before the first."""

    __slots__ = ("client", "generation", "server")

    def __init__(self) -> None:
        self.server: ssl.SSLContext | None = None
        self.client: ssl.SSLContext | None = None
        self.generation = 0

    def replace(self, cert: Path, key: Path, bundle: str) -> None:
        """Takes a certificate chain and key from files and the roots as PEM text. ssl.SSLError or OSError leave the old ones."""
        server, client = tls.context(True, cert, key, bundle), tls.context(False, cert, key, bundle)
        self.server, self.client = server, client
        self.generation += 1
