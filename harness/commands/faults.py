"""`hoptax fault`: what can be done to a running mesh."""

import json
from typing import Annotated

import typer

from harness import registry

fault = typer.Typer(no_args_is_help=True, help="Faults that an experiment can inject.  Example: hoptax fault list")


@fault.callback()
def _root() -> None:
    """Faults that an experiment can inject.  Example: hoptax fault list"""


@fault.command("list")
def list_faults(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the kinds of faults: what each does, what it is aimed at, what must be seen of it.  Example: hoptax fault list"""
    kinds = [registry.fault_kind(name) for name in registry.fault_names()]
    rows = [
        {
            "name": kind.name,
            "about": kind.about,
            "target": kind.target,
            "must_see": list(kind.must_see),
            "params": {name.removesuffix("_s"): value for name, value in kind.defaults.items()},
        }
        for kind in kinds
    ]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for kind in kinds:
        typer.echo(f"{kind.name}: {kind.about}")
        typer.echo(f"  target: {kind.target}")
        typer.echo(f"  counts only if seen: {', '.join(kind.must_see)}")
        for name, value in kind.defaults.items():
            typer.echo(f"  params: {name.removesuffix('_s')} (default {value:g} s)")
