"""The rules of capture: as text, and in a network namespace of their own where that is permitted, shown by connections."""

import json
import shutil
import subprocess
import sys

import pytest

from meshes.builtin.injection.capture import Capturing, has_ipv6, rules

CAPTURING = Capturing(15006, 15001, 10002, (8081,), (8081, 8090))

TALK = """
import json, os, socket, subprocess, sys
own, other, family, tool = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
anywhere, loopback = ("::", "::1") if family == 6 else ("0.0.0.0", "127.0.0.1")
socket_family = socket.AF_INET6 if family == 6 else socket.AF_INET
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", f"-{family}", "address", "add", f"{own}/{128 if family == 6 else 32}", "dev", "lo"], check=True)
words = json.dumps({"inbound": 15006, "outbound": 15001, "uid": 10002, "exclude_inbound": [8081], "exclude_outbound": [8081]})
for _ in range(2):
    subprocess.run([sys.executable, "-m", "meshes.builtin.injection", words], check=True)
listener = socket.create_server((anywhere, 15001), family=socket_family)
inward = socket.create_server((anywhere, 15006), family=socket_family)
from meshes.builtin.proxy.original import destination
class Transport:
    def __init__(self, accepted): self.accepted = accepted
    def get_extra_info(self, name): return self.accepted if name == "socket" else self.accepted.getsockname()
def seen(server):
    server.settimeout(5)
    return str(destination(Transport(server.accept()[0])))
def call(address, uid=0):
    child = os.fork()
    if child == 0:
        os.setuid(uid); dialler = socket.socket(socket_family); dialler.settimeout(5); dialler.connect(address); os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
subprocess.run(["ip", f"-{family}", "route", "add", "default", "dev", "lo"], check=True)
call((other, 8080)); out = seen(listener)
call((own, 8080), 10002); back = seen(inward)
straight = socket.create_connection((loopback, 15001)); none = seen(listener)
listing = subprocess.run([f"{tool}-save", "-t", "nat"], capture_output=True, text=True).stdout
print(json.dumps([out, back, none, listing.count("-A OUTPUT -p tcp -j HOPTAX_OUT")]))
"""


def test_the_sidecars_own_traffic_and_loopback_come_before_the_redirection() -> None:
    lines = rules(CAPTURING, six=False).splitlines()
    out = [line for line in lines if line.startswith("-A HOPTAX_OUT")]

    assert "--uid-owner 10002 -j REDIRECT --to-ports 15006" in out[0]
    assert out[1].endswith("--uid-owner 10002 -j RETURN")
    assert out[2] == "-A HOPTAX_OUT -d 127.0.0.1/32 -j RETURN"
    assert out[-1] == "-A HOPTAX_OUT -p tcp -j REDIRECT --to-ports 15001"
    assert [line for line in lines if "8090" in line] == ["-A HOPTAX_OUT -p tcp --dport 8090 -j RETURN"]


LOOPBACK = "00000000000000000000000000000001 01 80 10 80       lo\n"
LINK = "fe8000000000000000427efffecb0fb4 58 40 20 80     eth0\n"


@pytest.mark.parametrize(
    ("addresses", "has"),
    [("", False), (LOOPBACK + LINK, False), (LINK + "fd000000000000000000000000000002 04 40 00 82 eth0\n", True)],
)
def test_a_pod_has_ipv6_if_others_can_reach_it_so(addresses: str, has: bool) -> None:
    assert has_ipv6(addresses) is has


def test_ipv6_has_its_own_loopback() -> None:
    text = rules(CAPTURING, six=True)
    assert "::1/128" in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize(
    ("own", "other", "family", "tool", "told"),
    [
        ("198.18.77.1", "198.18.77.9", "4", "iptables", ["198.18.77.9:8080", "198.18.77.1:8080", "None", 1]),
        ("fd00:77::1", "fd00:77::9", "6", "ip6tables", ["[fd00:77::9]:8080", "[fd00:77::1]:8080", "None", 1]),
    ],
)
def test_connections_of_a_network_namespace_are_redirected_and_tell_where_they_were_going(
    own: str, other: str, family: str, tool: str, told: list[str | int]
) -> None:
    if not all(map(shutil.which, ("unshare", f"{tool}-restore", "ip"))):
        pytest.skip(f"NOT TESTED: unshare, {tool} or ip is missing, so that nothing can be captured here")
    if subprocess.run(["unshare", "--net", tool, "-t", "nat", "-L"], capture_output=True, check=False).returncode:
        pytest.skip(f"NOT TESTED: a network namespace with {tool} is not permitted here")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", TALK, own, other, family, tool],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.strip() == json.dumps(told), done.stderr
