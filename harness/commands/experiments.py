"""`hoptax run`: an experiment, from its file to a table and a page."""

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer

from harness import store
from harness.analysis.checks import asked_in, notes
from harness.cluster_stage import check_loads
from harness.commands.gating import Gate, GateOption, JunitOption, MarkdownOption
from harness.commands.where import (
    ContextOption,
    ImageOption,
    KubeconfigOption,
    LimitsOption,
    MeshImageOption,
    PlatformOption,
    PrefixOption,
    RequestsOption,
    YesOption,
    target,
)
from harness.experiment import Experiment, load_experiment
from harness.fault_file import PROCESS
from harness.manifest import Facts
from harness.model.errors import UsageError
from harness.platforms.cluster import Target
from harness.platforms.kubernetes import KubernetesPlatform
from harness.report import terminal
from harness.report.progress import Progress, spoken
from harness.resume import Remaining, check_same, remaining, settled_loads
from harness.retakes import takes
from harness.runner import conclude, continue_experiment, planned, planned_s, run_experiment, trials_s
from harness.stage import check_programs, dry_plans, stage
from harness.trial import Bench
from harness.unfinished import alone, begun, clear, complete

SPIN_S = 1.0


def run(
    experiment: Annotated[str, typer.Argument(help="A shipped experiment (hoptax list experiments) or a YAML file.")],
    arms: Annotated[str, typer.Option(help="Arms instead of the file's, e.g. 'baseline,builtin[mtls]'.")] = "",
    rounds: Annotated[int | None, typer.Option(help="Rounds instead of the file's; 6 or more give intervals.")] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Locust workers that share each load instead of the file's; in a cluster a pod each."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the result's folder is made.")] = Path("results"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print plan, rendered configuration and time; start nothing.")
    ] = False,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the result in this folder, which was cut off, instead of a new one.")
    ] = None,
    platform: PlatformOption = "process",
    context: ContextOption = "",
    kubeconfig: KubeconfigOption = "",
    namespace_prefix: PrefixOption = "",
    image: ImageOption = "",
    mesh_image: MeshImageOption = "",
    requests: RequestsOption = "",
    limits: LimitsOption = "",
    yes: YesOption = False,
    gate: GateOption = False,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of the table.")] = False,
) -> None:
    """Measure: every arm of an experiment, in paired rounds.  Example: hoptax run quick --rounds 12"""
    where = target(platform, context, kubeconfig, namespace_prefix, image, mesh_image, requests, limits, yes)
    facts = PROCESS if where is None else KubernetesPlatform.facts
    chosen = load_experiment(
        experiment, arms=split_arms(arms), rounds=rounds, gate=gate, workers=workers, platform=facts
    )
    if where is not None:
        check_loads(chosen.loads.values())
        where = replace(where, load_pods=max(load.workload.workers for load in chosen.loads.values()))
    if dry_run and resume is not None:
        raise UsageError("--dry-run shows a whole experiment and --resume goes on with one: give one of them")
    gated = Gate(gate, junit, markdown)
    gated.check(chosen.rules)
    _warn_beforehand(chosen)
    if dry_run:
        _print_plan(chosen, as_json, in_cluster=where is not None)
        return
    if resume is not None:
        resume_into(chosen, resume, where)
        if chosen.rules and chosen.rules != asked_in(store.read_manifest(resume)):
            conclude(resume, chosen.rules)
    _print_result(resume or measure(chosen, out, where=where), as_json, gated)


def _warn_beforehand(experiment: Experiment) -> None:
    """What of topologies can't be honoured or measured, and what to know of the rules; the result has both too."""
    cells = len(experiment.topologies) * len(experiment.loads)
    of_topologies = (note for topology in experiment.topologies for note in topology.notes)
    for note in (*of_topologies, *notes(experiment.rules, experiment.rounds, cells)):
        typer.echo(f"warning: {note}", err=True)


def split_arms(text: str) -> tuple[str, ...]:
    """`a,b[x,y]` → (`a`, `b[x,y]`): commas inside brackets belong to the arm."""
    parts, depth = [""], 0
    for character in text:
        depth += {"[": 1, "]": -1}.get(character, 0)
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return tuple(part.strip() for part in parts if part.strip())


