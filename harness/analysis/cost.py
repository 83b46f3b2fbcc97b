"""What one window says of CPU and memory, by role and for the machine. Pure; reads the counters, never a process."""

from collections.abc import Iterator, Sequence

from harness.analysis.metrics import Metric, Reading
from harness.model.run import Run, UnitUsage

EDGES = ("idle", "loaded")
SIZES = ("pss_bytes", "uss_bytes", "rss_bytes")
ALL_ROLES = "total"
MACHINE = "system"
"""Subject of scope machine: the CPUs of the system under test, kernel work that belongs to no process included."""


_NO_MACHINE = "the machine's CPU time was not read"


def cost_readings(run: Run, cores: int) -> Iterator[Reading]:
    """CPU per 1,000 requests, utilisation, and memory of one run; `cores` are those of the system under test."""
    yield from _cpu(run, cores)
    yield from _utilisation(run, cores)
    for role in roles(run):
        units = of_role(run, role)
        yield Reading(Metric("role", role, "units", "count", "1", "count"), float(len(units)))
        yield from (_per_unit(role, units, size, edge) for size in SIZES for edge in EDGES)
    yield from (_all_units(run, size, edge) for size in SIZES for edge in EDGES)


def roles(run: Run) -> tuple[str, ...]:
    """The roles that the run's units have, the load generator's aside: it is no part of the system under test."""
    return tuple(sorted({unit.role for unit in run.units} - {"load"}))


def of_role(run: Run, role: str) -> tuple[UnitUsage, ...]:
    """The units of a role; of ALL_ROLES, all of the system under test."""
    return tuple(unit for unit in run.units if unit.role == role or (role == ALL_ROLES and unit.role != "load"))


def cpu_s_per_1000(cpu_ns: float, done: int) -> float | None:
    """CPU seconds per 1,000 answered requests, which are CPU milliseconds per request; None without any."""
    return cpu_ns / 1e9 / (done / 1000) if done else None


def memory_per_sidecar(run: Run, reference: Run, edge: str) -> Reading:
    """(Σ PSS of all units of the arm − the same of the reference) / sidecars, in bytes, at one edge of the window.

    So it holds also what the mesh adds to the apps and what its control plane takes.
    """
    metric = Metric("role", "sidecar", "memory_per_sidecar_bytes", edge, "bytes", "cost")
    sidecars = len(of_role(run, "sidecar"))
    if not sidecars:
        return Reading(metric, None, f"{run.arm} has no sidecar")
    return Reading(metric, (_sum(run, "pss_bytes", edge) - _sum(reference, "pss_bytes", edge)) / sidecars)


def _cpu(run: Run, cores: int) -> Iterator[Reading]:
    done = run.generator.done
    note = "" if done else "no request was answered"
    for role in (*roles(run), ALL_ROLES):
        metric = Metric("role", role, "cpu_s_per_1000_requests", "mean", "s", "cost")
        yield Reading(metric, cpu_s_per_1000(_window_cpu_ns(run, role), done), note)
    metric = Metric("machine", MACHINE, "cpu_s_per_1000_requests", "mean", "s", "cost")
    busy = _machine_share(run)
    if busy is None:
        yield Reading(metric, None, _NO_MACHINE)
    else:
        yield Reading(metric, cpu_s_per_1000(busy * cores * _window_ns(run), done), note)
    for name, used_ns in sorted(run.platform_cpu_ns.items()):
        metric = Metric("machine", name, "cpu_s_per_1000_requests", "mean", "s", "cost")
        yield Reading(metric, cpu_s_per_1000(used_ns, done), note)


def _utilisation(run: Run, cores: int) -> Iterator[Reading]:
    """Of the system's CPUs: busy for whatever reason, and used by the units."""
    busy = _machine_share(run)
    metric = Metric("machine", MACHINE, "utilisation", "mean", "share", "cost")
    yield Reading(metric, busy, "" if busy is not None else _NO_MACHINE)
    used = _window_cpu_ns(run, ALL_ROLES) / (_window_ns(run) * cores)
    yield Reading(Metric("role", ALL_ROLES, "utilisation", "mean", "share", "cost"), used)


def _window_ns(run: Run) -> int:
    return run.window_end_ns - run.window_start_ns


def _window_cpu_ns(run: Run, role: str) -> float:
    """CPU time of a role in the window; counters are read a little beside its edges, so each is scaled to its length."""
    return sum(unit.cpu_ns * _window_ns(run) / unit.elapsed_ns for unit in of_role(run, role))


def _machine_share(run: Run) -> float | None:
    """Busy share of the system's CPUs; None when their time didn't advance, so that it wasn't read."""
    return run.machine_busy_ns / run.machine_all_ns if run.machine_all_ns > 0 else None


def _per_unit(role: str, units: Sequence[UnitUsage], size: str, edge: str) -> Reading:
    total = sum(getattr(unit, edge)[size] for unit in units)
    return Reading(Metric("role", role, size, edge, "bytes", "cost"), total / len(units))


def _all_units(run: Run, size: str, edge: str) -> Reading:
    return Reading(Metric("machine", MACHINE, size, edge, "bytes", "cost"), float(_sum(run, size, edge)))


def _sum(run: Run, size: str, edge: str) -> int:
    return sum(getattr(unit, edge)[size] for unit in of_role(run, ALL_ROLES))
