"""Short-lived helpers, so that no long-lived process holds cryptography in memory.

python -m meshes.identity authority DIR
python -m meshes.identity issue --authority DIR --out DIR NAME=SPIFFE_ID …
python -m meshes.identity serve --authority DIR --out DIR DNS_NAME …
python -m meshes.identity csr --spiffe-id ID --out DIR
python -m meshes.identity sign --authority DIR --spiffe-id ID --lifetime SECONDS

`sign` reads the request (PEM) on stdin and writes one JSON object: `chain` and `bundle` (PEM), `not_after` (Unix time).
Exit codes: 0; 2 wrong use; 3 what stands on stdin is no request that can be signed; 4 a file can't be read or written; 5 the
request asks for an identity that isn't allowed. One sentence on stderr says why.
"""

import argparse
import json
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

from meshes.identity import folder
from meshes.identity.certificates import ForeignIdentityError, RefusedError
from meshes.identity.clock import wall_clock
from meshes.identity.names import TRUST_DOMAIN, is_ours

MAX_REQUEST_BYTES = 16 * 1024
MAX_LIFETIME_S = 366 * 24 * 3600
REFUSED, FAILED, FOREIGN = 3, 4, 5


def main() -> int:
    """The exit code."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except ForeignIdentityError as error:
        return _said(error, FOREIGN)
    except RefusedError as error:
        return _said(error, REFUSED)
    except OSError as error:
        return _said(error, FAILED)
    return 0


def _said(error: Exception, code: int) -> int:
    print(f"identity: {error}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m meshes.identity", description="Keys and certificates of hoptax.")
    commands = parser.add_subparsers(required=True)
    authority = commands.add_parser("authority", help="create an authority unless it is there")
    authority.add_argument("folder", type=Path)
    authority.set_defaults(run=lambda given: folder.make_authority(given.folder, wall_clock))
    issue = commands.add_parser("issue", help="keys and certificates for identities")
    issue.add_argument("--authority", type=Path, required=True)
    issue.add_argument("--out", type=Path, required=True)
    issue.add_argument("names", nargs="+", type=_named, metavar="NAME=SPIFFE_ID")
    issue.set_defaults(run=_issue)
    serve = commands.add_parser("serve", help="a key and certificate for a server known by DNS names")
    serve.add_argument("--authority", type=Path, required=True)
    serve.add_argument("--out", type=Path, required=True)
    serve.add_argument("names", nargs="+", metavar="DNS_NAME")
    serve.set_defaults(run=lambda given: folder.serve(given.authority, given.out, tuple(given.names), wall_clock))
    csr = commands.add_parser("csr", help="a key and a signing request")
    csr.add_argument("--spiffe-id", type=_identity, required=True)
    csr.add_argument("--out", type=Path, required=True)
    csr.set_defaults(run=lambda given: folder.make_request(given.out, given.spiffe_id))
    sign = commands.add_parser("sign", help="sign the request on stdin")
    sign.add_argument("--authority", type=Path, required=True)
    sign.add_argument("--spiffe-id", type=_identity, required=True)
    sign.add_argument("--lifetime", type=_lifetime, required=True, metavar="SECONDS")
    sign.set_defaults(run=_sign)
    return parser


def _identity(text: str) -> str:
    if not is_ours(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no SPIFFE id below spiffe://{TRUST_DOMAIN}/")
    return text


def _named(text: str) -> tuple[str, str]:
    name, _, identity = text.partition("=")
    if not name or "/" in name or name.startswith("."):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SPIFFE_ID: NAME becomes a folder")
    return name, _identity(identity)


def _lifetime(text: str) -> timedelta:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= MAX_LIFETIME_S:
        raise argparse.ArgumentTypeError(f"{text!r} is no lifetime: 1 to {MAX_LIFETIME_S} seconds are allowed")
    return timedelta(seconds=seconds)


def _issue(given: argparse.Namespace) -> None:
    for name, spiffe_id in given.names:
        folder.issue(given.authority, given.out / name, spiffe_id, wall_clock)


def _sign(given: argparse.Namespace) -> None:
    request = sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1)
    if len(request) > MAX_REQUEST_BYTES:
        raise RefusedError(f"the request is longer than {MAX_REQUEST_BYTES} bytes")
    print(json.dumps(asdict(folder.sign(given.authority, request, given.spiffe_id, given.lifetime, wall_clock))))


if __name__ == "__main__":
    sys.exit(main())
