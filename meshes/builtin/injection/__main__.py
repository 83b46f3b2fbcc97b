"""`python -m meshes.builtin.injection JSON`: writes the rules of capture into this network namespace, once. The init container.

JSON: `{"inbound", "outbound", "uid", "exclude_inbound": […], "exclude_outbound": […]}`. Needs CAP_NET_ADMIN, iptables-restore and
iptables-save, and the same of ip6tables where the pod has an IPv6 address that others can reach. Rules that are there stay. Exit codes: 0; 2 wrong use; 4 it failed.
"""

import json
import subprocess
import sys
from pathlib import Path

from meshes.builtin.injection.capture import Capturing, has_ipv6, rules

IPV6_ADDRESSES = Path("/proc/net/if_inet6")
JUMP = "-A OUTPUT -p tcp -j HOPTAX_OUT"


def main() -> int:
    """The exit code."""
    if len(sys.argv) != 2:
        print("usage: python -m meshes.builtin.injection JSON", file=sys.stderr)
        return 2
    capturing = _read(sys.argv[1])
    try:
        _apply("iptables", rules(capturing, six=False))
        if IPV6_ADDRESSES.exists() and has_ipv6(IPV6_ADDRESSES.read_text()):
            _apply("ip6tables", rules(capturing, six=True))
    except (OSError, subprocess.CalledProcessError) as error:
        said = error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else error
        print(f"injection: the rules can't be written: {said}", file=sys.stderr)
        return 4
    return 0


def _read(text: str) -> Capturing:
    given = json.loads(text)
    return Capturing(
        given["inbound"],
        given["outbound"],
        given["uid"],
        tuple(given["exclude_inbound"]),
        tuple(given["exclude_outbound"]),
    )


def _apply(tool: str, text: str) -> None:
    """All at once; a container that is started again finds them and changes nothing."""
    there = subprocess.run([f"{tool}-save", "-t", "nat"], capture_output=True, text=True, check=True).stdout
    if JUMP not in there:
        subprocess.run([f"{tool}-restore", "--noflush"], input=text, capture_output=True, text=True, check=True)


if __name__ == "__main__":
    sys.exit(main())
