"""Resuming: what is left of an experiment that was cut off, what is refused by name, and kill -9 at every step on disk."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from fixtures import made_up
from harness import store
from harness.experiment import Experiment, load_experiment
from harness.likeness import Document
from harness.manifest import Facts, manifest
from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.mesh import Traffic
from harness.model.platform import Placement
from harness.model.run import Load
from harness.resume import Remaining, check_same, remaining, settled_loads
from harness.retakes import takes
from harness.rounds import trials
from harness.unfinished import alone, begun, clear, complete
from tests.analysis import synthetic

PLANNED = trials(("a", "b", "c"), ("one", "two"), ("low", "high"), 3, 1)
IDS = [trial.id for trial in PLANNED]
WINDOW = synthetic.result(rounds=1, rows=10).runs[0]
DONE = {each: replace(WINDOW, id=each) for each in IDS}
ROOT = Path(__file__).parent.parent


def test_nothing_done_leaves_everything_and_all_done_leaves_nothing() -> None:
    fresh = remaining(PLANNED, {}, 1)
    assert (list(fresh.trials), fresh.done, fresh.kept, fresh.repeated) == (PLANNED, 0, (), ())
    assert remaining(PLANNED, DONE, 1) == Remaining((), len(IDS), tuple(IDS), ())


@pytest.mark.parametrize("done", range(len(IDS) + 1))
def test_a_round_that_was_cut_off_is_repeated_whole_and_no_other(done: int) -> None:
    """A round is three trials on one topology under one load; a break between two rounds repeats nothing."""
    left = remaining(PLANNED, dict(list(DONE.items())[:done]), 1)
    assert left.done == done // 3 * 3
    assert list(left.trials) == PLANNED[done // 3 * 3 :]
    assert list(left.repeated) == IDS[done // 3 * 3 : done]


def test_a_hole_in_the_middle_is_filled_by_its_whole_round_in_the_planned_order() -> None:
    left = remaining(PLANNED, {each: run for place, (each, run) in enumerate(DONE.items()) if place not in (4, 31)}, 1)
    assert list(left.trials) == PLANNED[3:6] + PLANNED[30:33]
    assert list(left.repeated) == [IDS[3], IDS[5], IDS[30], IDS[32]]


def test_a_round_is_done_when_what_the_generator_spoiled_was_measured_again() -> None:
    second = replace(PLANNED[1], take=2)
    spoiled = DONE | {IDS[1]: made_up.spoiled(DONE[IDS[1]])}
    assert second.id in takes(PLANNED, 1)
    assert list(remaining(PLANNED, spoiled, 0).trials) == []
    assert list(remaining(PLANNED, spoiled, 1).trials) == PLANNED[:3]
    again = spoiled | {second.id: replace(WINDOW, id=second.id, take=2)}
    assert remaining(PLANNED, again, 1) == Remaining((), len(IDS), (*IDS[:3], second.id, *IDS[3:]), ())
    del again[IDS[0]]
    assert set(remaining(PLANNED, again, 1).repeated) == {IDS[1], IDS[2], second.id}


# -- what must be the same ---------------------------------------------------------------------------------------------

QUICK = load_experiment("quick")
FACTS = Facts(
    "0.1.0", "process", Placement((0,), (1,)), {"cpu_model": "x", "kernel": "6.1", "load_average": 0.1}, "m",
    {"baseline": [], "builtin[mtls]": [{"name": "proxy", "version": "1", "digest": "b"}]},
)  # fmt: skip
LOADS = {"auto": replace(QUICK.loads["auto"], rate_rps=410.0)}


def recorded() -> Document:
    written: dict[str, Any] = manifest(QUICK, FACTS, Traffic(), LOADS, {"rate_rps": 410.0}, {}, {}, "2026-01-02")
    return cast("Document", json.loads(json.dumps(written)))


def check(experiment: Experiment = QUICK, facts: Facts = FACTS, traffic: Traffic | None = None) -> None:
    check_same("results/x", recorded(), experiment, facts, traffic or Traffic())


def test_the_same_may_go_on_with_the_rate_that_the_pilot_found_however_busy_the_machine_is_now() -> None:
    check()
    check(facts=replace(FACTS, machine={**FACTS.machine, "load_average": 7.0}, warnings=("busy",)))
    assert settled_loads(recorded()) == LOADS


OTHER: dict[str, tuple[Callable[[], None], str]] = {
    "rounds": (lambda: check(replace(QUICK, rounds=9)), r"now: rounds \(8 against 9\)\.\n"),
    "arms": (lambda: check(replace(QUICK, arms=QUICK.arms[:2])), r"arms \(\["),
    "seed": (lambda: check(replace(QUICK, seed=2)), r"seed \(1 against 2\)"),
    "reference": (lambda: check(replace(QUICK, reference="envoy[mtls]")), r"reference \(baseline against"),
    "contrasts": (lambda: check(replace(QUICK, contrasts=())), r"now: design \("),
    "a fixed rate": (
        lambda: check(replace(QUICK, loads={"auto": Load(300.0, 2.0, 5.0)})),
        r"loads\.auto\.rate_rps \(410 against 300\)",
    ),
    "a window": (
        lambda: check(replace(QUICK, loads={"auto": replace(QUICK.loads["auto"], window_s=9.0)})),
        r"loads\.auto\.window_s \(6 against 9\)",
    ),
    "a topology": (
        lambda: check(replace(QUICK, topologies=(replace(QUICK.topologies[0], digest="other"),))),
        r"topologies\.chain-4 \(",
    ),
    "kernel": (
        lambda: check(facts=replace(FACTS, machine={**FACTS.machine, "kernel": "6.2"})),
        r"machine\.kernel \(6\.1 against 6\.2\)",
    ),
    "cpus": (lambda: check(facts=replace(FACTS, placement=Placement((0, 1), (2,)))), r"placement\.system \(\[0\]"),
    "version": (lambda: check(facts=replace(FACTS, instrument="0.2.0")), r"instrument \(0\.1\.0 against 0\.2\.0\)"),
    "a program": (
        lambda: check(facts=replace(FACTS, programs={"baseline": [], "builtin[mtls]": []})),
        r"programs\.builtin\[mtls\] \(",
    ),
    "settings": (
        lambda: check(traffic=Traffic(connect_timeout_s=2.0)),
        r"traffic\.connect_timeout_s \(1 against 2\)",
    ),
}


@pytest.mark.parametrize(("changed", "named"), OTHER.values(), ids=OTHER)
def test_anything_else_is_refused_by_name(changed: Callable[[], None], named: str) -> None:
    with pytest.raises(UsageError, match=named) as refused:
        changed()
    assert str(refused.value).startswith("results/x can't be resumed")
    assert str(refused.value).count("\n") == 1


# -- what is on disk ---------------------------------------------------------------------------------------------------


@pytest.fixture
def cut_off(tmp_path: Path) -> store.ResultDir:
    made = synthetic.result(rounds=2, rows=100)
    (tmp_path / "r" / "runs").mkdir(parents=True)
    result = store.ResultDir(tmp_path / "r")
    result.write_manifest(made.manifest)
    for run in made.runs:
        result.write_run(run, made.rows(run.id))
    return result


def ids(result: store.ResultDir) -> list[str]:
    return sorted(file.stem for file in (result.path / "runs").glob("*.json"))


HARMS: dict[str, Callable[[Path, str], object]] = {
    "no record": lambda runs, name: (runs / f"{name}.json").unlink(),
    "no rows": lambda runs, name: (runs / f"{name}.parquet").unlink(),
    "half a record": lambda runs, name: os.truncate(runs / f"{name}.json", 100),
    "an empty record": lambda runs, name: os.truncate(runs / f"{name}.json", 0),
    "half the rows": lambda runs, name: os.truncate(runs / f"{name}.parquet", 900),
    "another's rows": lambda runs, name: (runs / "r01-chain-3-r400-baseline.parquet").replace(runs / f"{name}.parquet"),
    "a file that wasn't finished": lambda runs, name: (runs / f"{name}.json").rename(runs / f".writing-ab-{name}.json"),
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_what_is_not_whole_does_not_count(cut_off: store.ResultDir, harm: Callable[[Path, str], object]) -> None:
    before, name = ids(cut_off), "r02-chain-3-r400-builtin.mtls"
    assert set(complete(cut_off.path, before)) == set(before)
    harm(cut_off.path / "runs", name)
    assert set(complete(cut_off.path, before)) - {"r01-chain-3-r400-baseline"} == set(before) - {
        name,
        "r01-chain-3-r400-baseline",
    }


def test_a_run_of_something_else_is_refused_by_name(cut_off: store.ResultDir) -> None:
    with pytest.raises(UsageError, match=r"r02-.*json belongs to no trial of this experiment"):
        complete(cut_off.path, ids(cut_off)[:3])


def test_what_is_to_be_repeated_goes_and_nothing_else(cut_off: store.ResultDir) -> None:
    kept = ids(cut_off)[:3]
    for stray in (cut_off.path / ".writing-1-manifest.json", cut_off.path / "runs" / ".writing-2-x.parquet"):
        stray.write_text("half")
    clear(cut_off.path, kept)
    names = sorted(file.name for file in cut_off.path.rglob("*"))
    assert names == sorted(
        [f"{each}.{kind}" for each in kept for kind in ("json", "parquet")] + ["manifest.json", "runs"]
    )


def test_a_record_goes_before_its_rows(cut_off: store.ResultDir, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: list[str] = []
    monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: gone.append(path.suffix))
    clear(cut_off.path, ())
    assert gone == [".json"] * 6 + [".parquet"] * 6


def test_a_disk_that_will_not_let_go_is_told(cut_off: store.ResultDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(EnvironmentFailure, match="Operation not permitted"):
        clear(cut_off.path, ())


def test_a_folder_without_a_manifest_is_resumed_only_if_a_run_made_it(tmp_path: Path) -> None:
    (tmp_path / "r" / "runs").mkdir(parents=True)
    (tmp_path / "r" / ".writing-1-manifest.json").write_text("half")
    assert begun(tmp_path / "r") is None
    (tmp_path / "r" / "runs" / "x.json").write_text("{}")
    for path in (tmp_path / "r", tmp_path, tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="can't be resumed: it is no folder that `hoptax run` made"):
            begun(path)


def test_two_cannot_measure_into_one_folder(tmp_path: Path) -> None:
    with alone(tmp_path):
        descriptor = os.open(tmp_path, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)
        with pytest.raises(UsageError, match="is being measured by another hoptax"), alone(tmp_path):
            pass
    with alone(tmp_path):
        pass


@pytest.mark.system
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("stride", "least"), [(5, 8), pytest.param(1, 40, marks=pytest.mark.e2e)])
def test_killed_at_any_step_and_resumed_it_ends_as_if_it_had_never_been(
    tmp_path: Path, stride: int, least: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.kill_points", str(tmp_path), "1", str(stride)],
        cwd=ROOT, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    points = [line.split() for line in done.stdout.splitlines()]
    assert len(points) > least
    assert {digest for _, _, digest in points} == {points[-1][2]}
    assert points[-1][1] == "0", "the last one was never killed: the others are compared with it"
    assert sum(int(kills) for _, kills, _ in points) > len(points)
