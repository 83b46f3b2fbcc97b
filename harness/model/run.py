"""Run: the record of one trial. Plain values that go to JSON as they are; times are CLOCK_MONOTONIC nanoseconds."""

from dataclasses import dataclass, field
from typing import Any

from harness.model.fault import Injection


@dataclass(frozen=True, slots=True)
class Workload:
    """Whose behaviour the load is: a locustfile's users, or, with an empty name, the engine's own single request.

    `name` is as it was asked for (built-in name or path), `digest` is of the file. `loop` is open (due times whatever becomes of
    answers) or closed (a user waits for his answer; then `connections` is the number of users and there is no rate).
    """

    name: str = ""
    digest: str = ""
    loop: str = "open"
    workers: int = 1


@dataclass(frozen=True, slots=True)
class Load:
    """What the generator was asked to do: Poisson or uniform arrivals, open loop, over keep-alive connections; or a workload."""

    rate_rps: float
    warmup_s: float
    window_s: float
    connections: int = 16
    arrivals: str = "poisson"
    seed: int = 1
    timeout_s: float = 15.0
    drain_s: float = 5.0
    workload: Workload = Workload()


@dataclass(frozen=True, slots=True)
class ClockDomain:
    """Which clock the stamps belong to: stamps of two domains are never subtracted."""

    boot_id: str
    monotonic_ns: int
    realtime_ns: int


@dataclass(frozen=True, slots=True)
class WorkerClock:
    """A load worker's clock minus its master's: it lies between the two bounds, found by so many exchanges of messages."""

    worker: int
    boot_id: str
    offset_low_ns: int
    offset_high_ns: int
    exchanges: int


@dataclass(frozen=True, slots=True)
class Generator:
    """How the generator itself fared inside the window.

    `due` were scheduled, `sent` were written; `late_over_1ms` were ready more than 1 ms after due; `unsent_own_fault` were
    not sent for the generator's fault (not for lack of a free connection); `lateness_us` has p50 and p99. `clocks` has one
    entry per worker, if there were workers.
    """

    due: int
    sent: int
    done: int
    censored: int
    errors: int
    late_over_1ms: int
    unsent_own_fault: int
    lateness_us: dict[str, float]
    run_delay_ns: int
    cpu_ns: int
    window_ns: int
    domain: ClockDomain
    domain_end: ClockDomain
    clocks: tuple[WorkerClock, ...] = ()


@dataclass(frozen=True, slots=True)
class UnitUsage:
    """One unit inside the window: counters as differences between its edges, memory at both (idle, loaded).

    The last four are of containers, see harness.model.platform.Usage; elsewhere they are 0.
    """

    unit: str
    role: str
    service: str
    cpu_ns: int
    run_delay_ns: int
    elapsed_ns: int
    voluntary_switches: int
    involuntary_switches: int
    idle: dict[str, int]
    loaded: dict[str, int]
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0
    oom_kills: int = 0


@dataclass(frozen=True, slots=True)
class HopCounts:
    """One hop inside the window: latency buckets (see harness.wire.buckets) of the whole call, its three parts, and transit.

    Each of `elapsed`, `request`, `callee`, `response`, `transit` maps bucket index to count, one value per call. `transit` is
    elapsed − callee = request + response: what the hop itself takes, both sidecars and the wire included, without the
    callee's own work and its further calls. It is the metric `hop` of results; only its histogram gives its quantiles, since
    quantiles of parts don't add up. `sums_ns` are the exact sums of elapsed, request, callee, response (they add up).
    Calls with more than one attempt or an error count in `calls`, not in the buckets.
    """

    hop: str
    calls: int
    errors: int
    retried: int
    sums_ns: dict[str, int]
    elapsed: dict[int, int]
    request: dict[int, int]
    callee: dict[int, int]
    response: dict[int, int]
    transit: dict[int, int]
    per_second: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether numbers may be used. Doubt has reasons; reasons are sentences with fact, value and allowed."""

    valid: bool
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Parity:
    """One thing the arm had to prove from outside: what was tried, what was seen."""

    check: str
    passed: bool
    seen: str


@dataclass(frozen=True, slots=True)
class Run:
    """One arm under one load for one window, in one round. `rows` is the Parquet file beside it.

    `take` counts from 1: the window was measured again for each one before, which the load generator had spoiled.
    `platform_cpu_ns` is of what carried the units and is none of them, by name, on the node of the system under test.
    """

    id: str
    experiment: str
    arm: str
    topology: str
    round: int
    order: int
    load: Load
    load_name: str
    window_start_ns: int
    window_end_ns: int
    generator: Generator
    hops: tuple[HopCounts, ...]
    units: tuple[UnitUsage, ...]
    machine_busy_ns: int
    machine_all_ns: int
    parity: tuple[Parity, ...]
    validity: Validity
    samples: list[dict[str, Any]] = field(default_factory=list)
    rows: str = ""
    faults: tuple[Injection, ...] = ()
    take: int = 1
    platform_cpu_ns: dict[str, int] = field(default_factory=dict)
