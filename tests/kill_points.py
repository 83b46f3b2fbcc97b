"""`python -m tests.kill_points FOLDER SEED STRIDE`: measures made-up trials, killed at every STRIDE-th step on disk, and resumes until all is there.

Runs in a process of its own that has one thread, so that it may fork. A child counts what it does to files of its result (through an
audit hook) and ends itself with SIGKILL at the step it was given: no `finally` runs, as when a machine's user or kernel does it.
Prints one line per kill point: the step, how often it was killed until it came to its end, and the digest of what is on disk.
"""

import hashlib
import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, cast

from fixtures import made_up
from harness import runner, store
from harness.experiment import Experiment, load_experiment
from harness.load.rows import Rows
from harness.manifest import Facts
from harness.model.mesh import Arm, PlatformFacts, Traffic
from harness.model.platform import Placement, Platform
from harness.model.run import Load, Parity, Run
from harness.model.topology import Topology
from harness.probes import parity
from harness.resume import check_same, remaining
from harness.retakes import takes
from harness.rounds import Trial
from harness.runner import continue_experiment, planned, run_experiment
from harness.trial import Bench
from harness.unfinished import alone, begun, clear, complete

TEXT = f"""
name: small
arms: [baseline, "envoy[mtls]"]
topologies: [pair]
rounds: 2
loads: {{{made_up.LOAD}: {{rate: 20, warmup: 0s, window: 1s}}}}
"""
STEPS = ("open", "os.rename", "os.remove", "os.mkdir")
PLACEMENT = Placement(system=(0,), load=(1,))
FACTS = Facts("0", "process", PLACEMENT, {"cpu_model": "made up"}, "m", {})


class _Platform:
    facts = PlatformFacts("process", interception=False)

    def rendered(self, plan: object) -> list[dict[str, str]]:
        return [{"unit": "a-0"}]


class _Silent:
    def trial(self, label: str) -> None: ...
    def done(self, label: str, note: str = "") -> None: ...
    def more(self, planned_s: object) -> None: ...


def made(
    _bench: Bench, trial: Trial, _arm: Arm, topology: Topology, load: Load, _experiment: str, _specs: object = ()
) -> tuple[Run, Rows]:
    """A trial without a machine; it remembers which process measured it. One window has to be measured twice."""
    run, rows = made_up.trial(topology, load, trial.arm, trial.round, trial.order, 1.0)
    if (trial.round, trial.order, trial.take) == (1, 0, 1):
        run = made_up.spoiled(run)
    return replace(run, id=trial.id, take=trial.take, samples=[{"by": os.getpid()}]), replace(rows, run_id=trial.id)


def proven(_platform: Platform, arm: Arm, _workspace: Path) -> tuple[Parity, ...]:
    """A proof without a machine."""
    return (Parity("p", True, arm.id),)


def go_on(experiment: Experiment, path: Path) -> None:
    """What `hoptax run --resume` does, without a stage."""
    bench = Bench(cast("Platform", _Platform()), PLACEMENT, Traffic(), path)
    result, manifest = store.ResultDir(path), begun(path)
    with alone(path):
        if manifest is None:
            clear(path, ())
            run_experiment(experiment, bench, FACTS, result, "2026-01-02T03:04:05Z", _Silent())
            return
        check_same(str(path), manifest, experiment, FACTS, bench.traffic)
        trials = planned(experiment)
        left = remaining(trials, complete(path, takes(trials, experiment.retakes)), experiment.retakes)
        continue_experiment(experiment, left, bench, result, "2026-01-02T04:05:06Z", _Silent())


def forked(work: Callable[[], object]) -> bool:
    """Whether the child came to its end; False if it was killed, an error if it failed."""
    pid = os.fork()
    if not pid:
        try:
            work()
        except BaseException:  # noqa: BLE001 - a forked child must not go on as its parent
            traceback.print_exc()
            os._exit(1)
        sys.stdout.flush()
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return False
    if status:
        raise SystemExit("a child failed: see above")
    return True


def kill_at(step: int, folder: Path) -> None:
    """From now on count this process's steps in the folder, and end it at that one."""
    seen = [0]

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        if event in STEPS and str(folder) in str(arguments[0]):
            seen[0] += 1
            if seen[0] == step:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def killed_or_done(experiment: Experiment, path: Path, step: int) -> None:
    """Measure until that step, or to the end."""
    kill_at(step, path)
    go_on(experiment, path)


def tell(path: Path, step: int, kills: int) -> None:
    """The line of a kill point; every round must have been measured by one process."""
    result = store.open_result(path)
    measured_by = {(run.round, run.samples[0]["by"]) for run in result.runs}
    assert len(measured_by) == len({run.round for run in result.runs}), f"a round of two processes: {measured_by}"
    print(step, kills, digest(result))


def digest(result: store.Result) -> str:
    """Of everything but who measured it when: manifest, every run, every row, summary, page and the names of all files."""
    manifest = {key: value for key, value in result.manifest.items() if key not in {"resumed", "clocks"}}
    runs = [repr(replace(run, samples=[])) for run in result.runs]
    rows = [str(result.rows(run.id).due.tolist()) for run in result.runs]
    names = sorted(str(file.relative_to(result.path)) for file in result.path.rglob("*"))
    everything = [manifest, runs, rows, result.summary(), names, (result.path / "report.html").read_text()]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:16]


def main(folder: Path, seed: int, stride: int) -> None:
    """Kill at steps of a fresh run, one after the other, and at random steps of what resumes it."""
    for module, name, instead in ((runner, "run_trial", made), (parity, "prove", proven)):
        setattr(module, name, instead)
    (folder / "e.yaml").write_text(TEXT)
    experiment, chance = load_experiment(str(folder / "e.yaml")), random.Random(seed)
    step, unbroken = 0, False
    while not unbroken:
        step += stride
        path, kills, at = folder / f"at-{step}", 0, step
        (path / "runs").mkdir(parents=True)
        while not forked(partial(killed_or_done, experiment, path, at)):
            kills += 1
            at = chance.randint(1, 60)
        unbroken = not kills
        forked(partial(tell, path, step, kills))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