def measure(
    experiment: Experiment,
    out: Path,
    extra: Mapping[str, Any] | None = None,  # Any: JSON values
    check: Callable[[Bench, Facts], None] = lambda _bench, _facts: None,
    where: Target | None = None,
) -> Path:
    """The folder of a new result; `extra` is added to its manifest, `check` may refuse the machine before anything is measured."""
    started = datetime.now(UTC)
    check_programs(experiment.arms, where)
    result = store.create(out, experiment.name, started, secrets.token_hex(2))
    with alone(result.path), _kept(result), stage(experiment.arms, SPIN_S, where) as (bench, facts):
        check(bench, facts)
        _warn(facts)
        with Progress(planned_s(experiment)) as progress:
            utc = started.isoformat(timespec="seconds")
            run_experiment(experiment, bench, facts, result, utc, progress, extra)
    return result.path


def resume_into(experiment: Experiment, path: Path, where: Target | None = None) -> None:
    """Go on with a result that was cut off, after the last round that is complete; UsageError if it isn't this experiment's."""
    manifest, utc, result = begun(path), datetime.now(UTC).isoformat(timespec="seconds"), store.ResultDir(path)
    check_programs(experiment.arms, where)
    with alone(path), _kept(result), stage(experiment.arms, SPIN_S, where) as (bench, facts):
        if manifest is None:
            clear(path, ())
            with Progress(planned_s(experiment)) as progress:
                run_experiment(experiment, bench, facts, result, utc, progress)
            return
        check_same(str(path), manifest, experiment, facts, bench.traffic)
        trials = planned(experiment)
        left = remaining(trials, complete(path, takes(trials, experiment.retakes)), experiment.retakes)
        typer.echo(f"{left.done} of {len(trials)} trials are done{_repeated(left)}", err=True)
        _warn(facts)
        with Progress(trials_s(left.trials, settled_loads(manifest))) as progress:
            continue_experiment(experiment, left, bench, result, utc, progress)


def _repeated(left: Remaining) -> str:
    return f"; {len(left.repeated)} of a round that was cut off are repeated" if left.repeated else ""


def _warn(facts: Facts) -> None:
    for warning in facts.warnings:
        typer.echo(f"warning: {warning}", err=True)


@contextmanager
def _kept(result: store.ResultDir) -> Iterator[None]:
    """Says where the measurements are if the run doesn't come to its end."""
    try:
        yield
    except BaseException as error:
        if not result.discard_if_empty() and not isinstance(error, UsageError):
            typer.echo(
                f"what was measured is in {result.path}: `hoptax report {result.path}` sums it up, --resume goes on with it",
                err=True,
            )
        raise


def _print_result(path: Path, as_json: bool, gate: Gate) -> None:
    """The summary of a finished result; ends with the gate's exit code."""
    measured = store.open_result(path)
    summary = measured.summary()
    gate.write(summary)
    if as_json:
        typer.echo(json.dumps(summary, indent=1))
    else:
        terminal.show(measured.manifest, summary, str(path / "report.html"))
    if code := gate.exit_code(summary):
        raise typer.Exit(code)


def _print_plan(experiment: Experiment, as_json: bool, *, in_cluster: bool) -> None:
    trials = [trial.id for trial in planned(experiment)]
    plans = dry_plans(experiment, in_cluster=in_cluster)
    about_s = sum(planned_s(experiment))
    if as_json:
        arms = [arm.id for arm in experiment.arms]
        document = {
            "experiment": experiment.name,
            "arms": arms,
            "trials": trials,
            "about_s": round(about_s),
            "plans": plans,
        }
        typer.echo(json.dumps(document, indent=1))
        return
    typer.echo(f"{experiment.name}: {len(trials)} trials, about {spoken(about_s)}")
    for trial in trials:
        typer.echo(f"  {trial}")
    for arm, units in plans.items():
        typer.echo(f"\n{arm}")
        for unit in units:
            _print_unit(unit)


def _print_unit(unit: Mapping[str, Any]) -> None:  # Any: JSON values
    typer.echo(f"  {unit['unit']} ({unit['role']}): {' '.join(unit['command'])}")
    for name, content in unit["files"].items():
        typer.echo(f"    {name}:")
        typer.echo(indent(content, "      "))
