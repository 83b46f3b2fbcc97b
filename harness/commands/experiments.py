"""`hoptax run`: an experiment, from its file to a table and a page."""

import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer

from harness import store
from harness.commands.gating import Gate, GateOption, JunitOption, MarkdownOption
from harness.experiment import Experiment, load_experiment
from harness.report import terminal
from harness.report.progress import Progress, spoken
from harness.runner import planned, planned_s, run_experiment
from harness.stage import check_programs, dry_plans, stage


def run(
    experiment: Annotated[str, typer.Argument(help="A shipped experiment (hoptax list experiments) or a YAML file.")],
    arms: Annotated[str, typer.Option(help="Arms instead of the file's, e.g. 'baseline,builtin[mtls]'.")] = "",
    rounds: Annotated[int | None, typer.Option(help="Rounds instead of the file's; 6 or more give intervals.")] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the result's folder is made.")] = Path("results"),
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print plan, rendered configuration and time; start nothing.")
    ] = False,
    gate: GateOption = False,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of the table.")] = False,
) -> None:
    """Measure: every arm of an experiment, in paired rounds.  Example: hoptax run quick --rounds 12"""
    chosen = load_experiment(experiment, arms=split_arms(arms), rounds=rounds, gate=gate)
    gated = Gate(gate, junit, markdown)
    gated.check(chosen.rules)
    gated.warn(chosen.rules, chosen.rounds, len(chosen.topologies) * len(chosen.loads))
    if dry_run:
        _print_plan(chosen, as_json)
        return
    _measure(chosen, out, as_json, gated)


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


def _measure(experiment: Experiment, out: Path, as_json: bool, gate: Gate) -> None:
    started = datetime.now(UTC)
    check_programs(experiment.arms)
    result = store.create(out, experiment.name, started, secrets.token_hex(2))
    with stage(experiment.arms) as (bench, facts), Progress(planned_s(experiment)) as progress:
        for warning in facts.warnings:
            typer.echo(f"warning: {warning}", err=True)
        try:
            run_experiment(experiment, bench, facts, result, started.isoformat(timespec="seconds"), progress)
        except BaseException:
            if not result.discard_if_empty():
                typer.echo(f"what was measured is in {result.path}: `hoptax report {result.path}` sums it up", err=True)
            raise
    _print_result(result.path, as_json, gate)


def _print_result(path: Path, as_json: bool, gate: Gate) -> None:
    measured = store.open_result(path)
    summary = measured.summary()
    if as_json:
        typer.echo(json.dumps(summary, indent=1))
    else:
        terminal.show(measured.manifest, summary, str(path / "report.html"))
    gate.write(summary)
    if code := gate.exit_code(summary):
        raise typer.Exit(code)


def _print_plan(experiment: Experiment, as_json: bool) -> None:
    trials = [trial.id for trial in planned(experiment)]
    plans = dry_plans(experiment)
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
