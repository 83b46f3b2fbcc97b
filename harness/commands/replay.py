"""`hoptax replay`: a result measured again, and whether it says the same."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.analysis.intervals import MIN_ROUNDS
from harness.analysis.replication import replication
from harness.analysis.summary import pairings, trust
from harness.atomic import write_atomically
from harness.commands.compare import comparison_of
from harness.commands.experiments import measure
from harness.experiment import MAX_ROUNDS, Experiment
from harness.likeness import MACHINE_PARTS, check_alike
from harness.manifest import Facts
from harness.model.errors import UsageError
from harness.replay import arms_of_checkouts, check_repeatable, experiment_of
from harness.report import change_page, change_table
from harness.store import Result, open_result
from harness.trial import Bench

EXITS = {"within": 0, "outside": 1, "inconclusive": 3}
EXIT_INVALID = 4


def replay(
    directory: Annotated[Path, typer.Argument(help="The result to measure again.")],
    margin: Annotated[float, typer.Option(help="How far a figure may move and be the same, in per cent.")] = 10.0,
    rounds: Annotated[int | None, typer.Option(help="Rounds instead of the result's.")] = None,
    other_machine: Annotated[
        bool, typer.Option("--other-machine", help="Allow another machine than the result's.")
    ] = False,
    checkout: Annotated[
        list[str] | None, typer.Option(help="A tree of which the result has an arm; repeatable.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder in which the new result's folder is made.")] = Path("results"),
    html: Annotated[Path | None, typer.Option(help="Write the comparison as a page to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Repeat a result, and hold the differences against a margin: 0 within, 1 outside, 3 inconclusive.  Example: hoptax replay results/quick-20261123T101500Z-3f2a"""
    first = open_result(directory)
    experiment = _experiment(first, checkout or [], rounds)
    _check_margin(margin)
    check_usable(first)

    def check(bench: Bench, facts: Facts) -> None:
        name = str(directory)
        check_repeatable(name, first.manifest, experiment, facts, bench.traffic, other_machine=other_machine)

    about = {"result": directory.resolve().name, "comparison_key": first.manifest["comparison_key"]}
    second = open_result(measure(experiment, out, {"replays": about}, check))
    check_alike(first.manifest, second.manifest, MACHINE_PARTS if other_machine else ())
    document = comparison_of(first, second)
    document["replay"] = replication(document, margin / 100)
    if html is not None:
        text = change_page.render(document)
        write_atomically(html, lambda file: file.write(text.encode()))
    typer.echo(json.dumps(document, indent=1, ensure_ascii=False) if as_json else "\n".join(_lines(document, second)))
    raise typer.Exit(EXITS[document["replay"]["outcome"]] if document["validity"]["valid"] else EXIT_INVALID)


def _experiment(first: Result, checkouts: list[str], rounds: int | None) -> Experiment:
    manifest = first.manifest
    experiment = experiment_of(str(first.path), manifest, arms_of_checkouts(manifest, checkouts))
    if rounds is None:
        return experiment
    if not MIN_ROUNDS <= rounds <= MAX_ROUNDS:
        raise UsageError(f"--rounds {rounds}: a replay needs {MIN_ROUNDS} to {MAX_ROUNDS}, or nothing can be concluded")
    return replace(experiment, rounds=rounds)


def _check_margin(margin: float) -> None:
    if not 0 < margin <= 100:
        raise UsageError(f"--margin {margin:g}: allowed is more than 0 and at most 100 (per cent)")


def check_usable(first: Result) -> None:
    """UsageError, before anything is measured, if nothing could be concluded from a comparison with this result."""
    paired = pairings(first)
    found = trust(first.manifest, paired)
    if not found.valid:
        raise UsageError(f"{first.path} is invalid, so there is nothing to repeat: {found.reasons[0]}")
    if few := [pairing for pairing in paired if len(pairing.rounds) < MIN_ROUNDS]:
        raise UsageError(
            f"{first.path} has {len(few[0].rounds)} rounds: below {MIN_ROUNDS} there is no interval, so nothing could be concluded"
        )


def _lines(document: Mapping[str, Any], second: Result) -> Iterator[str]:  # Any: JSON values
    yield from change_table.lines(document)
    yield ""
    yield from change_table.replay_lines(document["replay"])
    yield f"Report: {second.path / 'report.html'}"
