"""Runs an experiment: parity proofs, pilot, then every trial in order. Each trial is on disk before the next one starts."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import Any, Protocol

from harness import pilot
from harness.analysis.checks import to_manifest
from harness.analysis.summary import summarise
from harness.experiment import Experiment, waits_for_pilot
from harness.injecting import plan_with
from harness.load import users
from harness.load.accounts import clock_domain
from harness.manifest import Facts, clock_facts, manifest
from harness.model.errors import EnvironmentFailure
from harness.model.mesh import Arm
from harness.model.rules import Asked
from harness.model.run import Load, Parity, Run, WorkerClock
from harness.probes import parity
from harness.report import html
from harness.report.verdict_files import VERDICT_FILES
from harness.resume import Remaining, resumption, settled_loads
from harness.retakes import again, by_round
from harness.rounds import Trial, trials
from harness.store import Result, ResultDir, open_result, read_manifest
from harness.trial import Bench, run_trial
from harness.unfinished import clear

PILOT_LOAD = Load(rate_rps=100.0, warmup_s=1.0, window_s=2.0)
"""Every arm's that may be the dearest, at first; the dearest is then run once more, at the rate that follows from it."""
LAUNCH_S = 2.0
"""What a trial takes beside warm-up and window: launch, proofs, alignment to a second, collection. For the ETA only."""


PROOF_S = 8.0
"""What the proofs of one arm take, likewise: two launches, and faults that have to be waited for."""


class Watcher(Protocol):
    """Sees every step; `done` may carry a note such as why the trial is invalid; `more` are steps that weren't planned, about so long."""

    def trial(self, label: str) -> None: ...
    def done(self, label: str, note: str = "") -> None: ...
    def more(self, planned_s: Sequence[float]) -> None: ...


@dataclass(frozen=True, slots=True)
class Preparation:
    """What was learnt before the first trial: settled loads, what the pilot saw, each arm's proofs and configuration."""

    loads: Mapping[str, Load]
    pilot: Mapping[str, Any]
    parity: Mapping[str, tuple[Parity, ...]]
    rendered: Mapping[str, list[dict[str, str]]]
    clocks: Mapping[str, tuple[WorkerClock, ...]]


def planned(experiment: Experiment) -> list[Trial]:
    """Every trial, in order."""
    arms = tuple(arm.id for arm in experiment.arms)
    topologies = tuple(topology.name for topology in experiment.topologies)
    return trials(arms, topologies, tuple(experiment.loads), experiment.rounds, experiment.seed)


def planned_s(experiment: Experiment) -> list[float]:
    """About how long each step that a Watcher will see takes, in seconds: a proof per arm, the pilot's trials, the trials."""
    loads = [PILOT_LOAD] * _pilot_steps(experiment) + [experiment.loads[trial.load] for trial in planned(experiment)]
    return [PROOF_S] * len(experiment.arms) + [_trial_s(load) for load in loads]


def _trial_s(load: Load) -> float:
    return LAUNCH_S + load.warmup_s + load.window_s


def trials_s(trials: Sequence[Trial], loads: Mapping[str, Load]) -> list[float]:
    """About how long each of these trials takes, in seconds."""
    return [_trial_s(loads[trial.load]) for trial in trials]


def run_experiment(
    experiment: Experiment,
    bench: Bench,
    facts: Facts,
    result: ResultDir,
    utc: str,
    watch: Watcher,
    extra: Mapping[str, Any] | None = None,
) -> Path:
    """Prepare, write the manifest (with `extra`), run every trial, then sum up what is on disk. Returns the result's folder.

    What was measured before a failure or an interrupt stays; `hoptax report` sums it up.
    """
    ready = prepare(experiment, bench, watch)
    result.write_manifest(
        manifest(experiment, facts, bench.traffic, ready.loads, ready.pilot, ready.parity, ready.rendered, utc)
        | clock_facts(clock_domain(), ready.clocks)
        | dict(extra or {})
    )
    _measure(experiment, planned(experiment), ready.loads, bench, result, watch)
    conclude(result.path)
    return result.path


def continue_experiment(
    experiment: Experiment, left: Remaining, bench: Bench, result: ResultDir, utc: str, watch: Watcher
) -> Path:
    """Run what is left of an experiment that was cut off, with the loads, proofs and configuration that its manifest has.

    The manifest tells of it first, then what is to be repeated goes: cut off again anywhere, the same is left.
    """
    manifest = read_manifest(result.path)
    loads = settled_loads(manifest)
    if left.trials:
        result.write_manifest(manifest | {"resumed": [*manifest.get("resumed", ()), resumption(utc, left)]})
    clear(result.path, left.kept)
    _measure(experiment, left.trials, loads, bench, result, watch)
    conclude(result.path)
    return result.path


def conclude(
    path: Path,
    rules: Sequence[Asked] | None = None,
    changes: Mapping[str, Any] | None = None,  # Any: JSON values
) -> dict[str, Any]:
    """Summary, page and verdict from files alone, so that they can be made again later and elsewhere.

    `rules` judge instead of its own; `changes`, a comparison of another result with this one, goes onto the page.
    """
    found = open_result(path)
    measured = found if rules is None else judged_by(found, rules)
    summary = summarise(measured)
    directory = ResultDir(path)
    directory.write_summary(summary)
    directory.write_text("report.html", html.render(measured, summary, changes))
    for name, write in VERDICT_FILES.items():
        directory.write_text(name, write(summary)) if summary["verdict"] else directory.remove_text(name)
    return summary


