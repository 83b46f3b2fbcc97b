"""Settings of the host that a cluster changes: read before, put back after. It knows the settings, not what changed them."""

import shutil
import subprocess
from pathlib import Path

SYSCTLS = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "net/ipv4/ip_forward")
"""The kubelet sets the first three, Docker the last."""

FORWARD = "iptables FORWARD"
FOLDER = Path("/proc/sys")


def read(folder: Path = FOLDER) -> dict[str, str]:
    """Each setting's value; what this user may not read is left out."""
    found: dict[str, str] = {}
    for name in SYSCTLS:
        try:
            found[name] = (folder / name).read_text().strip()
        except OSError:
            continue
    policy = _iptables("-S", "FORWARD").partition("\n")[0].split()
    if policy[:2] == ["-P", "FORWARD"]:
        found[FORWARD] = policy[2]
    return found


def put_back(before: dict[str, str], folder: Path = FOLDER) -> list[str]:
    """Restore what differs; answers, as commands for root, what this user couldn't."""
    left: list[str] = []
    for name, value in read(folder).items():
        wanted = before.get(name, value)
        if wanted == value:
            continue
        if name == FORWARD:
            _iptables("-P", "FORWARD", wanted)
            continue
        try:
            (folder / name).write_text(wanted)
        except OSError:
            left.append(f"sysctl -w {name.replace('/', '.')}={wanted}")
    return left


def _iptables(*words: str) -> str:
    path = shutil.which("iptables")
    if path is None:
        return ""
    return subprocess.run((path, "-w", "5", *words), capture_output=True, text=True, check=False).stdout
