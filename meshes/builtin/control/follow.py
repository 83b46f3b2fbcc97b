"""Follows the mesh's file: read again when it changes; one that is wrong is refused and told, and the last good one stays."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from meshes.builtin.control.model import Inputs, read
from meshes.builtin.control.state import State
from meshes.builtin.snapshot import SnapshotError

LOOK_EVERY_S = 0.2
"""By the file's time, size and number: unlike notifications it works on every file system, and costs one call five times a second."""

MAX_FILE_BYTES = 16 * 1024 * 1024

Stamp = tuple[int, int, int]
NOTHING: Stamp = (0, 0, 0)


def read_file(path: Path) -> Inputs:
    """The inputs in a file; SnapshotError says what is wrong with it."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
        if len(content) > MAX_FILE_BYTES:
            raise SnapshotError(f"the mesh's file is longer than {MAX_FILE_BYTES} bytes")
        return read(content.decode())
    except (OSError, UnicodeDecodeError) as error:
        raise SnapshotError(f"the mesh's file can't be read: {error}") from error


async def follow(path: Path, state: State, seen: Stamp) -> None:
    """For ever. `seen` is the stamp from before the first reading."""
    async for _ in changes(path, seen):
        take(path, state)


def take(path: Path, state: State) -> None:
    """Obey the file, or say why not."""
    try:
        state.update(read_file(path))
    except SnapshotError as error:
        state.input_error = str(error)
        print(f"control: refused, the last good configuration stays: {error}", file=sys.stderr)


async def changes(path: Path, seen: Stamp) -> AsyncIterator[Stamp]:
    """Each new stamp. A file that is away for a moment (an editor replaces it) is no change."""
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        now = stamp(path)
        if now not in (seen, NOTHING):
            seen = now
            yield now


def stamp(path: Path) -> Stamp:
    """What changes when the file does; NOTHING without a file."""
    try:
        found = path.stat()
    except OSError:
        return NOTHING
    return found.st_mtime_ns, found.st_size, found.st_ino
