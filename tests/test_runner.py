"""The order of an experiment, what is on disk when it is cut off, and the pilot's rate; trials are made up."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from fixtures import made_up
from harness import runner, store
from harness.experiment import Experiment, load_experiment
from harness.load.rows import Rows
from harness.manifest import Facts
from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Arm, PlatformFacts, Traffic
from harness.model.platform import Placement, Platform
from harness.model.run import Load, Parity, Run, Validity
from harness.model.topology import Topology
from harness.pilot import rate_rps
from harness.probes import parity
from harness.rounds import Trial
from harness.runner import LAUNCH_S, PILOT_LOAD, PROOF_S, planned, planned_s, run_experiment
from harness.trial import Bench

FIXED = f"""
name: small
arms: [baseline, "envoy[mtls]", "builtin[mtls]"]
topologies: [pair]
rounds: 2
loads: {{{made_up.LOAD}: {{rate: 60, warmup: 1s, window: 2s}}}}
"""
PLACEMENT = Placement(system=(0,), load=(1,))


class FakePlatform:
    facts = PlatformFacts("process", interception=False)

    def rendered(self, plan: object) -> list[dict[str, str]]:
        return [{"unit": "a-0"}]


class Watched:
    """Steps as they were seen."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.notes: list[str] = []
        self.unplanned = 0

    def trial(self, label: str) -> None:
        self.seen.append(label)

    def done(self, label: str, note: str = "") -> None:
        assert self.seen[-1] == label
        if note:
            self.notes.append(note)

    def more(self, planned_s: Sequence[float]) -> None:
        self.unplanned += len(planned_s)


