"""Finds meshes, faults, services and workload folders by entry point: ours like anybody's. Nothing else imports them by name."""

import re
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import cast

from harness.checkouts import checkout
from harness.model.errors import UsageError, unknown
from harness.model.fault import FAULT_API, FaultKind
from harness.model.mesh import API_VERSION, FEATURES, REQUIRED, Arm, Mesh
from harness.model.program import Program

_ARM = re.compile(r"(?P<mesh>[a-z][a-z0-9-]*)(?:@(?P<checkout>[^\[\]]+))?(?:\[(?P<features>[a-z0-9,-]*)\])?")


def _points(group: str) -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=f"hoptax.{group}")}


def mesh_names() -> tuple[str, ...]:
    """Every mesh that is installed, sorted."""
    return tuple(sorted(_points("meshes")))


@cache
def mesh(name: str) -> Mesh:
    """The adapter of that name; UsageError if there is none or it was written for another API version."""
    points = _points("meshes")
    if name not in points:
        raise unknown("mesh", name, mesh_names())
    adapter = cast("Mesh", points[name].load())
    if adapter.api != API_VERSION:
        raise UsageError(
            f"mesh {name!r} is written for adapter API {adapter.api}, this hoptax has {API_VERSION}: update one of them"
        )
    return adapter


def mesh_of(name: str, path: str) -> Mesh:
    """The mesh as another checkout of hoptax has it, see harness.checkouts."""
    mesh(name)
    return checkout(name, _points("meshes")[name].value, path)


def arm(text: str) -> Arm:
    """`mesh`, `mesh[feature,…]` or `mesh@PATH[feature,…]` as an arm. Features that the mesh always has are added, so equal arms get equal ids."""
    match = _ARM.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"arm {text!r} can't be read: write mesh or mesh[feature,feature], e.g. builtin[mtls]")
    adapter = mesh_of(match["mesh"], match["checkout"]) if match["checkout"] else mesh(match["mesh"])
    asked = frozenset(filter(None, (match["features"] or "").split(",")))
    for feature in sorted(asked):
        if feature not in FEATURES:
            raise unknown("feature", feature, FEATURES)
        if adapter.capabilities[feature] == "unsupported":
            can = sorted(name for name, support in adapter.capabilities.items() if support != "unsupported")
            raise UsageError(
                f"mesh {adapter.name!r} has no {feature!r}: it can do {', '.join(can) or 'nothing beyond carrying traffic'}"
            )
        if (needed := REQUIRED.get(feature)) and needed not in asked and adapter.capabilities[needed] != "always":
            raise UsageError(
                f"feature {feature!r} needs {needed!r}: write {adapter.name}[{','.join(sorted({*asked, needed}))}]"
            )
    always = frozenset(name for name, support in adapter.capabilities.items() if support == "always")
    return Arm(adapter, asked | always)


def mesh_images() -> dict[str, str]:
    """The image in which a cluster has a program of a mesh's own, by the program's name."""
    every = (program for name in mesh_names() for program in mesh(name).programs)
    return {program.name: program.image for program in every if program.image}


def fault_names() -> tuple[str, ...]:
    """Every kind of fault that is installed, sorted."""
    return tuple(sorted(_points("faults")))


@cache
def fault_kind(name: str) -> FaultKind:
    """The kind of fault of that name; UsageError if there is none or it was written for another API version."""
    points = _points("faults")
    if name not in points:
        raise unknown("fault", name, fault_names())
    kind = cast("FaultKind", points[name].load())
    if kind.api != FAULT_API:
        raise UsageError(
            f"fault {name!r} is written for fault API {kind.api}, this hoptax has {FAULT_API}: update one of them"
        )
    return kind


@cache
def service_program(name: str = "fanout") -> Program:
    """The program of a service kind; `fanout` is the application that topologies use unless they bring their own."""
    points = _points("services")
    if name not in points:
        raise unknown("service program", name, points)
    return cast("Program", points[name].load().PROGRAM)


_SUFFIXES = {"topologies": ".yaml", "experiments": ".yaml", "users": ".py"}
_NOUNS = {
    "topologies": ("topology", "a YAML file"),
    "experiments": ("experiment", "a YAML file"),
    "users": ("workload", "a locustfile"),
}


def workload_files(kind: str) -> dict[str, Path]:
    """Every such file of the installed workload packages, by stem; `kind` is the folder: topologies, experiments or users."""
    found: dict[str, Path] = {}
    for folder in _workload_folders():
        for path in sorted((folder / kind).glob(f"[!_]*{_SUFFIXES[kind]}")):
            found.setdefault(path.stem, path)
    return found


def find_file(kind: str, name: str) -> Path:
    """The shipped file of that name, or a path that exists; `kind` as for `workload_files`."""
    shipped = workload_files(kind)
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.is_file():
        return path
    noun, file = _NOUNS[kind]
    raise UsageError(f"unknown {noun} {name!r}: have {', '.join(sorted(shipped))}, or give the path of {file}")


def _workload_folders() -> Iterable[Path]:
    for point in _points("workloads").values():
        module = import_module(point.value)
        yield from (Path(folder) for folder in module.__path__)
