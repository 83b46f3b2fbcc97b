"""A result in memory whose truth is known: what an arm adds to response time, hops, CPU and memory is planted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.load.rows import ERROR_KINDS, Rows, from_columns
from harness.model.run import ClockDomain, Generator, HopCounts, Load, Run, UnitUsage, Validity
from harness.wire import buckets

START_NS = 5_000_000_000
LOAD = Load(rate_rps=400.0, warmup_s=1.0, window_s=5.0)
WARMUP_ROWS = 50
HOPS = ("a#0>b/http", "b#0>c/http")
MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Planted:
    """What an arm has beyond the bare one: µs per request and hop, CPU seconds per 1,000 requests, sidecars and their PSS."""

    request_us: float = 0.0
    hop_us: float = 0.0
    cpu_s: float = 0.0
    sidecars: int = 0
    pss_bytes: int = 0


ARMS: Mapping[str, Planted] = {
    "baseline": Planted(),
    "envoy[mtls]": Planted(400.0, 200.0, 1.6, 3, 60 * MIB),
    "builtin[mtls]": Planted(300.0, 150.0, 1.2, 3, 30 * MIB),
}


@dataclass
class Synthetic:
    """A result like harness.store.Result, with rows in memory."""

    manifest: dict[str, Any]
    runs: tuple[Run, ...]
    all_rows: dict[str, Rows] = field(default_factory=dict)

    def rows(self, run_id: str) -> Rows:
        return self.all_rows[run_id]

    def edited(self, edit: Callable[[Run], Run]) -> "Synthetic":
        """The same result with every run changed."""
        return Synthetic(self.manifest, tuple(edit(run) for run in self.runs), self.all_rows)


def manifest(arms: Mapping[str, Planted] = ARMS, rounds: int = 8) -> dict[str, Any]:
    """The manifest of the synthetic experiment, without kind and schema."""
    return {
        "experiment": "quick",
        "started_utc": "2026-11-23T10:15:00Z",
        "reference": "baseline",
        "contrasts": [["builtin[mtls]", "envoy[mtls]"]] if len(arms) > 2 else [],
        "arms": [
            {
                "id": arm,
                "name": arm.split("[")[0],
                "features": {"mtls": "on" if "[" in arm else "off"},
                "version": "1.0",
            }
            for arm in arms
        ],
        "topologies": [{"name": "chain-3", "digest": "d1", "document": {"entry": "a"}}],
        "loads": {
            "r400": {
                "rate_rps": 400.0,
                "warmup_s": 1.0,
                "window_s": 5.0,
                "connections": 16,
                "arrivals": "poisson",
                "seed": 1,
                "timeout_s": 15.0,
                "drain_s": 5.0,
            }
        },
        "rounds": rounds,
        "comparison_key": "0123456789abcdef",
        "placement": {"system": [0], "load": [1], "apart": True},
        "machine": {"cpus": 2},
    }


def result(arms: Mapping[str, Planted] = ARMS, rounds: int = 8, rows: int = 2000, seed: int = 1) -> Synthetic:
    """`rounds` rounds of every arm; each round drifts as a whole, each window has noise of its own."""
    random = np.random.default_rng(seed)
    runs, all_rows = [], {}
    for number in range(1, rounds + 1):
        drift = float(np.exp(0.05 * random.standard_normal()))
        for order, (arm, planted) in enumerate(arms.items()):
            scale = drift * float(np.exp(0.01 * random.standard_normal()))
            run_id = f"r{number:02d}-chain-3-r400-{arm.translate(str.maketrans('[', '.', ']'))}"
            times = (1000 * (800 * np.exp(0.3 * random.standard_normal(rows)) * scale + planted.request_us)).astype(
                np.int64
            )
            all_rows[run_id] = request_rows(run_id, times)
            runs.append(_run(run_id, arm, number, order, planted, rows, scale, random))
    return Synthetic(manifest(arms, rounds), tuple(runs), all_rows)


def request_rows(run_id: str, response_ns: NDArray[np.int64], unanswered: int = 0) -> Rows:
    """Rows evenly due over the window, after a slow warm-up; the last `unanswered` have no answer."""
    count = WARMUP_ROWS + len(response_ns)
    warm = np.arange(count) < WARMUP_ROWS
    gaps = np.arange(count) - WARMUP_ROWS
    due = START_NS + gaps * 5_000_000_000 // max(1, len(response_ns))
    took = np.concatenate((np.full(WARMUP_ROWS, 90_000_000), response_ns))
    sent = due + 20_000
    done, kind = due + took, np.zeros(count)
    if unanswered:
        done[-unanswered:] = 0
        kind[-unanswered // 2 :] = ERROR_KINDS.index("timeout")
    columns = {
        "worker": np.zeros(count), "seq": np.arange(count), "name": np.zeros(count), "phase": np.where(warm, 0, 1),
        "due": due, "ready": due + 10_000, "sent": sent, "first_byte": np.where(done > 0, done - 1000, 0), "done": done,
        "status": np.where(done > 0, 200, 0), "error_kind": kind, "bytes_out": np.full(count, 90),
        "bytes_in": np.full(count, 300), "connection": np.arange(count) % 16,
    }  # fmt: skip
    return from_columns(run_id, ("GET /",), columns)


def _run(
    run_id: str,
    arm: str,
    number: int,
    order: int,
    planted: Planted,
    rows: int,
    scale: float,
    random: np.random.Generator,
) -> Run:
    domain = ClockDomain("boot-1", START_NS, 1_790_000_000_000_000_000)
    return Run(
        id=run_id, experiment="quick", arm=arm, topology="chain-3", round=number, order=order, load=LOAD, load_name="r400",
        window_start_ns=START_NS, window_end_ns=START_NS + 5_000_000_000,
        generator=Generator(rows, rows, rows, 0, 0, 0, 0, {"p50": 20.0, "p99": 90.0}, 0, 400_000_000, 5_000_000_000, domain,
                            replace(domain, monotonic_ns=START_NS + 6_000_000_000)),
        hops=tuple(hop_counts(hop, rows, planted.hop_us, scale, random) for hop in HOPS),
        units=tuple(_units(planted, rows, scale)),
        machine_busy_ns=round(rows / 1000 * (1.0 + planted.cpu_s) * scale * 1e9), machine_all_ns=5_000_000_000, parity=(),
        validity=Validity(True), samples=[], rows=f"{run_id}.parquet",
    )  # fmt: skip


def hop_counts(hop: str, calls: int, added_us: float, scale: float, random: np.random.Generator) -> HopCounts:
    """A hop of about 100 µs there, 300 µs in the callee, 60 µs back; half of `added_us` on each way."""
    noise = np.exp(0.2 * random.standard_normal((3, calls))) * scale
    request = (1000 * (100 * noise[0] + added_us / 2)).astype(np.int64)
    callee = (1000 * 300 * noise[1]).astype(np.int64)
    response = (1000 * (60 * noise[2] + added_us / 2)).astype(np.int64)
    elapsed, transit = request + callee + response, request + response
    sums = {"elapsed": elapsed, "request": request, "callee": callee, "response": response}
    return HopCounts(
        hop, calls, 0, 0, {name: int(values.sum()) for name, values in sums.items()},
        counts(elapsed), counts(request), counts(callee), counts(response), counts(transit), [],
    )  # fmt: skip


def counts(values: NDArray[np.int64]) -> dict[int, int]:
    """Bucket counts of these values."""
    found: dict[int, int] = {}
    for value in values.tolist():
        bucket = buckets.index(value)
        found[bucket] = found.get(bucket, 0) + 1
    return found


def _units(planted: Planted, rows: int, scale: float) -> list[UnitUsage]:
    apps = [usage(f"{name}-0", "app", rows / 1000 * 0.3 * scale, 20 * MIB) for name in "abc"]
    share = planted.cpu_s / max(1, planted.sidecars)
    return apps + [
        usage(f"{name}-0-sidecar", "sidecar", rows / 1000 * share * scale, planted.pss_bytes)
        for name in "abc"[: planted.sidecars]
    ]


def usage(unit: str, role: str, cpu_s: float, pss_bytes: int) -> UnitUsage:
    """One unit over the 5 s window; idle it has 1 MiB less."""
    idle, loaded = (
        {"pss_bytes": size, "uss_bytes": size - MIB, "rss_bytes": size + 5 * MIB}
        for size in (pss_bytes - MIB, pss_bytes)
    )
    return UnitUsage(unit, role, unit[0], round(cpu_s * 1e9), 0, 5_000_000_000, 10, 10, idle, loaded)
