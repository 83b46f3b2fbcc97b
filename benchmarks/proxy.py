"""The built-in sidecar against Envoy, two sidecars in the way with mutual TLS: `python -m benchmarks.proxy [ROUNDS] [SECONDS] [FEATURE …]`.

Added latency, throughput and CPU per request under wrk, over one connection and sixteen, with heads that repeat and heads that
never do; memory of four idle sidecars and of the two loaded ones. Interleaved rounds, medians, and the ratio to Envoy. Needs nginx and
wrk (Debian: nginx-light, wrk) and two CPUs: wrk has one, the server and the sidecars the other. Traces are not sampled: Envoy would
export their spans, which nobody asked for.
"""

import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from harness.model.mesh import FEATURES, PlatformFacts, Traffic
from harness.model.program import Program
from harness.model.topology import Call, Service, Step, Topology
from harness.platforms.references import resolve_unit
from meshes import envoy
from meshes.builtin import plan as builtin
from meshes.builtin.control import compiler, model
from meshes.identity.names import spiffe_id

LOAD_CPU, SYSTEM_CPU = "0", "1"
PATH = os.defpath + ":/usr/local/sbin:/usr/sbin:/sbin"
ARMS = {"builtin": "127.84.1", "envoy": "127.84.2"}
HOSTS = {"a-0": 1, "b-0": 2, "c-0": 3, "d-0": 4}
"""Load goes through a-0 and b-0; c-0 and d-0 stay idle beside them."""
NGINX = """
worker_processes 1; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.84.1.2:8080; listen 127.84.2.2:8080; location / {{ return 200 "{body}"; }} }}
}}
"""
UNIQUE = """
wrk.headers["Host"] = "b"
wrk.headers["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"
wrk.headers["Accept"] = "application/json, text/plain, */*"
wrk.headers["Accept-Encoding"] = "gzip, deflate, br"
wrk.headers["Authorization"] = "Bearer 0123456789abcdef0123456789abcdef"
wrk.headers["X-Forwarded-For"] = "10.1.2.3"
wrk.headers["Cache-Control"] = "no-cache"
local n = 0
request = function()
  n = n + 1
  wrk.headers["X-Request-Id"] = string.format("3f2504e0-4f89-41d3-9a0c-%012d", n)
  wrk.headers["Traceparent"] = string.format("00-4bf92f3577b34da6a3ce929d0e%06d-00f067aa0ba902b7-00", n % 1000000)
  return wrk.format("GET", "/")
end
"""


@dataclass(frozen=True)
class Figures:
    """One run of wrk: p50 in µs, requests per second, CPU of both sidecars in µs per request."""

    p50_us: float
    rps: float
    cpu_us: float


def topology() -> Topology:
    """a calls b, and two more do nothing."""
    program = Program("none")
    calls = (Step((Call("b"),)),)
    return Topology("pair", "a", (Service("a", program, script=calls), *(Service(name, program) for name in "bcd")))


def program(name: str) -> str:
    """Its path; ends the benchmark with a message if it is missing."""
    found = shutil.which(name, path=PATH)
    if found is None:
        sys.exit(f"{name} is missing: install nginx-light and wrk")
    return found


def identities(folder: Path) -> None:
    """One authority, and an identity per host in `identity/HOST`."""
    base = [sys.executable, "-m", "meshes.identity"]
    subprocess.run([*base, "authority", f"{folder}/authority"], check=True)
    names = [f"{host}={spiffe_id(host[0])}" for host in HOSTS]
    subprocess.run(
        [*base, "issue", "--authority", f"{folder}/authority", "--out", f"{folder}/identity", *names], check=True
    )


