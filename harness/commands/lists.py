"""`hoptax list`: what is installed, by kind. A kind is one line of KINDS."""

import ast
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from shutil import copyfileobj
from typing import Annotated, Any, Literal

import typer

from harness import registry
from harness.atomic import cannot_write, write_atomically
from harness.model.errors import UsageError, unknown
from harness.model.topology import Topology, document
from harness.report.topology_view import standalone
from harness.topologies import find_topology

Kind = Literal["arms", "topologies", "experiments", "workloads", "rules"]
Row = dict[str, Any]  # Any: JSON values

RULES = "harness.model.rules"
"""A module with RULES, a mapping from a rule's name to what it says."""


def list_command(
    kind: Annotated[Kind, typer.Argument(help="What to list.")] = "arms",
    names: Annotated[list[str] | None, typer.Argument(help="Only these; of topologies also YAML files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    svg: Annotated[Path | None, typer.Option(help="Of topologies: draw each into this folder.")] = None,
) -> None:
    """List what is installed.  Example: hoptax list topologies --svg pictures"""
    if svg is not None and kind != "topologies":
        raise UsageError(f"--svg draws topologies, not {kind}: try `hoptax list topologies --svg {svg}`")
    rows = list(KINDS[kind](names or ()))
    for line in [json.dumps(rows, indent=1)] if as_json else _lines(rows):
        typer.echo(line)
    if svg is not None:
        _draw(names or [row["name"] for row in rows], svg)


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    width = max((len(row["name"]) for row in rows), default=0)
    for row in rows:
        yield f"{row['name']:<{width}}  {row['about']}".rstrip()
        yield from (f"{'':<{width}}  note: {note}" for note in row.get("notes", ()))


def _chosen(noun: str, names: Sequence[str], have: Sequence[str]) -> Sequence[str]:
    for name in names:
        if name not in have:
            raise unknown(noun, name, list(have))
    return names or have


def _arms(names: Sequence[str]) -> Iterator[Row]:
    for name in _chosen("mesh", names, registry.mesh_names()):
        features = {f: s for f, s in registry.mesh(name).capabilities.items() if s != "unsupported"}
        said = ", ".join(
            feature if support == "optional" else f"{feature} (always)" for feature, support in features.items()
        )
        yield {"name": name, "features": features, "about": f"features: {said}" if said else "no mesh"}


def _topologies(names: Sequence[str]) -> Iterator[Row]:
    for name in names or sorted(registry.workload_files("topologies")):
        found = find_topology(name)
        yield {
            "name": found.name,
            "services": len(found.services),
            "replicas": sum(service.replicas for service in found.services),
            "hops": len(found.hops()),
            "digest": found.digest,
            "about": f"{_size(found)}. {_comment(registry.find_file('topologies', name))}".strip(),
            "notes": list(found.notes),
        }


def _size(topology: Topology) -> str:
    services, hops = len(topology.services), len(topology.hops())
    replicas = sum(service.replicas for service in topology.services)
    each = f" ({replicas:,} replicas)" if replicas > services else ""
    return f"{services:,} service{'s' * (services != 1)}{each}, {hops:,} hop{'s' * (hops != 1)}"


def _experiments(names: Sequence[str]) -> Iterator[Row]:
    files = registry.workload_files("experiments")
    for name in _chosen("experiment", names, sorted(files)):
        yield {"name": name, "about": _comment(files[name])}


def _workloads(names: Sequence[str]) -> Iterator[Row]:
    files = registry.workload_files("users")
    for name in _chosen("workload", names, sorted(files)):
        told = ast.get_docstring(ast.parse(files[name].read_text(encoding="utf-8"))) or ""
        yield {"name": name, "about": told.partition("\n")[0]}


def _rules(names: Sequence[str]) -> Iterator[Row]:
    rules: Mapping[str, str] = import_module(RULES).RULES if find_spec(RULES) else {}
    for name in _chosen("rule", names, sorted(rules)):
        yield {"name": name, "about": rules[name]}


def _comment(path: Path) -> str:
    """The first line of a file, if it is a comment: by custom it says what the file is for."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.lstrip("# ") if first.startswith("#") else ""


def _draw(names: Sequence[str], folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    for name in names:
        topology = find_topology(name)
        picture = BytesIO(standalone(document(topology)).encode())
        write_atomically(folder / f"{topology.name}.svg", partial(copyfileobj, picture))


KINDS: dict[Kind, Callable[[Sequence[str]], Iterator[Row]]] = {
    "arms": _arms,
    "topologies": _topologies,
    "experiments": _experiments,
    "workloads": _workloads,
    "rules": _rules,
}
