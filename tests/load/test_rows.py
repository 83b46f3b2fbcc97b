"""Rows: columns that fit together, the raw file there and back, and what is said of a damaged one."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.load.rows import COLUMNS, ERROR_KINDS, PHASES, Rows, from_columns, read_raw, write_raw
from harness.model.errors import UsageError


def columns(count: int, **given: list[int]) -> dict[str, NDArray[Any]]:
    return {name: np.array(given.get(name, [0] * count), kind) for name, kind in COLUMNS.items()}


def sample() -> Rows:
    window, timeout = PHASES.index("window"), ERROR_KINDS.index("timeout")
    given = columns(
        4, due=[1, 2, 3, 4], done=[5, 6, 0, 9], phase=[0, window, window, window], error_kind=[0, 1, 0, timeout]
    )
    return from_columns("r1", ("GET /",), given)


def raw_file(path: Path, rows: Rows) -> Path:
    with path.open("wb") as file:
        views = {name: memoryview(getattr(rows, name).tobytes()) for name in COLUMNS}
        write_raw(file, rows.run_id, rows.names, len(rows), views)
    return path


def test_a_raw_file_gives_back_every_column(tmp_path: Path) -> None:
    rows, back = sample(), read_raw(raw_file(tmp_path / "rows", sample()))
    assert (back.run_id, back.names) == (rows.run_id, rows.names)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(back, name), getattr(rows, name))


def test_no_rows_are_rows_too(tmp_path: Path) -> None:
    assert len(read_raw(raw_file(tmp_path / "rows", from_columns("r", (), columns(0))))) == 0


def test_a_status_is_an_answer_and_a_timeout_or_no_end_is_not() -> None:
    rows = sample()
    assert rows.answered.tolist() == [True, True, False, False]
    assert rows.window().due.tolist() == [2, 3, 4]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-1], "are damaged: .* bytes of columns"),
        (lambda data: data + b"x", "are damaged: .* bytes of columns"),
        (lambda data: b"\x00" + data, "don't open with a line of JSON"),
        (lambda data: b"{}\n" + data, "no file of rows"),
        (lambda data: data.replace(b'"schema": 1', b'"schema": 9'), "schema 9, this hoptax reads up to 1"),
        (lambda data: data.replace(b'"count"', b'"c"'), "header has no usable 'count'"),
        (lambda data: data.replace(b'"count": 4', b'"count": -4'), "are damaged"),
        (lambda data: data.replace(b'"<i4"', b'"<f3"'), "header has no usable"),
        (lambda data: b"", "don't open with a line of JSON"),
    ],
)
def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path, damage: Any, message: str) -> None:
    path = raw_file(tmp_path / "rows", sample())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UsageError, match=message) as refusal:
        read_raw(path)
    assert str(path) in str(refusal.value)


def test_a_column_that_is_missing_or_of_another_length_is_refused() -> None:
    given = columns(2)
    with pytest.raises(UsageError, match="lack the columns done"):
        from_columns("r", (), {name: array for name, array in given.items() if name != "done"})
    with pytest.raises(UsageError, match="different shapes"):
        from_columns("r", (), given | {"done": np.zeros(3, np.int64)})


def test_a_number_no_table_explains_is_refused() -> None:
    with pytest.raises(UsageError, match="error_kind 200"):
        from_columns("r", ("GET /",), columns(1, error_kind=[200]))


def test_the_header_names_its_tables_so_that_others_can_read_it(tmp_path: Path) -> None:
    line = raw_file(tmp_path / "rows", sample()).read_bytes().partition(b"\n")[0]
    header = json.loads(line)
    assert header["phases"] == list(PHASES)
    assert header["error_kinds"] == list(ERROR_KINDS)