@contextmanager
def running(command: Sequence[str], output: Path, ready: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process on SYSTEM_CPU until the block ends; in the block once the URL `ready` answers 200."""
    with output.open("wb") as log:
        process = subprocess.Popen(["taskset", "-c", SYSTEM_CPU, *command], stdout=log)
    try:
        wait_for(ready, process)
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(url: str, process: subprocess.Popen[bytes], within_s: float = 20) -> None:
    """Until the URL answers 200; ends the benchmark if the process does first."""
    deadline = time.monotonic() + within_s
    while url:
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{url} is not ready")
        try:
            with urlopen(url, timeout=1) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.02)


def nginx(folder: Path) -> list[str]:
    """The app of both arms."""
    folder.mkdir()
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, body="x" * 128))
    return [program("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", f"{folder}/error.log"]


def envoy_command(host: str, folder: Path, features: frozenset[str]) -> list[str]:
    """Envoy as the adapter plans it."""
    plan = envoy.plan(topology(), features, Traffic(), PlatformFacts("process", False))
    place = folder / f"envoy-{host}"
    place.mkdir()

    def lookup(kind: str, name: str) -> str | None:
        return {
            "address": f"{ARMS['envoy']}.{HOSTS.get(name)}",
            "identity": f"{folder}/identity/{name}",
            "dir": str(place),
        }.get(kind)

    unit = resolve_unit(plan.unit(f"{host}-envoy"), lookup)
    for file in unit.files:
        (place / file.name).write_text(file.content)
    path = next(Path(entry) / unit.program.file for entry in sys.path if (Path(entry) / unit.program.file).is_file())
    return [str(path), *unit.args]


def builtin_command(host: str, folder: Path, features: frozenset[str]) -> list[str]:
    """Our sidecar, configured from files with what the adapter plans and the control plane makes of it."""
    net = ARMS["builtin"]

    def lookup(kind: str, name: str) -> str | None:
        return {"address": f"{net}.{HOSTS.get(name, 9)}"}.get(kind, f"{kind}-{name}")

    control = resolve_unit(
        builtin.plan(topology(), features, Traffic(), PlatformFacts("process", False)).units[0], lookup
    )
    mesh = next(file.content for file in control.files if file.name == "mesh.json")
    identity = folder / "identity" / host
    bootstrap = {
        "name": host,
        "address": f"{net}.{HOSTS[host]}",
        "spiffe_id": spiffe_id(host[0]),
        "ca": str(identity / "ca.pem"),
        "snapshot": str(folder / f"{host}.json"),
        "cert": str(identity / "cert.pem"),
        "key": str(identity / "key.pem"),
    }
    (folder / f"{host}.json").write_text(compiler.snapshots(model.read(mesh))[host].to_json())
    (folder / f"{host}-bootstrap.json").write_text(json.dumps(bootstrap))
    return [sys.executable, *builtin.LEAN, "-m", "meshes.builtin.proxy", str(folder / f"{host}-bootstrap.json")]


def wrk(url: str, connections: int, seconds: int, script: Path | None, pids: Sequence[int]) -> Figures:
    """One run. CPU is that of `pids` while it lasted."""
    extra = ["-s", str(script)] if script else ["-H", "Host: b"]
    command = ["taskset", "-c", LOAD_CPU, program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--latency"]
    before = cpu_ns(pids)
    out = subprocess.run([*command, *extra, url], check=True, capture_output=True, text=True).stdout
    spent = cpu_ns(pids) - before
    latency, requests = re.search(r"50%\s+([\d.]+)(us|ms)", out), re.search(r"(\d+) requests in ([\d.]+)s", out)
    if latency is None or requests is None or "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"wrk on {url}: {out}")
    p50_us = float(latency[1]) * (1000 if latency[2] == "ms" else 1)
    return Figures(p50_us, int(requests[1]) / float(requests[2]), spent / 1000 / int(requests[1]))


def cpu_ns(pids: Sequence[int]) -> int:
    """CPU time of processes (all their threads), to the nanosecond."""
    return sum(
        int(task.read_text().split()[0]) for pid in pids for task in Path(f"/proc/{pid}/task").glob("*/schedstat")
    )


def memory_mib(pids: Sequence[int]) -> tuple[float, float]:
    """Mean RSS and PSS of processes, MiB."""
    totals = {"Rss": 0, "Pss": 0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            key = line.partition(":")[0]
            if key in totals:
                totals[key] += int(line.split()[1])
    return totals["Rss"] / 1024 / len(pids), totals["Pss"] / 1024 / len(pids)


def measure(folder: Path, rounds: int, seconds: int, features: frozenset[str]) -> None:
    """Everything, printed."""
    script = folder / "unique.lua"
    script.write_text(UNIQUE)
    identities(folder)
    with ExitStack() as stack:
        stack.enter_context(running(nginx(folder / "nginx"), folder / "app.log", f"http://{ARMS['builtin']}.2:8080/"))
        pids: dict[str, list[int]] = {}
        for arm, command in (("builtin", builtin_command), ("envoy", envoy_command)):
            for host, number in HOSTS.items():
                ready = f"http://{ARMS[arm]}.{number}:15000/ready"
                process = stack.enter_context(
                    running(command(host, folder, features), folder / f"{arm}-{host}.log", ready)
                )
                pids.setdefault(arm, []).append(process.pid)
        show_memory("idle, four", pids)
        for what, lua in (("repeated heads", None), ("unique heads", script)):
            for connections in (1, 16):
                compare(what, connections, lua, pids, rounds, seconds)
        show_memory("loaded, two", {arm: found[:2] for arm, found in pids.items()})


def compare(
    what: str, connections: int, script: Path | None, pids: dict[str, list[int]], rounds: int, seconds: int
) -> None:
    """Direct, builtin and Envoy in turn; medians over the rounds."""
    seen: dict[str, list[Figures]] = {"direct": [], **{arm: [] for arm in ARMS}}
    for turn in range(rounds):
        seen["direct"].append(wrk(f"http://{ARMS['builtin']}.2:8080/", connections, seconds, script, []))
        for arm in sorted(ARMS, reverse=bool(turn % 2)):
            seen[arm].append(wrk(f"http://{ARMS[arm]}.1:15001/", connections, seconds, script, pids[arm][:2]))
    print(f"{what}, {connections} connection{'s' if connections > 1 else ''} ({rounds} rounds of {seconds} s)")
    middle = {
        arm: [statistics.median(getattr(run, field) for run in runs) for field in ("p50_us", "rps", "cpu_us")]
        for arm, runs in seen.items()
    }
    for arm, (p50_us, rps, cpu_us) in middle.items():
        print(f"  {arm:8} p50 {p50_us:7.0f} µs  {rps:7.0f} req/s  CPU of both sidecars {cpu_us:6.1f} µs per request")
    added = [
        (ours.p50_us - direct.p50_us) / (theirs.p50_us - direct.p50_us)
        for ours, theirs, direct in zip(seen["builtin"], seen["envoy"], seen["direct"], strict=True)
    ]
    cpu = [ours.cpu_us / theirs.cpu_us for ours, theirs in zip(seen["builtin"], seen["envoy"], strict=True)]
    print(f"  builtin/envoy: added p50 {statistics.median(added):.2f}  CPU {statistics.median(cpu):.2f}", flush=True)


def show_memory(what: str, pids: dict[str, list[int]]) -> None:
    """Mean per sidecar, and the ratio."""
    (our_rss, our_pss), (their_rss, their_pss) = memory_mib(pids["builtin"]), memory_mib(pids["envoy"])
    print(
        f"memory per sidecar ({what}): builtin RSS {our_rss:.1f} PSS {our_pss:.1f} MiB, envoy RSS {their_rss:.1f} "
        f"PSS {their_pss:.1f} MiB; builtin/envoy RSS {our_rss / their_rss:.2f} PSS {our_pss / their_pss:.2f}",
        flush=True,
    )


def main() -> None:
    """Rounds, seconds and features from the command line."""
    arguments = dict(enumerate(sys.argv[1:]))
    features = frozenset({"mtls", *sys.argv[3:]})
    if unknown := features - set(FEATURES):
        sys.exit(f"unknown features: {', '.join(sorted(unknown))}; have {', '.join(FEATURES)}")
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), int(arguments.get(0, 6)), int(arguments.get(1, 2)), features)


if __name__ == "__main__":
    main()
