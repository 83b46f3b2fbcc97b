"""`builtin@PATH`: a mesh of another checkout of hoptax as an arm beside our own, under this harness.

The adapter of that tree is imported apart from ours, because it alone knows what its programs read; its modules may import only what
this harness has, at import time. Its programs are started with that tree first on their import path. Application, probes, load and the
authority of certificates are this tree's, for all arms alike. In results it goes by version and digest, never by the path.
"""

import importlib
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import cast

from harness.model.errors import UsageError
from harness.model.mesh import API_VERSION, FEATURES, Mesh, PlatformFacts, Support, Traffic
from harness.model.plan import Plan
from harness.model.program import Program
from harness.model.topology import Topology
from harness.platforms.programs import digest_of, version_of_tree

DIGITS = 8


@dataclass(slots=True, eq=False)
class CheckoutMesh:
    """A Mesh: the adapter of another tree, with those of its programs that lie in `package` started from `root`."""

    name: str
    api: int
    capabilities: Mapping[str, Support]
    programs: tuple[Program, ...]
    adapter: Mesh
    package: str
    root: Path

    def plan(self, topology: Topology, features: frozenset[str], traffic: Traffic, platform: PlatformFacts) -> Plan:
        """The other tree's plan; UsageError if it was written for another harness."""
        try:
            plan = self.adapter.plan(topology, features, traffic, platform)
        except (AttributeError, TypeError, LookupError) as error:
            raise _unfit(self.root, error) from error
        return replace(plan, units=tuple(replace(unit, program=self._moved(unit.program)) for unit in plan.units))

    def _moved(self, program: Program) -> Program:
        return moved(program, self.package, self.root)


def moved(program: Program, package: str, root: Path) -> Program:
    """The program of that tree, if it is one of the package's."""
    own = program.module == package or program.module.startswith(f"{package}.")
    return replace(program, root=str(root)) if own else program


def checkout(name: str, module: str, path: str) -> Mesh:
    """The mesh `name`, whose adapter is `module` (`meshes.builtin.plan`), as the checkout at `path` has it."""
    root = Path(path).expanduser().resolve()
    file = root.joinpath(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        raise UsageError(
            f"{path!r} is no checkout with mesh {name!r}: it has no {file.relative_to(root)}; write {name}@PATH, PATH being the folder "
            "of another hoptax tree"
        )
    return _checkout(name, module, root)


@cache
def _checkout(name: str, module: str, root: Path) -> Mesh:
    adapter = cast("Mesh", _imported(module, root))
    package = module.rpartition(".")[0]
    if getattr(adapter, "api", None) != API_VERSION:
        raise _unfit(root, f"adapter API {getattr(adapter, 'api', None)}, this hoptax has {API_VERSION}")
    version = re.sub(r"[^A-Za-z0-9.]", ".", version_of_tree(root))
    folder = root.joinpath(*package.split("."))
    return CheckoutMesh(
        name=f"{name}@{version}-{digest_of(folder)[:DIGITS]}",
        api=adapter.api,
        capabilities={feature: adapter.capabilities.get(feature, "unsupported") for feature in FEATURES},
        programs=tuple(moved(program, package, root) for program in adapter.programs),
        adapter=adapter,
        package=package,
        root=root,
    )


def _imported(module: str, root: Path) -> ModuleType:
    try:
        with _apart(module.split(".", maxsplit=1)[0], root):
            return importlib.import_module(module)
    except (ImportError, AttributeError, NameError, TypeError, SyntaxError) as error:
        raise _unfit(root, error) from error


@contextmanager
def _apart(top: str, root: Path) -> Iterator[None]:
    """Inside, package `top` is the tree's; after, it is ours again, and both are in use."""
    ours = {name: module for name, module in sys.modules.items() if name == top or name.startswith(f"{top}.")}
    wrote = sys.dont_write_bytecode
    for name in ours:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.dont_write_bytecode = wrote
        sys.path.remove(str(root))
        for name in [name for name in sys.modules if name == top or name.startswith(f"{top}.")]:
            del sys.modules[name]
        sys.modules.update(ours)


def _unfit(root: Path, why: object) -> UsageError:
    return UsageError(f"the mesh of {root} doesn't fit this harness: {why}; use a tree of about the same age")
