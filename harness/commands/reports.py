"""`hoptax report`: table and page again, from files alone."""

import json
from pathlib import Path
from typing import Annotated

import typer

from harness.report import terminal
from harness.runner import conclude
from harness.store import open_result


def report(
    directory: Annotated[Path, typer.Argument(help="A result's folder, e.g. results/quick-20261123T101500Z-3f2a.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print summary.json instead of the table.")] = False,
) -> None:
    """Rebuild summary.json and report.html of a result.  Example: hoptax report results/quick-20261123T101500Z-3f2a"""
    summary = conclude(directory)
    if as_json:
        typer.echo(json.dumps(summary, indent=1))
        return
    terminal.show(open_result(directory).manifest, summary, str(directory / "report.html"))
