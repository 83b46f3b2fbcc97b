"""A unit to try platforms with: a small HTTP server that does what its tests ask of it. Runs as `python -m tests.platforms.unit`."""

import argparse
import json
import os
import signal
import socket
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

Answers = dict[str, Callable[[], tuple[int, Any]]]  # Any: JSON values


def burn(seconds: float) -> float:
    """Use that much CPU time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
    return seconds


def daemonize() -> None:
    """Leave a process behind with a session of its own, an ended parent and our listening socket; it ignores SIGTERM."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while True:
                signal.pause()
        os._exit(0)
    os.wait()


def die() -> tuple[int, Any]:
    print("the last words", flush=True)
    os._exit(3)


def answers(given: argparse.Namespace) -> Answers:
    refusals = iter(range(given.refusals))
    return {
        "/ready": lambda: (200 if next(refusals, None) is None else 503, None),
        "/burn": lambda: (200, burn(0.05)),
        "/die": die,
        "/environment": lambda: (200, dict(os.environ)),
        "/files": lambda: (200, {path.name: [path.read_text(), path.stat().st_mode & 0o777] for path in given.files}),
        "/cpus": lambda: (200, sorted(os.sched_getaffinity(0))),
    }


def serve(address: str, port: int, known: Answers, daemon: bool) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, document = known[self.path]()
            text = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    with HTTPServer((address, port), Handler) as server:
        if daemon:
            daemonize()
        server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("at")
    parser.add_argument("--refusals", type=int, default=0, help="how often /ready says no")
    parser.add_argument("--needs", default="", help="die at once unless a server listens there")
    parser.add_argument("--ignore-term", action="store_true")
    parser.add_argument("--daemon", action="store_true")
    parser.add_argument("--marker", help="only to be found by")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    if given.needs:
        needed, _, port = given.needs.partition(":")
        socket.create_connection((needed, int(port)), timeout=5).close()
    if given.ignore_term:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    address, _, port = given.at.partition(":")
    serve(address, int(port), answers(given), given.daemon)


if __name__ == "__main__":
    main()
