"""Single readings of a pair of sidecars: loads from LOAD_CPU, CPU time and memory of processes. Compares nothing."""

import re
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.proxy.pairs import LOAD_CPU, SYSTEM_CPU, program, wait_for
from harness.analysis.histogram import exact_quantile
from harness.analysis.requests import latencies
from harness.load.control import Engine, Sending
from harness.load.validity import generator_reasons
from harness.model.run import Load

LEAD_NS = 100_000_000
HOST = "b"


def wrk(url: str, connections: int, seconds: float, pids: Sequence[int]) -> dict[str, float]:
    """Closed loop: as many requests as are answered. CPU is that of `pids` while it lasted."""
    command = ["taskset", "-c", str(LOAD_CPU), program("wrk"), "-t1", f"-c{connections}", f"-d{round(seconds)}s"]
    before = cpu_ns(pids)
    asked = [*command, "--latency", "-H", f"Host: {HOST}", url]
    out = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    spent = cpu_ns(pids) - before
    latency, requests = re.search(r"50%\s+([\d.]+)(us|ms)", out), re.search(r"(\d+) requests in ([\d.]+)s", out)
    read = re.search(r"([\d.]+)([KMG])B read", out)
    if latency is None or requests is None or read is None or "Non-2xx" in out or "Socket errors" in out:
        sys.exit(f"wrk on {url}: {out}")
    return {
        "p50_us": float(latency[1]) * (1000 if latency[2] == "ms" else 1),
        "rps": int(requests[1]) / float(requests[2]),
        "bytes_per_s": float(read[1]) * 1024 ** "_KMG".index(read[2]) / float(requests[2]),
        "cpu_us": spent / 1000 / int(requests[1]),
    }


def open_loop(
    url: str, rate_rps: float, connections: int, seconds: float, seed: int, pids: Sequence[int]
) -> dict[str, float]:
    """So many requests a second, whether earlier ones were answered or not: response times, and CPU time per request.

    `late_share` is that of requests more than 1 ms late for the generator's own fault.
    """
    load = Load(rate_rps, 0.5, seconds, connections, seed=seed)
    with Engine() as engine:
        engine.prepare(url, load, Sending(headers=(("host", HOST),)))
        start_ns = time.monotonic_ns() + LEAD_NS
        engine.start(start_ns, load)
        _sleep_until(start_ns + 500_000_000)
        before = cpu_ns(pids)
        _sleep_until(start_ns + 500_000_000 + round(seconds * 1e9))
        spent = cpu_ns(pids) - before
        report = engine.wait()
    facts = report.generator
    if facts.errors or facts.censored:
        sys.exit(f"{url}: of {facts.due} requests {facts.errors} failed and {facts.censored} weren't answered")
    response = latencies(report.rows).response_ns
    p50_ns, p99_ns = exact_quantile(response, 0, 0.5), exact_quantile(response, 0, 0.99)
    if p50_ns is None or p99_ns is None:
        sys.exit(f"{len(response)} answers in {seconds:g} s are too few for p99: take longer windows")
    return {
        "p50_us": p50_ns / 1e3,
        "p99_us": p99_ns / 1e3,
        "cpu_us": spent / 1000 / facts.done,
        "late_share": facts.late_over_1ms / facts.due,
        "spoiled": float(bool(generator_reasons(facts))),
    }


def _sleep_until(at_ns: int) -> None:
    time.sleep(max(0, at_ns - time.monotonic_ns()) / 1e9)


def cpu_ns(pids: Sequence[int]) -> int:
    """CPU time of processes (all their threads), to the nanosecond."""
    found = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with suppress(FileNotFoundError):  # a thread that ended meanwhile
                found += int(task.read_text().split()[0])
    return found


def memory(pids: Sequence[int]) -> dict[str, float]:
    """Mean PSS and RSS of processes, in bytes."""
    totals = {"Rss": 0, "Pss": 0}
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            key = line.partition(":")[0]
            if key in totals:
                totals[key] += int(line.split()[1]) * 1024
    return {"pss_bytes": totals["Pss"] / len(pids), "rss_bytes": totals["Rss"] / len(pids)}


def loaded_memory(url: str, connections: int, pids: Sequence[int]) -> dict[str, float]:
    """The same while so many connections are open and used."""
    words = ["taskset", "-c", str(LOAD_CPU), program("wrk"), "-t1", f"-c{connections}", "-d4s", "-H", f"Host: {HOST}"]
    with subprocess.Popen([*words, url], stdout=subprocess.DEVNULL) as load:
        time.sleep(3)
        found = memory(pids)
        load.wait()
    return found


def start_ms(command: Sequence[str], ready: str) -> dict[str, float]:
    """From starting a process until it says that it is ready."""
    began = time.monotonic()
    process = subprocess.Popen(
        ["taskset", "-c", str(SYSTEM_CPU), *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(ready, process, pause_s=0.002)
        return {"start_ms": (time.monotonic() - began) * 1e3}
    finally:
        process.terminate()
        process.wait()