class Made:
    """Stands in for real trials and proofs; `spoil` may change a run or raise."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.trials: list[Trial] = []
        self.loads: list[Load] = []
        self.spoil: Callable[[Trial, Run], Run] = lambda _, run: run
        self.watched = Watched()
        self.result = store.ResultDir(folder)
        (folder / "runs").mkdir(parents=True)
        self._folder = folder
        monkeypatch.setattr(runner, "run_trial", self._trial)
        monkeypatch.setattr(parity, "prove", lambda _platform, arm, _workspace: (Parity("p", True, arm.id),))

    def run(self, experiment: Experiment) -> Path:
        bench = Bench(cast("Platform", FakePlatform()), PLACEMENT, Traffic(), self._folder)
        facts = Facts("0", "process", PLACEMENT, {}, "m", {})
        return run_experiment(experiment, bench, facts, self.result, "2026-01-02T03:04:05Z", self.watched)

    def _trial(
        self, _bench: Bench, trial: Trial, _arm: Arm, topology: Topology, load: Load, _experiment: str, *_faults: object
    ) -> tuple[Run, Rows]:
        assert trial.id not in {each.id for each in self.trials}, "a trial's folder is named after its id"
        self.trials.append(trial)
        self.loads.append(load)
        run, rows = made_up.trial(topology, load, trial.arm, trial.round, trial.order, 1.0)
        return self.spoil(trial, replace(run, id=trial.id, take=trial.take)), rows


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Made:
    return Made(monkeypatch, tmp_path / "result")


def experiment(folder: Path, text: str = FIXED) -> Experiment:
    (folder / "e.yaml").write_text(text)
    return load_experiment(str(folder / "e.yaml"))


def test_steps_and_time_of_a_fixed_rate(tmp_path: Path) -> None:
    fixed = experiment(tmp_path)
    assert len(planned(fixed)) == 3 * 2
    assert planned_s(fixed) == [PROOF_S] * 3 + [LAUNCH_S + 1 + 2] * 6


def test_steps_and_time_with_a_pilot(tmp_path: Path) -> None:
    auto = experiment(tmp_path, FIXED.replace("rate: 60", "rate: auto").replace("[pair]", "[pair, chain-4]"))
    pilot_s = LAUNCH_S + PILOT_LOAD.warmup_s + PILOT_LOAD.window_s
    assert planned_s(auto) == [PROOF_S] * 3 + [pilot_s] * (2 * 3 + 1) + [LAUNCH_S + 1 + 2] * 12


def test_every_step_is_watched_and_every_trial_is_on_disk(tmp_path: Path, made: Made) -> None:
    fixed = experiment(tmp_path)
    path = made.run(fixed)
    assert len(made.watched.seen) == len(planned_s(fixed))
    assert made.watched.seen[:3] == ["parity · baseline", "parity · envoy[mtls]", "parity · builtin[mtls]"]
    assert made.trials == planned(fixed)
    assert [load.seed for load in made.loads] == [trial.seed for trial in planned(fixed)]
    measured = store.open_result(path)
    assert sorted(run.id for run in measured.runs) == sorted(trial.id for trial in planned(fixed))
    assert measured.manifest["parity"]["baseline"] == [{"check": "p", "passed": True, "seen": "baseline"}]
    assert measured.manifest["rendered"]["envoy[mtls]"] == [{"unit": "a-0"}]
    assert measured.summary()["validity"]["valid"]
    assert (path / "report.html").read_text().startswith("<!doctype html>")


def test_what_the_generator_spoiled_is_measured_again_at_the_end_of_its_round(tmp_path: Path, made: Made) -> None:
    made.spoil = lambda trial, run: made_up.spoiled(run) if (trial.round, trial.order, trial.take) == (1, 0, 1) else run
    path = made.run(experiment(tmp_path))
    first, *_ = planned(experiment(tmp_path))
    assert [trial.round for trial in made.trials] == [1, 1, 1, 1, 2, 2, 2]
    assert made.trials[3] == replace(first, take=2)
    assert made.watched.unplanned == 1
    summary = store.open_result(path).summary()
    assert summary["rounds"][0]["valid"] == [1, 2]
    assert summary["rounds"][0]["retaken"][first.arm] == 1
    assert any(f"measured again: {first.arm} (round 1)" in each for each in summary["validity"]["warnings"])


def test_no_window_is_measured_more_often_than_asked(tmp_path: Path, made: Made) -> None:
    made.spoil = lambda _, run: made_up.spoiled(run)
    path = made.run(experiment(tmp_path, FIXED + "retakes: 2\n"))
    assert [trial.take for trial in made.trials] == [1, 1, 1, 2, 2, 2, 3, 3, 3] * 2
    assert not store.open_result(path).summary()["validity"]["valid"]


@pytest.mark.parametrize("trouble", [KeyboardInterrupt(), EnvironmentFailure("disk full")])
def test_what_was_measured_before_a_failure_stays(tmp_path: Path, made: Made, trouble: BaseException) -> None:
    def spoil(trial: Trial, run: Run) -> Run:
        if len(made.trials) == 5:
            raise trouble
        return run

    made.spoil = spoil
    with pytest.raises(type(trouble)):
        made.run(experiment(tmp_path))
    kept = store.open_result(made.result.path)
    assert len(kept.runs) == 4
    assert runner.conclude(kept.path)["kind"] == "summary"


def test_an_invalid_trial_is_kept_and_told(tmp_path: Path, made: Made) -> None:
    def spoil(trial: Trial, run: Run) -> Run:
        return replace(run, validity=Validity(False, ("late", "starved"))) if len(made.trials) == 2 else run

    made.spoil = spoil
    path = made.run(experiment(tmp_path))
    assert made.watched.notes == ["late; starved"]
    assert len(store.open_result(path).runs) == 6


def test_the_pilot_sets_the_rate_of_loads_that_ask_for_it(tmp_path: Path, made: Made) -> None:
    loads = f"{made_up.LOAD}: {{rate: 60, window: 2s}}, auto: {{rate: auto, window: 2s}}"
    auto = experiment(tmp_path, FIXED.split("loads:", maxsplit=1)[0] + f"loads: {{{loads}}}")
    path = made.run(auto)
    manifest = json.loads((path / "manifest.json").read_text())
    pilot: dict[str, Any] = manifest["pilot"]
    *first, again = pilot["trials"]
    assert pilot["cores"] == 1
    assert [(trial["arm"], trial["at_rps"]) for trial in first] == [(arm.id, PILOT_LOAD.rate_rps) for arm in auto.arms]
    dearest = max(first, key=lambda trial: trial["cpu_s_per_request"])
    assert (again["arm"], again["at_rps"]) == (dearest["arm"], rate_rps(dearest["cpu_s_per_request"], PLACEMENT))
    assert pilot["rate_rps"] == rate_rps(again["cpu_s_per_request"], PLACEMENT)
    assert manifest["loads"]["auto"]["rate_rps"] == pilot["rate_rps"] > 0
    assert manifest["loads"][made_up.LOAD]["rate_rps"] == 60.0
    rates = {trial.load: load.rate_rps for trial, load in zip(made.trials[4:], made.loads[4:], strict=True)}
    assert rates == {"auto": pilot["rate_rps"], made_up.LOAD: 60.0}
    assert not [run for run in store.open_result(path).runs if run.load_name == "pilot"]


def test_a_pilot_without_an_answer_says_what_to_try(tmp_path: Path, made: Made) -> None:
    made.spoil = lambda _, run: replace(run, generator=replace(run.generator, done=0))
    with pytest.raises(EnvironmentFailure, match=r"no request was answered; try `hoptax up pair --arm '"):
        made.run(experiment(tmp_path, FIXED.replace("rate: 60", "rate: auto")))
    assert not (made.result.path / "manifest.json").exists()
