"""`hoptax list`: what is installed, by kind."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from harness import registry

Kind = Literal["arms", "topologies", "workloads", "experiments"]


def list_command(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = "arms",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List what is installed.  Example: hoptax list topologies"""
    rows = _arms() if kind == "arms" else [{"name": name} for name in sorted(_files(kind))]
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        typer.echo(row["name"] + (f"  {row['about']}" if "about" in row else ""))


def _files(kind: str) -> dict[str, Path]:
    return registry.users_files() if kind == "workloads" else registry.workload_files(kind)


def _arms() -> list[dict[str, Any]]:  # Any: JSON values
    rows: list[dict[str, Any]] = []
    for name in registry.mesh_names():
        features = {f: s for f, s in registry.mesh(name).capabilities.items() if s != "unsupported"}
        said = ", ".join(
            feature if support == "optional" else f"{feature} (always)" for feature, support in features.items()
        )
        rows.append({"name": name, "features": features, "about": f"features: {said}" if said else "no mesh"})
    return rows
