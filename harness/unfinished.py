"""A result that was cut off, on disk: which of its runs are complete, what has to go before measuring goes on, and who may write."""

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.atomic import TEMPORARY, cannot_write
from harness.model.errors import UsageError
from harness.model.run import Run
from harness.store import MANIFEST, RUNS, Document, read_manifest, read_rows, read_run


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """The right to write into a result's folder, which ends with the process, however it ends; UsageError if another has it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise UsageError(f"{path} is being measured by another hoptax: wait until it has ended") from error
    finally:
        os.close(descriptor)


def begun(path: Path) -> Document | None:
    """The manifest of a result that was cut off; None if that was before it had one. UsageError if the folder is no result."""
    if (path / MANIFEST).is_file():
        return read_manifest(path)
    names = {each.name for each in path.iterdir() if not each.name.startswith(TEMPORARY)} if path.is_dir() else None
    if names != {RUNS} or any((path / RUNS).glob("*.json")):
        raise UsageError(f"{path} can't be resumed: it is no folder that `hoptax run` made and didn't finish")
    return None


def complete(path: Path, planned: Collection[str]) -> dict[str, Run]:
    """By id, the runs whose record and rows are both there and whole; a damaged one is as good as none.

    UsageError for a record that belongs to no planned trial: it would be counted with the others.
    """
    found = {}
    for file in sorted((path / RUNS).glob("*.json")):
        if file.name.startswith(TEMPORARY):
            continue
        if file.stem not in planned:
            raise UsageError(
                f"{file} belongs to no trial of this experiment: remove it, or start anew without --resume"
            )
        if (run := _whole(file)) is not None:
            found[file.stem] = run
    return found


def _whole(file: Path) -> Run | None:
    try:
        run = read_run(file)
        return run if run.id == file.stem and read_rows(file.parent / run.rows).run_id == run.id else None
    except UsageError:
        return None


def clear(path: Path, kept: Collection[str]) -> None:
    """Remove all of `runs/` but the complete runs of these ids, records before rows, so that none is ever without its rows."""
    files = sorted((path / RUNS).iterdir(), key=lambda file: (file.suffix != ".json", file.name))
    try:
        for file in files:
            if file.name.startswith(TEMPORARY) or file.stem not in kept:
                file.unlink()
        for file in path.glob(f"{TEMPORARY}*"):
            with suppress(FileNotFoundError):
                file.unlink()
    except OSError as error:
        raise cannot_write(path, error) from error
