"""Finds the programs that plans name, on this machine, and says what they are (version, digest)."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path

from harness.model.errors import EnvironmentFailure
from harness.model.program import Program

VERSION_WITHIN_S = 10


def command(program: Program) -> tuple[str, ...]:
    """The words that start it, without arguments. EnvironmentFailure with the program's own hint if it is missing."""
    if program.module:
        if not _is_there(program):
            raise _missing(program)
        return (sys.executable, *program.flags, *_bytecode_cache(program), "-m", program.module)
    return (str(_file(program)),)


def import_folder(program: Program) -> Path | None:
    """The folder in which to start it, since Python's `-m` looks there first; None if any will do."""
    return Path(program.root) if program.root else None


def _is_there(program: Program) -> bool:
    if not program.root:
        return _module_file(program.module) is not None
    path = Path(program.root).joinpath(*program.module.split("."))
    return (path / "__main__.py").is_file() or path.with_suffix(".py").is_file()


def _bytecode_cache(program: Program) -> tuple[str, ...]:
    """A writable place for byte code of the rare kind that `-OO` makes.

    A distribution's Python ships none of it and a user can't add any: every start would compile the standard library again,
    for half a second and five megabytes.
    """
    if "-OO" not in program.flags or not os.access(sys.prefix, os.W_OK):
        return ()
    return ("-X", f"pycache_prefix={Path(sys.prefix) / 'var' / 'pycache'}")


def describe(program: Program) -> dict[str, str]:
    """Name, version and digest (of its file, or of all Python files of its package), without a path of this machine."""
    path = _package_folder(program) if program.module else _file(program)
    return {"name": program.name, "version": _version(program), "digest": digest_of(path)}


def _file(program: Program) -> Path:
    found = _distributed(program) if program.distribution else None
    found = found or _on_path(program.name)
    if found is None:
        raise _missing(program)
    return found


def _distributed(program: Program) -> Path | None:
    """A file of an installed wheel, through its own record: two wheels may share a package name, so no import is tried."""
    try:
        files = metadata.files(program.distribution) or ()
    except metadata.PackageNotFoundError:
        return None
    located = (Path(str(file.locate())) for file in files if str(file) == program.file)
    return next((path for path in located if path.is_file()), None)


def _on_path(name: str) -> Path | None:
    found = shutil.which(name)
    return Path(found) if found else None


def _missing(program: Program) -> EnvironmentFailure:
    what = f"module {program.module}" if program.module else f"program {program.name!r}"
    return EnvironmentFailure(
        f"{what} is missing" + (f": {program.hint}" if program.hint else ": install it or put it on PATH")
    )


def _module_file(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return Path(spec.origin) if spec and spec.origin else None


def _package_folder(program: Program) -> Path:
    """The folder of `a.b` for a module `a.b.c`: what lies beside a program is part of it."""
    package = program.module.split(".")[:2]
    if program.root:
        return Path(program.root).joinpath(*package)
    file = _module_file(".".join(package))
    if file is None:
        raise EnvironmentFailure(f"module {program.module} is missing: install the package that has it")
    return file.parent


def version_of_tree(root: Path) -> str:
    """The version that a checkout's pyproject.toml states, `unknown` if it states none."""
    try:
        return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])
    except (OSError, ValueError, LookupError):
        return "unknown"


def _version(program: Program) -> str:
    if program.module:
        return version_of_tree(Path(program.root)) if program.root else metadata.version("hoptax")
    if not program.version_args:
        return ""
    words = (*command(program), *program.version_args)
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=VERSION_WITHIN_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFailure(
            f"program {program.name!r} doesn't tell its version ({error}): is it broken?"
        ) from error
    return _without_path(words[0], " ".join(done.stdout.split()))


def _without_path(path: str, told: str) -> str:
    """Envoy opens its version with its own path, which is nobody's business in a result that is passed on."""
    return told.replace(path, Path(path).name)


@cache
def digest_of(path: Path) -> str:
    """Sixteen hex digits over a file, or over all Python files below a folder."""
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]
