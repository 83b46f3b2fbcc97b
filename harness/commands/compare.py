"""`hoptax compare`: two results, and what changed from one to the other."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.analysis.comparison import Named, compare_results
from harness.atomic import write_atomically
from harness.likeness import around, check_alike, differences, parts
from harness.model.errors import UsageError
from harness.report import change_page, change_table
from harness.store import Result, open_result

EXIT_INVALID = 4
PROCESS, KUBERNETES = "process", "kubernetes"
SIDES = "processes", "Kubernetes"
WHERE = ("platform", "placement")
"""Parts of a comparison in which results of two platforms may differ."""


def compare(
    before: Annotated[Path, typer.Argument(help="A result's folder.")],
    after: Annotated[Path, typer.Argument(help="Another result's folder.")],
    html: Annotated[Path | None, typer.Option(help="Write the comparison as a page to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the comparison as JSON instead of a table.")] = False,
) -> None:
    """What changed from one result to another, with intervals.  Example: hoptax compare results/before results/after"""
    document = checked_comparison(open_result(before), open_result(after))
    if html is not None:
        text = change_page.render(document)
        write_atomically(html, lambda file: file.write(text.encode()))
    if as_json:
        typer.echo(json.dumps(document, indent=1, ensure_ascii=False))
    else:
        for line in change_table.lines(document):
            typer.echo(line)
    if not document["validity"]["valid"]:
        raise typer.Exit(EXIT_INVALID)


def checked_comparison(before: Result, after: Result) -> dict[str, Any]:  # Any: JSON values
    """The comparison; UsageError, by name, if the two may not be compared."""
    check_apart(before, after)
    check_alike(before.manifest, after.manifest)
    return comparison_of(before, after)


def side_by_side(one: Result, other: Result) -> dict[str, Any]:  # Any: JSON values
    """Processes and Kubernetes, in that order; UsageError if the two aren't that, or differ in more than where they ran."""
    check_apart(one, other)
    found = {str(parts(each.manifest)["platform"]): each for each in (one, other)}
    if set(found) != {PROCESS, KUBERNETES}:
        raise UsageError(
            f"side by side are a result of platform {PROCESS} and one of platform {KUBERNETES}, these are both of {', '.join(found)}: "
            "--since or `hoptax compare` shows what changed between them"
        )
    left, right = found[PROCESS], found[KUBERNETES]
    check_alike(left.manifest, right.manifest, ignoring=WHERE)
    where = differences(_where(left), _where(right))
    first, second = (Named(each.path.resolve().name, each) for each in (left, right))
    return compare_results(first, second, (*where, *around(left.manifest, right.manifest)), SIDES)


def _where(result: Result) -> dict[str, Any]:  # Any: JSON values
    found = parts(result.manifest)
    return {name: found[name] for name in WHERE}


def comparison_of(before: Result, after: Result) -> dict[str, Any]:  # Any: JSON values
    """The document; the two may be compared."""
    names = before.path.resolve().name, after.path.resolve().name
    labels = names if names[0] != names[1] else (f"{names[0]} (before)", f"{names[1]} (after)")
    return compare_results(Named(labels[0], before), Named(labels[1], after), around(before.manifest, after.manifest))


def check_apart(before: Result, after: Result) -> None:
    """UsageError if both are one measurement: a comparison of something with itself would claim that nothing changed."""
    if before.path.samefile(after.path):
        raise UsageError(f"{before.path} and {after.path} are the same folder: give two results")
    trials = [
        {(run.arm, run.window_start_ns, run.generator.run_delay_ns, run.generator.domain) for run in each.runs}
        for each in (before, after)
    ]
    if shared := trials[0] & trials[1]:
        raise UsageError(
            f"{before.path} and {after.path} share {len(shared)} trials: one is a copy of the other; give two results"
        )