def judged_by(result: Result, rules: Sequence[Asked]) -> Result:
    """The result as if it had been measured under these rules; if it had others of its own, that is said."""
    asked, own = to_manifest(rules), result.manifest.get("rules", [])
    if asked == own:
        return result
    moved = ["judged by other rules than those it was measured under"] if own else []
    warnings = [*result.manifest.get("warnings", ()), *moved]
    return replace(result, manifest={**result.manifest, "rules": asked, "warnings": warnings})


def prepare(experiment: Experiment, bench: Bench, watch: Watcher) -> Preparation:
    """Prove every arm, then find the rate if the experiment asks for it."""
    proofs: dict[str, tuple[Parity, ...]] = {}
    for arm in experiment.arms:
        with watched(watch, f"parity · {arm.id}"):
            proofs[arm.id] = parity.prove(bench.platform, arm, bench.workspace / f"parity-{len(proofs)}")
    found = _pilot(experiment, bench, watch)
    loads = {name: _settled(load, found) for name, load in experiment.loads.items()}
    rendered = {arm.id: bench.platform.rendered(_plan(experiment, arm, bench)) for arm in experiment.arms}
    clocks = {name: users.clocks(load, bench.placement.load) for name, load in loads.items() if load.workload.name}
    return Preparation(loads, found, proofs, rendered, clocks)


def _measure(
    experiment: Experiment,
    asked: Sequence[Trial],
    loads: Mapping[str, Load],
    bench: Bench,
    result: ResultDir,
    watch: Watcher,
) -> None:
    """Round by round; at the end of each, what the generator spoiled is measured again."""
    for trials_now in by_round(asked):
        left = trials_now
        while left:
            runs = [(trial, _one(experiment, trial, loads[trial.load], bench, result, watch)) for trial in left]
            left = tuple(filter(None, (again(trial, run, experiment.retakes) for trial, run in runs)))
            watch.more(trials_s(left, loads))


def _one(experiment: Experiment, trial: Trial, load: Load, bench: Bench, result: ResultDir, watch: Watcher) -> Run:
    take = f" · take {trial.take}" if trial.take > 1 else ""
    label = f"round {trial.round} · {trial.topology} · {trial.arm}{take}"
    watch.trial(label)
    seeded = replace(load, seed=trial.seed)
    arm, topology = experiment.arm(trial.arm), experiment.topology(trial.topology)
    run, rows = run_trial(bench, trial, arm, topology, seeded, experiment.name, experiment.faults)
    result.write_run(run, rows)
    watch.done(label, "; ".join(run.validity.reasons))
    return run


def _plan(experiment: Experiment, arm: Arm, bench: Bench) -> Any:
    return plan_with(arm, experiment.topologies[0], bench.traffic, bench.platform.facts, experiment.faults)


def _needs_pilot(experiment: Experiment) -> bool:
    return any(waits_for_pilot(load) for load in experiment.loads.values())


def _pilot_trials(experiment: Experiment) -> list[Trial]:
    if not _needs_pilot(experiment):
        return []
    return [
        Trial(0, place, arm.id, topology.name, "pilot", seed=experiment.seed)
        for topology in experiment.topologies
        for place, arm in enumerate(pilot.asked(experiment.arms))
    ]


def _pilot_steps(experiment: Experiment) -> int:
    trials = len(_pilot_trials(experiment))
    return trials and trials + 1


def _pilot(experiment: Experiment, bench: Bench, watch: Watcher) -> dict[str, Any]:
    """What a request costs every arm at the pilot's rate, and the dearest at the rate that follows; the final rate."""
    if not (pilots := _pilot_trials(experiment)):
        return {}
    seen = [(_pilot_trial(experiment, trial, PILOT_LOAD, bench, watch), trial) for trial in pilots]
    cost, dearest = max(seen, key=itemgetter(0))
    again = replace(PILOT_LOAD, rate_rps=pilot.rate_rps(cost, bench.placement))
    cost_again = _pilot_trial(experiment, replace(dearest, load="pilot-again"), again, bench, watch)
    asked = [(PILOT_LOAD, *found) for found in seen] + [(again, cost_again, dearest)]
    return {
        "cores": len(bench.placement.system),
        "trials": [
            {"topology": trial.topology, "arm": trial.arm, "at_rps": load.rate_rps, "cpu_s_per_request": cpu_s}
            for load, cpu_s, trial in asked
        ],
        "rate_rps": pilot.rate_rps(cost_again, bench.placement),
    }


def _pilot_trial(experiment: Experiment, trial: Trial, load: Load, bench: Bench, watch: Watcher) -> float:
    with watched(watch, f"pilot at {load.rate_rps:g}/s · {trial.topology} · {trial.arm}"):
        arm, topology = experiment.arm(trial.arm), experiment.topology(trial.topology)
        run, _ = run_trial(bench, trial, arm, topology, load, experiment.name)
    if not run.generator.done:
        raise EnvironmentFailure(
            f"pilot of {run.arm}: no request was answered; try `hoptax up {run.topology} --arm '{run.arm}'`"
        )
    return pilot.cpu_s_per_request(run, bench.placement)


def _settled(load: Load, found: Mapping[str, Any]) -> Load:
    return replace(load, rate_rps=found["rate_rps"]) if waits_for_pilot(load) else load


@contextmanager
def watched(watch: Watcher, label: str) -> Iterator[None]:
    """A step of which a Watcher sees beginning and end."""
    watch.trial(label)
    yield
    watch.done(label)
