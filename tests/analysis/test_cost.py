"""CPU, utilisation and memory, by hand."""

from dataclasses import replace

import pytest

from harness.analysis.cost import cost_readings, memory_per_sidecar
from harness.analysis.metrics import Reading
from harness.model.run import Run
from tests.analysis import synthetic
from tests.analysis.synthetic import MIB, usage


@pytest.fixture
def bare() -> Run:
    run = next(run for run in synthetic.result(rounds=1).runs if run.arm == "baseline")
    units = (
        usage("a-0", "app", 0.5, 20 * MIB),
        usage("b-0", "app", 0.5, 20 * MIB),
        usage("load", "load", 9.0, 99 * MIB),
    )
    return replace(run, units=units, machine_busy_ns=2_000_000_000, machine_all_ns=10_000_000_000)


@pytest.fixture
def meshed(bare: Run) -> Run:
    apps = (
        usage("a-0", "app", 0.6, 22 * MIB),
        usage("b-0", "app", 0.4, 20 * MIB),
        usage("load", "load", 9.0, 99 * MIB),
    )
    sidecars = (usage("a-0-sidecar", "sidecar", 1.0, 30 * MIB), usage("b-0-sidecar", "sidecar", 2.0, 50 * MIB))
    return replace(bare, arm="builtin[mtls]", units=(*apps, *sidecars, usage("control", "control", 0.2, 40 * MIB)))


def values(run: Run, cores: int = 2) -> dict[tuple[str, str, str, str], Reading]:
    return {
        (r.metric.scope, r.metric.subject, r.metric.metric, r.metric.statistic): r for r in cost_readings(run, cores)
    }


def test_cpu_per_1000_requests_by_role_and_in_all(meshed: Run) -> None:
    """2,000 requests in the window; the load generator is no part of the system."""
    found = values(meshed)
    cpu = {
        role: found["role", role, "cpu_s_per_1000_requests", "mean"].value
        for role in ("app", "sidecar", "control", "total")
    }
    assert cpu == pytest.approx({"app": 0.5, "sidecar": 1.5, "control": 0.1, "total": 2.1})
    assert not [key for key in found if key[1] == "load"]


def test_cpu_is_scaled_to_the_window(meshed: Run) -> None:
    """A unit read over 5.5 s with 10 % more CPU time used as much per request."""
    longer = tuple(replace(u, cpu_ns=round(u.cpu_ns * 1.1), elapsed_ns=5_500_000_000) for u in meshed.units)
    found = values(replace(meshed, units=longer))
    assert found["role", "total", "cpu_s_per_1000_requests", "mean"].value == pytest.approx(2.1)


def test_the_machine_s_cpu_is_more_than_that_of_units(meshed: Run) -> None:
    found = values(meshed)
    assert found["machine", "system", "utilisation", "mean"].value == pytest.approx(0.2)
    assert found["machine", "system", "cpu_s_per_1000_requests", "mean"].value == pytest.approx(0.2 * 2 * 5 / 2)
    assert found["role", "total", "utilisation", "mean"].value == pytest.approx(4.2 / 10)


def test_what_carries_the_units_is_apart_from_them(meshed: Run) -> None:
    found = values(replace(meshed, platform_cpu_ns={"kubernetes": 600_000_000}))
    assert found["machine", "kubernetes", "cpu_s_per_1000_requests", "mean"].value == pytest.approx(0.3)
    without = values(meshed)
    key = ("role", "total", "cpu_s_per_1000_requests", "mean")
    assert found[key] == without[key]
    assert ("machine", "kubernetes", "cpu_s_per_1000_requests", "mean") not in without


def test_memory_of_a_role_is_per_unit_and_of_the_machine_in_all(meshed: Run) -> None:
    found = values(meshed)
    assert found["role", "sidecar", "pss_bytes", "loaded"].value == 40 * MIB
    assert found["role", "sidecar", "pss_bytes", "idle"].value == 39 * MIB
    assert found["role", "sidecar", "rss_bytes", "loaded"].value == 45 * MIB
    assert found["role", "sidecar", "units", "count"].value == 2
    assert found["machine", "system", "pss_bytes", "loaded"].value == (22 + 20 + 30 + 50 + 40) * MIB


def test_memory_per_sidecar_counts_all_that_the_mesh_brings(meshed: Run, bare: Run) -> None:
    """162 MiB in all, 40 without the mesh, two sidecars."""
    assert memory_per_sidecar(meshed, bare, "loaded").value == 61 * MIB
    assert memory_per_sidecar(meshed, bare, "idle").value == (162 - 5 - (40 - 2)) / 2 * MIB


def test_without_sidecars_there_is_no_memory_per_sidecar(bare: Run) -> None:
    reading = memory_per_sidecar(bare, bare, "loaded")
    assert reading.value is None
    assert reading.note == "baseline has no sidecar"


def test_no_answer_and_no_machine_time_are_said(bare: Run) -> None:
    found = values(replace(bare, generator=replace(bare.generator, done=0), machine_all_ns=0))
    assert found["role", "total", "cpu_s_per_1000_requests", "mean"].note == "no request was answered"
    assert found["machine", "system", "utilisation", "mean"].value is None
    assert found["machine", "system", "utilisation", "mean"].note == "the machine's CPU time was not read"
