"""The mesh's file: what counts as a change, and what becomes of a bad one."""

import json
import os
from pathlib import Path

import pytest

from meshes.builtin.control.follow import MAX_FILE_BYTES, NOTHING, read_file, stamp, take
from meshes.builtin.control.state import State
from meshes.builtin.snapshot import SnapshotError
from tests.meshes.builtin.control.inputs import document, inputs, move_b


def test_a_file_written_anew_in_the_same_instant_is_a_change(tmp_path: Path) -> None:
    path, other = tmp_path / "mesh.json", tmp_path / "new"
    for each in (path, other):
        each.write_text("{}")
        os.utime(each, ns=(1, 1))
    before = stamp(path)
    other.rename(path)

    assert stamp(path) != before


def test_no_file_is_no_stamp(tmp_path: Path) -> None:
    assert stamp(tmp_path / "mesh.json") == NOTHING


def test_a_good_file_is_obeyed_and_a_bad_one_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, state = tmp_path / "mesh.json", State(inputs())
    before = dict(state.snapshots)

    path.write_text("{")
    take(path, state)
    assert "not JSON" in state.input_error
    assert "the last good configuration stays" in capsys.readouterr().err
    assert state.snapshots == before

    path.write_text(json.dumps(document(move_b)))
    take(path, state)
    assert state.input_error == ""
    assert {name for name in before if state.snapshots[name] != before[name]} == {"a-0"}


@pytest.mark.parametrize("content", [b"\xff", b" " * (MAX_FILE_BYTES + 1), None], ids=["bytes", "long", "none"])
def test_a_file_that_cant_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "mesh.json").write_bytes(content)
    with pytest.raises(SnapshotError, match="the mesh's file"):
        read_file(tmp_path / "mesh.json")
