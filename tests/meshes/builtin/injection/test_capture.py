"""The rules of capture: as text, and in a network namespace of their own where that is permitted, shown by connections."""

import shutil
import subprocess
import sys

import pytest

from meshes.builtin.injection.capture import Capturing, has_ipv6, rules

CAPTURING = Capturing(15006, 15001, 10002, (8081,), (8081, 8090))

TALK = """
import json, os, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "198.18.77.1/32", "dev", "lo"], check=True)
words = json.dumps({"inbound": 15006, "outbound": 15001, "uid": 10002, "exclude_inbound": [8081], "exclude_outbound": [8081]})
for _ in range(2):
    subprocess.run([sys.executable, "-m", "meshes.builtin.injection", words], check=True)
listener = socket.create_server(("0.0.0.0", 15001)); inward = socket.create_server(("0.0.0.0", 15006))
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
        os.setuid(uid); dialler = socket.socket(); dialler.settimeout(5); dialler.connect(address); os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
subprocess.run(["ip", "route", "add", "default", "dev", "lo"], check=True)
call(("198.18.77.9", 8080)); out = seen(listener)
call(("198.18.77.1", 8080), 10002); own = seen(inward)
straight = socket.create_connection(("127.0.0.1", 15001)); none = seen(listener)
listing = subprocess.run(["iptables-save", "-t", "nat"], capture_output=True, text=True).stdout
print(json.dumps([out, own, none, listing.count("-A OUTPUT -p tcp -j HOPTAX_OUT")]))
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


def test_connections_of_a_network_namespace_are_redirected_and_tell_where_they_were_going() -> None:
    if not all(map(shutil.which, ("unshare", "iptables-restore", "ip"))):
        pytest.skip("NOT TESTED: unshare, iptables or ip is missing, so that nothing can be captured here")
    if subprocess.run(["unshare", "--net", "iptables", "-t", "nat", "-L"], capture_output=True, check=False).returncode:
        pytest.skip("NOT TESTED: a network namespace with iptables is not permitted here")
    done = subprocess.run(
        ["unshare", "--net", sys.executable, "-c", TALK], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.strip() == '["198.18.77.9:8080", "198.18.77.1:8080", "None", 1]', done.stderr
