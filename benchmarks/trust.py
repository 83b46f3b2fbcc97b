"""The evidence of docs/trust.md on this machine: `python -m benchmarks.trust [--rounds 90]` (about 14 s a round).

Records rounds of three arms (the baseline, the same again, the same with 200 µs planted in one hop), keeps one figure per window
in results/reference/trust-rounds.json, and asks of experiments of eight rounds drawn from them: how many A/A comparisons raise a
wrong alarm, and how many find the planted delay. `--from FILE` asks again of rounds recorded before.
"""

import argparse
import json
import secrets
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from harness import store
from harness.analysis import resample
from harness.analysis.cost import cost_readings
from harness.analysis.hops import hop_readings
from harness.analysis.intervals import Floats, hodges_lehmann
from harness.analysis.metrics import Reading
from harness.analysis.requests import request_readings
from harness.report.progress import Progress
from harness.runner import planned_s, run_experiment
from harness.selftest import oracle, planted
from harness.stage import stage

RECORDED = Path("results/reference/trust-rounds.json")
EXPERIMENT_ROUNDS = 8
DRAWS = 2000
MOST_WRONG = 0.07
LEAST_FOUND = 0.95
WINDOW_S = 2.0
WARMUP_S = 0.5
FAMILY = {
    "p50": ("entry", "response", "p50"),
    "p90": ("entry", "response", "p90"),
    "cpu": ("total", "cpu_s_per_1000_requests", "mean"),
}
"""What an A/A comparison is judged by, together, with Holm's correction."""


def record(rounds: int, out: Path) -> dict[str, Any]:  # Any: JSON values
    """Run the arms in paired rounds; one figure per window and metric, only of rounds valid in all arms."""
    tried = oracle.subject()
    hop = tried.topology.hops()[oracle.PLANTED_HOP].id
    experiment = oracle.experiment(tried, rounds)
    load = replace(oracle.LOAD, window_s=WINDOW_S, warmup_s=WARMUP_S)
    experiment = replace(experiment, name="trust", loads={"steady": load})
    started = datetime.now(UTC)
    result = store.create(out, experiment.name, started, secrets.token_hex(2))
    with stage(experiment.arms) as (bench, facts), Progress(planned_s(experiment)) as progress:
        run_experiment(experiment, bench, facts, result, started.isoformat(timespec="seconds"), progress)
    return tabulated(store.open_result(result.path), [arm.id for arm in experiment.arms], hop)


def tabulated(result: store.Result, arms: list[str], hop: str) -> dict[str, Any]:  # Any: JSON values
    """`metrics`: per metric one list a round, with a figure per arm."""
    wanted = FAMILY | {"hop": (hop, "hop", "p50")}
    by_round: dict[int, dict[str, Any]] = {}
    for run in result.runs:
        by_round.setdefault(run.round, {})[run.arm] = run
    whole = [runs for runs in by_round.values() if all(arm in runs and runs[arm].validity.valid for arm in arms)]
    cores = len(result.manifest["placement"]["system"])
    metrics: dict[str, list[list[float]]] = {name: [] for name in wanted}
    for runs in whole:
        found = [_figures(result, runs[arm], cores, wanted) for arm in arms]
        for name, rows in metrics.items():
            rows.append([figures[name] for figures in found])
    return {
        "kind": "trust-rounds",
        "schema": 1,
        "arms": arms,
        "delay_us": planted.DELAY_US,
        "rounds_planned": result.manifest["rounds"],
        "rounds_valid": len(whole),
        "machine": result.manifest["machine"],
        "load": result.manifest["loads"]["steady"],
        "started_utc": result.manifest["started_utc"],
        "metrics": metrics,
    }


def _figures(
    result: store.Result, run: Any, cores: int, wanted: Mapping[str, tuple[str, str, str]]
) -> dict[str, float]:  # Any: a Run
    readings: list[Reading] = [
        *request_readings(result.rows(run.id)),
        *hop_readings(run.hops),
        *cost_readings(run, cores),
    ]
    found = {
        (r.metric.subject, r.metric.metric, r.metric.statistic): r.value
        for r in readings
        if r.metric.scope != "machine"
    }
    return {name: _known(name, found[key]) for name, key in wanted.items()}


def _known(name: str, value: float | None) -> float:
    if value is None:
        raise SystemExit(f"{name} has no value in a valid window: the windows are too short for it")
    return value


def evidence(document: Mapping[str, Any], seed: int) -> dict[str, Any]:  # Any: JSON values
    """The shares that docs/trust.md states."""
    tables = {name: np.array(rows, dtype=np.float64) for name, rows in document["metrics"].items()}
    same = {name: tables[name][:, :2] for name in FAMILY}
    delayed = {"hop": tables["hop"][:, [0, 2]]}
    wrong = resample.wrong_alarms(same, EXPERIMENT_ROUNDS, DRAWS, np.random.default_rng(seed))
    power = resample.found(delayed, "hop", EXPERIMENT_ROUNDS, DRAWS, np.random.default_rng(seed))
    shift = tables["hop"][:, 2] - tables["hop"][:, 0]
    disjoint = [
        shift[n : n + EXPERIMENT_ROUNDS] for n in range(0, len(shift) - EXPERIMENT_ROUNDS + 1, EXPERIMENT_ROUNDS)
    ]
    covered = [_covers(part, document["delay_us"]) for part in disjoint]
    whole = hodges_lehmann(shift)
    return {
        "rounds": len(shift),
        "aa_draws": wrong.draws,
        "aa_wrong_share": wrong.value,
        "aa_wrong_share_consecutive": resample.stretches(same, EXPERIMENT_ROUNDS).value,
        "delay_found_share": power.value,
        "delay_runs": len(disjoint),
        "delay_runs_containing_truth": sum(covered),
        "delay_estimate_us": [whole.estimate, whole.low, whole.high],
    }


def _covers(shift: Floats, truth_us: float) -> bool:
    interval = hodges_lehmann(shift)
    return interval.low is not None and interval.high is not None and interval.low <= truth_us <= interval.high


def main() -> int:
    """0 when both bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=90)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("results"))
    parser.add_argument("--from", dest="recorded", type=Path, help="rounds recorded before")
    given = parser.parse_args()
    if given.recorded:
        document = json.loads(given.recorded.read_text())
    else:
        document = record(given.rounds, given.out)
        RECORDED.write_text(json.dumps(document, indent=1) + "\n")
    found = evidence(document, given.seed)
    print(json.dumps(found, indent=1))
    return 0 if found["aa_wrong_share"] <= MOST_WRONG and found["delay_found_share"] >= LEAST_FOUND else 1


if __name__ == "__main__":
    sys.exit(main())
