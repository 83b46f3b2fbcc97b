"""An HTTP service as a user of hoptax might have one: standard library only, nothing of hoptax in it.

It listens where HOST and PORT say, and sends one request to STOCK_URL, if it was given one, for each that it gets.
"""

import os
import sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import local
from urllib.parse import urlsplit

STOCK = urlsplit(os.environ.get("STOCK_URL", ""))
GREETING = " ".join(sys.argv[1:]).removeprefix("--greeting ")
mine = local()


def stock() -> None:
    """Callees are told apart by the header Host, since through a mesh all calls go to one sidecar."""
    if not hasattr(mine, "stock"):
        mine.stock = HTTPConnection(STOCK.hostname or "", STOCK.port)
    mine.stock.request("GET", "/", headers={"Host": "stock"})
    mine.stock.getresponse().read()


class Handler(BaseHTTPRequestHandler):
    """One thread for each connection, which is kept open."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        """Call stock, then greet."""
        if STOCK.hostname and self.path != "/healthz":
            stock()
        body = f"{GREETING or 'hello'}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: object) -> None:
        """Nothing for each request."""


if __name__ == "__main__":
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
