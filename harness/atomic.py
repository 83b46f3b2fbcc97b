"""Files that are there whole or not at all, whatever happens while they are written. Knows nothing of what is in them."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from harness.model.errors import EnvironmentFailure

TEMPORARY = ".writing-"
"""Start of the names of files that are not whole yet; readers pass over them."""


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Let `write` fill a file beside `path`, flush it to the disk, then give it its name.

    A reader sees the old file or the new one. Raises EnvironmentFailure when the folder can't be written or the disk is
    full; what was there before is untouched.
    """
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        with temporary.open("xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> EnvironmentFailure:
    """The failure to write `path`, as it is told to people."""
    reason = error.strerror or str(error)
    return EnvironmentFailure(
        f"{path} can't be written: {reason}; what was written before is whole. Free space or allow writing there, or choose "
        "another folder with --out"
    )


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
