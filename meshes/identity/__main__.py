"""Short-lived helpers, so that no long-lived process holds cryptography in memory.

python -m meshes.identity authority DIR
python -m meshes.identity issue --authority DIR --out DIR NAME=SPIFFE_ID …
python -m meshes.identity csr --spiffe-id ID --out DIR
python -m meshes.identity sign --authority DIR --spiffe-id ID --lifetime SECONDS   (request on stdin, chain on stdout)
"""

import argparse
import sys
from datetime import timedelta
from pathlib import Path

from meshes.identity import folder
from meshes.identity.certificates import RefusedError
from meshes.identity.clock import wall_clock

MAX_REQUEST_BYTES = 16 * 1024


def main() -> int:
    """0, or 3 with a sentence on stderr for a request that is refused."""
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except RefusedError as error:
        print(error, file=sys.stderr)
        return 3
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m meshes.identity", description="Keys and certificates of hoptax.")
    commands = parser.add_subparsers(required=True)
    authority = commands.add_parser("authority", help="create an authority unless it is there")
    authority.add_argument("folder", type=Path)
    authority.set_defaults(run=lambda given: folder.make_authority(given.folder, wall_clock))
    issue = commands.add_parser("issue", help="keys and certificates for identities")
    issue.add_argument("--authority", type=Path, required=True)
    issue.add_argument("--out", type=Path, required=True)
    issue.add_argument("names", nargs="+", metavar="NAME=SPIFFE_ID")
    issue.set_defaults(run=_issue)
    csr = commands.add_parser("csr", help="a key and a signing request")
    csr.add_argument("--spiffe-id", required=True)
    csr.add_argument("--out", type=Path, required=True)
    csr.set_defaults(run=lambda given: folder.make_request(given.out, given.spiffe_id))
    sign = commands.add_parser("sign", help="sign the request on stdin")
    sign.add_argument("--authority", type=Path, required=True)
    sign.add_argument("--spiffe-id", required=True)
    sign.add_argument("--lifetime", type=float, required=True, metavar="SECONDS")
    sign.set_defaults(run=_sign)
    return parser


def _issue(given: argparse.Namespace) -> None:
    for pair in given.names:
        name, _, spiffe_id = pair.partition("=")
        folder.issue(given.authority, given.out / name, spiffe_id, wall_clock)


def _sign(given: argparse.Namespace) -> None:
    request = sys.stdin.buffer.read(MAX_REQUEST_BYTES + 1)
    if len(request) > MAX_REQUEST_BYTES:
        raise RefusedError(f"the request is longer than {MAX_REQUEST_BYTES} bytes")
    lifetime = timedelta(seconds=given.lifetime)
    sys.stdout.buffer.write(folder.sign(given.authority, request, given.spiffe_id, lifetime, wall_clock))


if __name__ == "__main__":
    sys.exit(main())
