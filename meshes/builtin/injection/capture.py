"""The rules by which the kernel redirects a pod's TCP connections to its sidecar, as iptables-restore reads them. Pure.

Table `nat`, chains of our own. What comes from outside goes to the inbound port, but for excluded ports. What the pod sends goes to the
outbound port, but for what the sidecar itself sends (by uid), what goes to loopback, and excluded ports. What the sidecar sends to
the pod's own address (an app that calls its own Service) goes to the inbound port, as if it came from outside.
"""

from dataclasses import dataclass

MOST_PORTS = 32
SCOPE, GLOBAL = 3, "00"
"""The field of a line of /proc/net/if_inet6, and its value for an address that others can reach."""


@dataclass(frozen=True, slots=True)
class Capturing:
    """The sidecar's ports and uid, and the ports that aren't captured."""

    inbound: int
    outbound: int
    uid: int
    exclude_inbound: tuple[int, ...] = ()
    exclude_outbound: tuple[int, ...] = ()


def rules(capturing: Capturing, *, six: bool) -> str:
    """For iptables-restore --noflush, or with `six` for ip6tables-restore. A second time the same rules replace the first."""
    loopback = "::1/128" if six else "127.0.0.1/32"
    own = f"-m owner --uid-owner {capturing.uid}"
    lines = [
        "*nat",
        ":HOPTAX_IN - [0:0]",
        ":HOPTAX_OUT - [0:0]",
        *(f"-A HOPTAX_IN -p tcp --dport {port} -j RETURN" for port in capturing.exclude_inbound),
        f"-A HOPTAX_IN -p tcp -j REDIRECT --to-ports {capturing.inbound}",
        f"-A HOPTAX_OUT -p tcp -o lo ! -d {loopback} {own} -j REDIRECT --to-ports {capturing.inbound}",
        f"-A HOPTAX_OUT {own} -j RETURN",
        f"-A HOPTAX_OUT -d {loopback} -j RETURN",
        *(f"-A HOPTAX_OUT -p tcp --dport {port} -j RETURN" for port in capturing.exclude_outbound),
        f"-A HOPTAX_OUT -p tcp -j REDIRECT --to-ports {capturing.outbound}",
        "-A PREROUTING -p tcp -j HOPTAX_IN",
        "-A OUTPUT -p tcp -j HOPTAX_OUT",
        "COMMIT",
    ]
    return "\n".join(lines) + "\n"


def has_ipv6(addresses: str) -> bool:
    """From the text of /proc/net/if_inet6: whether one is global. A network without IPv6 gives pods link-local ones all the same."""
    return any(line.split()[SCOPE] == GLOBAL for line in addresses.splitlines())
