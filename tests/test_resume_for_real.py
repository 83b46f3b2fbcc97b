"""Once in reality: a run that is killed with SIGKILL at random moments, and resumed, ends with every trial, and no round in two halves."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness import store
from harness.experiment import load_experiment
from harness.runner import planned

pytestmark = [pytest.mark.e2e, pytest.mark.system, pytest.mark.timeout(600)]

TEXT = """
name: tiny
arms: [baseline, "builtin[mtls]"]
topologies: [pair]
rounds: 4
loads: {low: {rate: 40, warmup: 200ms, window: 1s}}
"""
MEASURED = (0, 4)
"""Valid, or not, on a machine that does other things beside."""


def hoptax(*words: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", "from harness.cli import main; main()", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def killed_after(process: "subprocess.Popen[str]", trials: int) -> bool:
    """Kill it as soon as it tells that so many steps are done; False if it came to its end before."""
    assert process.stderr is not None
    told = 0
    for line in process.stderr:
        told += line.startswith("[")
        if told == trials:
            process.send_signal(signal.SIGKILL)
            break
    process.communicate()
    return process.returncode == -signal.SIGKILL


def test_killed_and_resumed_it_has_every_trial_and_whole_rounds(tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(TEXT)
    chance, kills = random.Random(5), 1
    assert killed_after(hoptax("run", tmp_path / "e.yaml", "--out", tmp_path / "results"), 5)
    (path,) = (tmp_path / "results").iterdir()
    while killed_after(process := hoptax("run", tmp_path / "e.yaml", "--resume", path), chance.randint(1, 4)):
        kills += 1
    assert process.returncode in MEASURED
    result = store.open_result(path)
    assert sorted(run.id for run in result.runs) == sorted(
        trial.id for trial in planned(load_experiment(str(tmp_path / "e.yaml")))
    )
    for number in range(1, 5):
        first, second = sorted(run.window_start_ns for run in result.runs if run.round == number)
        between = [run for run in result.runs if run.round != number and first < run.window_start_ns < second]
        assert not between
    resumed = result.manifest["resumed"]
    assert 1 <= len(resumed) <= kills
    assert [entry["done"] for entry in resumed] == sorted(entry["done"] for entry in resumed)
    assert json.loads((path / "summary.json").read_text())["kind"] == "summary"
    assert not list(path.rglob(".writing-*"))
