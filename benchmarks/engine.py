"""The engine against its bars and against wrk and h2load, on a nginx of one worker: `python -m benchmarks.engine`.

Needs nginx, wrk and h2load (Debian: nginx-light, wrk, nghttp2-client) and two CPUs: nginx's worker has one, the load the other.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness.analysis.histogram import exact_quantile
from harness.analysis.intervals import hodges_lehmann
from harness.analysis.requests import latencies
from harness.load.control import Engine, EngineReport
from harness.load.validity import generator_reasons
from harness.model.run import Load

URL = "http://127.81.0.1:8080/"
LOAD_CPU, SERVER_CPU = 0, 1
ROUNDS = 8
SECONDS = 3
RATE = 1000
RAMP = (10_000, 15_000, 20_000, 22_500, 25_000, 27_500, 30_000, 35_000, 40_000)
PATH = os.defpath + ":/usr/local/sbin:/usr/sbin:/sbin"

NGINX = """
worker_processes 1; worker_cpu_affinity {mask:b}; daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.81.0.1:8080; location / {{ return 200 "{body}"; }} }}
}}
"""


def program(name: str) -> str:
    """Its path; ends the benchmark with a message if it is missing."""
    found = shutil.which(name, path=PATH)
    if found is None:
        sys.exit(f"{name} is missing: install nginx-light, wrk and nghttp2-client")
    return found


@contextmanager
def nginx() -> Iterator[None]:
    """One worker on SERVER_CPU that answers 128 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "nginx.conf"
        config.write_text(NGINX.format(mask=1 << SERVER_CPU, folder=folder, body="x" * 128))
        process = subprocess.Popen([program("nginx"), "-p", folder, "-c", str(config), "-e", f"{folder}/error.log"])
        try:
            while not (Path(folder) / "pid").exists():
                if process.poll() is not None:
                    sys.exit(f"nginx ended: {(Path(folder) / 'error.log').read_text()}")
                time.sleep(0.01)
            yield
        finally:
            process.terminate()
            process.wait()


def engine(rate: float, connections: int, arrivals: str, seconds: float = SECONDS) -> EngineReport:
    """One run of the engine on LOAD_CPU."""
    load = Load(rate, 0.5, seconds, connections, arrivals)
    with Engine((LOAD_CPU,)) as running:
        running.prepare(URL, load)
        running.start(time.monotonic_ns() + 200_000_000, load)
        return running.wait()


def pinned(*command: str) -> str:
    """The output of a program on LOAD_CPU."""
    line = ["taskset", "-c", str(LOAD_CPU), *command]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


def engine_p50_us() -> float:
    """Service time over one connection, RATE regular requests a second."""
    times = latencies(engine(RATE, 1, "uniform").rows)
    p50 = exact_quantile(times.service_ns, times.unanswered, 0.5)
    if p50 is None:
        sys.exit(f"half of the requests have no answer: {times.unanswered} of {len(times)}")
    return p50 / 1e3


def h2load_p50_us() -> float:
    """The same with h2load, from its log (start, status, time in µs)."""
    with tempfile.NamedTemporaryFile("r") as log:
        pinned(program("h2load"), "--h1", "-c1", f"--rps={RATE}", f"-n{RATE * SECONDS}", f"--log-file={log.name}", URL)
        return statistics.median(int(line.split()[2]) for line in log)


def wrk_p50_us() -> float:
    """wrk over one connection, closed loop."""
    output = pinned(program("wrk"), "-t1", "-c1", f"-d{SECONDS}s", "--latency", URL)
    found = re.search(r"50%\s+([\d.]+)(us|ms)", output)
    assert found is not None, output
    return float(found[1]) * {"us": 1, "ms": 1000}[found[2]]


CLIENTS: dict[str, Callable[[], float]] = {"engine": engine_p50_us, "h2load": h2load_p50_us, "wrk": wrk_p50_us}


def most_rps() -> None:
    """Ramp the rate until the run is invalid or answers fall behind the schedule."""
    print(f"rate: open loop, Poisson, 16 connections, {SECONDS} s each, engine on one CPU")
    most = 0.0
    for rate in RAMP:
        facts = engine(rate, 16, "poisson").generator
        achieved, late = facts.done / (facts.window_ns / 1e9), facts.lateness_us
        problem = "; ".join(generator_reasons(facts)) or (
            "" if facts.done >= 0.99 * facts.due else f"{facts.done} done of {facts.due}"
        )
        cpu = facts.cpu_ns / facts.window_ns
        print(
            f"  {rate:6d}/s: {achieved:8.0f} done/s  lateness p50 {late['p50']:6.1f} p99 {late['p99']:7.1f} µs  CPU {cpu:.2f}  {problem or 'ok'}"
        )
        if problem:
            break
        most = achieved
    print(f"  most: {most:.0f} req/s (bar 20000)")


def lateness() -> None:
    """Lateness at RATE, several times."""
    p99 = [engine(RATE, 16, "poisson").generator.lateness_us["p99"] for _ in range(5)]
    print(f"lateness p99 at {RATE}/s: median {statistics.median(p99):.1f} µs of {_listed(p99)} (bar 200)")


def service() -> None:
    """Service p50 of all clients, interleaved; the order turns by one each round."""
    found: dict[str, list[float]] = {name: [] for name in CLIENTS}
    names = list(CLIENTS)
    for number in range(ROUNDS):
        for turn in range(len(names)):
            name = names[(number + turn) % len(names)]
            found[name].append(CLIENTS[name]())
    for name, values in found.items():
        print(
            f"service p50, one connection, {name:7s}: median {statistics.median(values):6.1f} µs of {_listed(values)}"
        )
    for name in names[1:]:
        shift = hodges_lehmann([ours - theirs for ours, theirs in zip(found["engine"], found[name], strict=True)])
        print(
            f"engine − {name:7s}: {shift.estimate:+.1f} µs, 95 % interval {shift.low:+.1f} to {shift.high:+.1f} (bar ±15)"
        )


def _listed(values: Sequence[float]) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def main() -> None:
    """All bars; name some (rate, lateness, service) to run only those."""
    parts = {"rate": most_rps, "lateness": lateness, "service": service}
    print(
        f"load average before: {os.getloadavg()[0]:.2f} on {os.cpu_count()} CPUs (other programs spoil these figures)"
    )
    with nginx():
        for name, part in parts.items():
            if not sys.argv[1:] or name in sys.argv[1:]:
                part()
    print(f"load average after: {os.getloadavg()[0]:.2f}")


if __name__ == "__main__":
    main()
