"""`hoptax report`: table, page and verdict again, from files alone."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.analysis.checks import asked_in
from harness.commands.compare import checked_comparison, side_by_side
from harness.commands.gating import Gate, GateOption, JunitOption, MarkdownOption
from harness.model.errors import UsageError
from harness.model.rules import Asked
from harness.report import terminal
from harness.rule_file import Arms, default_rules, read_rules
from harness.runner import conclude
from harness.store import Result, open_result


def report(
    directory: Annotated[Path, typer.Argument(help="A result's folder, e.g. results/quick-20261123T101500Z-3f2a.")],
    gate: GateOption = False,
    rules: Annotated[
        Path | None, typer.Option(help="Judge by the `rules:` of this YAML file instead of the result's own.")
    ] = None,
    since: Annotated[
        Path | None, typer.Option(help="Show on the page, too, what changed since this other result.")
    ] = None,
    beside: Annotated[
        Path | None,
        typer.Option(
            help="Show on the page, too, the same experiment on the other platform: processes beside Kubernetes."
        ),
    ] = None,
    junit: JunitOption = None,
    markdown: MarkdownOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of the table.")] = False,
) -> None:
    """Rebuild summary.json, report.html and the verdict.  Example: hoptax report results/quick-20261123T101500Z-3f2a --gate"""
    found = open_result(directory)
    asked = _rules(found.manifest, rules, gate)
    gated = Gate(gate, junit, markdown)
    gated.check(asked)
    summary = conclude(directory, asked, _other(found, since, beside))
    gated.write(summary)
    if as_json:
        typer.echo(json.dumps(summary, indent=1))
    else:
        terminal.show(open_result(directory).manifest, summary, str(directory / "report.html"))
    if gate and (code := gated.exit_code(summary)):
        raise typer.Exit(code)


def _other(found: Result, since: Path | None, beside: Path | None) -> dict[str, Any] | None:  # Any: JSON values
    if since is not None and beside is not None:
        raise UsageError("--since and --beside don't go together: make the page twice, with one of them each")
    if since is not None:
        return checked_comparison(open_result(since), found)
    return None if beside is None else side_by_side(found, open_result(beside))


def _rules(manifest: dict[str, Any], file: Path | None, gate: bool) -> Sequence[Asked]:  # Any: JSON values
    """Those of `file`, else the result's own, else, to be judged at all, the defaults."""
    if manifest.get("faults") and (gate or file):
        raise UsageError("rules judge windows without faults, and this result has faults: judge another one")
    ids = tuple(arm["id"] for arm in manifest["arms"])
    arms = Arms(ids, manifest["reference"], lambda text: _by_features(text, ids), replaced=False)
    if file is not None:
        return read_rules(file, arms)
    return asked_in(manifest) or (default_rules(arms) if gate else ())


def _by_features(text: str, ids: Sequence[str]) -> str:
    """The arm of the result that has the same features in whatever order; meshes needn't be installed to judge a result."""
    return next((each for each in ids if _parts(each) == _parts(text)), text)


def _parts(arm: str) -> tuple[str, frozenset[str], str]:
    mesh, _, rest = arm.strip().partition("[")
    features, _, variant = rest.partition("]")
    return mesh, frozenset(filter(None, features.split(","))), variant
