"""`command:` of a topology file → Command: split into words, checked, found on this machine. It runs nothing."""

import hashlib
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.model import command
from harness.model.errors import UsageError
from harness.model.topology import Command, Service

VARIABLE = r"^[A-Za-z_][A-Za-z0-9_]*$"


def split_words(line: str) -> list[str]:
    """A line as a shell would split it; no shell is ever run. ValueError if a quote isn't closed."""
    try:
        return shlex.split(line)
    except ValueError as error:
        raise ValueError(f"{line!r} can't be split into words: {error}") from error


def own_command(
    words: Sequence[str], environment: Mapping[str, str], ready: str, folder: Path, callees: frozenset[str]
) -> Command:
    """The command as it will run in `folder`, the topology file's; UsageError if it can't.

    Its digests cover the files that its words name, so that results of two versions of it are known as unlike.
    """
    if not words or not words[0]:
        raise UsageError("it is empty: write the program and its arguments, e.g. [python3, web.py, '{port}']")
    if ready and not ready.startswith("/"):
        raise UsageError(f"ready: {ready!r} is no path: write e.g. /healthz, or leave it out to wait for the port")
    _find(words[0], folder)
    found = Command(
        tuple(words), tuple(environment.items()), ready, str(folder.absolute()), tuple(_digests(words, folder))
    )
    command.check(found, callees)
    return found


def limits(services: Sequence[Service]) -> Iterator[str]:
    """What can't be measured at programs of the user's own, and what of their calls isn't in our hands; for people."""
    own = [service for service in services if service.command is not None]
    called = {call.service for service in services if service.command is None for call in service.calls()}
    shaped = [s.name for s in own if any(call.request_bytes or call.probability < 1 for call in s.calls())]
    for names, told in (
        ([s.name for s in own if s.name in called], "is only timed as a whole, unless it answers with x-hoptax-stamps"),
        ([s.name for s in own if s.script], "makes its calls itself: they are not timed"),
        (shaped, "makes its calls itself: request and probability have no effect on them"),
    ):
        if names:
            yield f"{', '.join(names)}: a program of your own {told}"


def _find(program: str, folder: Path) -> None:
    place = str(folder / program) if "/" in program else program
    if shutil.which(place) is not None:
        return
    if "/" in program and Path(place).is_file():
        raise UsageError(
            f"{program!r} may not be executed: chmod +x it, or name its interpreter, e.g. python3 {program}"
        )
    where = f"in {folder}" if "/" in program else "on PATH"
    raise UsageError(f"there is no program {program!r} {where}: install it, or write its path relative to this file")


def _digests(words: Sequence[str], folder: Path) -> Iterator[tuple[str, str]]:
    for word in dict.fromkeys(words):
        path = folder / word
        if "\0" not in word and path.is_file():
            yield word, hashlib.sha256(path.read_bytes()).hexdigest()[:16]
