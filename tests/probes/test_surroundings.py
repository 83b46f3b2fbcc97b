"""What is gathered, on this machine; and programs that are missing, broken, or don't answer."""

import json
import os
import socket
import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from harness import registry
from harness.model.plan import APP_PORT
from harness.model.program import Program
from harness.platforms.cores import core_of
from harness.platforms.placement import place
from harness.probes import surroundings
from harness.probes.surroundings import cpu_ticks, gather, tools

STAT = """cpu  100 0 50 800 10 0 5 35 0 0
cpu0 60 0 30 400 5 0 5 20 7 0
cpu1 40 0 20 400 5 0 0 15 0 0
cpu10 1 1 1 1 1 1 1 1 0 0
intr 1 2 3
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path, name: str, body: str) -> None:
    (path / name).write_text(f"#!/bin/sh\n{body}\n")
    (path / name).chmod(stat.S_IRWXU)


def test_cheap_facts_are_gathered_without_spinning() -> None:
    found = gather(place(sorted(os.sched_getaffinity(0)), core_of))
    assert found.noise is None
    assert {*found.system_cpus, *found.load_cpus} == os.sched_getaffinity(0)
    assert found.memory_available_bytes > 2**20
    assert found.open_files > 0
    assert json.loads(json.dumps(asdict(found)))["operating_system"] == "Linux"


def test_noise_is_measured_on_a_cpu_of_either_side() -> None:
    placement = place(sorted(os.sched_getaffinity(0)), core_of)
    found = gather(placement, spin_s=0.05).noise
    assert found is not None
    assert (found.load.cpu, found.system.cpu) == (placement.load[-1], placement.system[0])
    assert found.elapsed_s >= 0.1
    assert found.background_cpus >= 0
    assert 0 <= found.steal_share <= 1


def test_a_port_that_is_taken_on_every_address_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        monkeypatch.setattr(surroundings, "PORTS", (APP_PORT, port))
        assert port in gather(place([0, 1])).taken_ports


def test_ticks_of_the_asked_cpus_only() -> None:
    assert cpu_ticks(STAT, [0, 1]) == (60 + 30 + 5 + 40 + 20, 20 + 15, 520 + 480)
    assert cpu_ticks(STAT, [1]) == (60, 15, 480)


def test_every_meshs_programs_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gone = Program("envoy", distribution="no-such-wheel", hint="pip install 'hoptax[envoy]'")
    monkeypatch.setattr(registry.mesh("envoy"), "programs", (gone,))
    monkeypatch.setenv("PATH", "/nowhere")
    found = {tool.name: tool for tool in tools()}
    assert found["builtin-proxy"].present
    assert (found["envoy"].present, found["envoy"].said) == (False, "program 'envoy' is missing")
    assert (found["envoy"].purpose, found["envoy"].remedy) == ("arm envoy", "pip install 'hoptax[envoy]'")


def test_programs_that_answer_fail_or_are_not_there(path: Path) -> None:
    program(path, "kubectl", "echo; echo '  Client Version: v1.2'; echo more")
    program(path, "docker", "echo 'no daemon' >&2; echo more >&2; exit 1")
    found = {tool.name: tool for tool in tools()}
    assert (found["kubectl"].present, found["kubectl"].said) == (True, "Client Version: v1.2")
    assert (found["docker"].present, found["docker"].said) == (False, "no daemon")
    assert (found["kind"].present, found["kind"].said) == (False, "not on PATH")
    assert all(found[name].remedy for name in ("docker", "kind"))


def test_a_program_that_does_not_answer_is_not_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "ANSWER_WITHIN_S", 0.05)
    program(path, "kind", "exec /bin/sleep 60")
    program(path, "docker", "exit 3")
    (path / "kubectl").write_bytes(b"\x7fELF broken")
    (path / "kubectl").chmod(stat.S_IRWXU)
    found = {tool.name: tool.said for tool in tools() if not tool.present}
    assert found["kind"] == "no answer in 0.05 s"
    assert found["docker"] == "ended with 3"
    assert found["kubectl"].startswith("can't be started")
