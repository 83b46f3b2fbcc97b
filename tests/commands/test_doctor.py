"""`hoptax doctor`: table, JSON and exit code from facts that are made up."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import typer

from harness.commands.doctor import doctor
from harness.model.platform import Placement
from harness.probes import surroundings
from harness.probes.surroundings import Surroundings, Tool
from tests.test_diagnosis import FINE, HOST_LATE, NOISE


def tools() -> Iterator[Tool]:
    yield Tool("kind", False, "not on PATH", "clusters", "put it there")


def examined(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], facts: Surroundings, **options: Any
) -> tuple[int, str]:
    asked: list[tuple[Placement, float]] = []

    def gather(placement: Placement, spin_s: float) -> Surroundings:
        asked.append((placement, spin_s))
        return facts

    monkeypatch.setattr(surroundings, "gather", gather)
    monkeypatch.setattr(surroundings, "tools", tools)
    try:
        doctor(**options)
        code = 0
    except typer.Exit as ended:
        code = ended.exit_code
    assert asked[0][1] >= 1
    return code, capsys.readouterr().out


def test_a_quiet_machine_ends_with_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = examined(monkeypatch, capsys, FINE, as_json=False)
    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["ok", "system", "Linux", "on", "x86_64"]
    assert lines[-3].split()[:2] == ["MISSING", "kind"]
    assert lines[-2].strip() == "→ put it there"
    assert lines[-1] == "This machine can measure on its own processes."


def test_noise_is_told_and_ends_with_0(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = examined(monkeypatch, capsys, replace(FINE, governor="powersave"), as_json=False)
    assert code == 0
    assert "NOISY    governor" in out
    assert "→ sudo cpupower" in out
    assert out.endswith("with 1 source of noise.\n")


def test_a_machine_that_cannot_measure_ends_with_4(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = replace(FINE, open_files=64, noise=replace(NOISE, load=HOST_LATE))
    code, out = examined(monkeypatch, capsys, facts, as_json=False)
    assert code == 4
    assert out.splitlines()[-1] == "This machine can't measure as it is now: open files, jitter of the load's CPU."


def test_json_has_findings_and_facts(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out = examined(monkeypatch, capsys, replace(FINE, quota_cpus=0.5), as_json=True)
    found = json.loads(out)
    assert (code, found["kind"], found["schema"], found["can_measure"]) == (4, "doctor", 1, False)
    assert found["facts"]["quota_cpus"] == 0.5
    assert found["facts"]["noise"]["load"]["late_share"] == 0.0
    assert {each["subject"] for each in found["findings"] if each["stops"]} == {"CPU quota"}
    assert [each["state"] for each in found["findings"] if each["subject"] == "kind"] == ["missing"]
