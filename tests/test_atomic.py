"""A file is there whole or not at all, and what was there before stays when writing fails."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from harness.atomic import write_atomically
from harness.model.errors import EnvironmentFailure


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The kernel refuses to let any file grow beyond `size` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.json"

    def write(file: BinaryIO) -> None:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        file.write(b" and half")

    write_atomically(path, write)
    assert path.read_bytes() == b"half and half"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(b"old")
    with files_of_at_most(1000), pytest.raises(EnvironmentFailure, match=r"x\.json can't be written: File too large"):
        write_atomically(path, lambda file: file.write(b"n" * 5000))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_what_only_the_flush_finds_out_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def fsync(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(EnvironmentFailure, match=os.strerror(code)):
        write_atomically(tmp_path / "x", lambda file: file.write(b"new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS])
def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_args: object, **_more: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(EnvironmentFailure, match=os.strerror(code)):
        write_atomically(tmp_path / "x", lambda file: file.write(b"new"))


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="No such file or directory"):
        write_atomically(tmp_path / "gone" / "x", lambda file: file.write(b"new"))


def test_a_bug_while_writing_stays_a_bug_and_leaves_no_rest(tmp_path: Path) -> None:
    def write(_file: BinaryIO) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        write_atomically(tmp_path / "x", write)
    assert list(tmp_path.iterdir()) == []
