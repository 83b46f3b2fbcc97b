"""Results on disk: what is written is what is read, by schema, whatever is damaged, newer, cut off or full."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pytest
from pyarrow import parquet

from harness.analysis.summary import summarise
from harness.load.rows import COLUMNS, ERROR_KINDS, Rows
from harness.model.errors import EnvironmentFailure, UsageError
from harness.store import Result, ResultDir, create, open_result, read_rows, write_rows
from tests.analysis import synthetic
from tests.test_atomic import files_of_at_most

UTC_STAMP = datetime(2026, 11, 23, 10, 15, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def measured() -> synthetic.Synthetic:
    return synthetic.result(rounds=2, rows=200)


@pytest.fixture
def written(tmp_path: Path, measured: synthetic.Synthetic) -> ResultDir:
    directory = create(tmp_path, "quick", UTC_STAMP, "3f2a")
    directory.write_manifest(measured.manifest)
    for run in measured.runs:
        directory.write_run(run, measured.rows(run.id))
    return directory


def same(first: Rows, second: Rows) -> bool:
    return (first.run_id, first.names) == (second.run_id, second.names) and all(
        np.array_equal(getattr(first, name), getattr(second, name)) and getattr(second, name).dtype == COLUMNS[name]
        for name in COLUMNS
    )


def test_a_result_is_named_after_experiment_and_time(tmp_path: Path) -> None:
    paris = UTC_STAMP.astimezone(timezone(timedelta(hours=1)))
    assert create(tmp_path / "results", "quick", paris, "3f2a").path.name == "quick-20261123T101500Z-3f2a"


def test_what_is_written_is_what_is_read(written: ResultDir, measured: synthetic.Synthetic) -> None:
    result = open_result(written.path)
    assert result.runs == measured.runs
    assert {key: result.manifest[key] for key in measured.manifest} == measured.manifest
    assert all(same(result.rows(run.id), measured.rows(run.id)) for run in result.runs)


def test_a_summary_from_disk_is_the_one_from_memory(written: ResultDir, measured: synthetic.Synthetic) -> None:
    summary = summarise(open_result(written.path))
    written.write_summary(summary)
    assert open_result(written.path).summary()["estimates"] == summarise(measured)["estimates"]


@pytest.mark.parametrize("kind", ["manifest", "run", "summary"])
def test_files_are_what_their_schemas_say(written: ResultDir, kind: str) -> None:
    written.write_summary(summarise(open_result(written.path)))
    schema = json.loads((files("harness.schemas") / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    paths = list((written.path / "runs").glob("*.json")) if kind == "run" else [written.path / f"{kind}.json"]
    assert paths
    for path in paths:
        document = json.loads(path.read_text())
        jsonschema.validate(document, schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, "kind": "other"}, schema)


def test_other_files_of_a_result(written: ResultDir) -> None:
    written.write_text("report.html", "<p>µ")
    assert (written.path / "report.html").read_text(encoding="utf-8") == "<p>µ"


# -- rows --------------------------------------------------------------------------------------------------------------


def test_rows_are_readable_by_anybody(tmp_path: Path) -> None:
    """Text instead of our numbers, nulls instead of our zeros."""
    rows = synthetic.request_rows("r1", np.full(100, 1_000_000), unanswered=10)
    write_rows(tmp_path / "r1.parquet", rows)
    frame = parquet.read_table(tmp_path / "r1.parquet").to_pandas()
    assert list(frame.columns) == ["run_id", *COLUMNS]
    assert set(frame["phase"]) == {"warmup", "window"}
    assert list(frame["error_kind"][-5:]) == ["timeout"] * 5
    assert frame["done"].isna().sum() == 10
    assert (frame["run_id"] == "r1").all()
    assert parquet.ParquetFile(tmp_path / "r1.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


def test_no_rows_are_rows_too(tmp_path: Path) -> None:
    rows = synthetic.request_rows("r1", np.full(100, 1_000_000))
    none = rows.select(np.zeros(len(rows), bool))
    write_rows(tmp_path / "x.parquet", none)
    assert same(read_rows(tmp_path / "x.parquet"), none)


def test_every_error_kind_survives(tmp_path: Path) -> None:
    rows = synthetic.request_rows("r1", np.full(100, 1_000_000))
    kinds = (np.arange(len(rows)) % len(ERROR_KINDS)).astype(np.uint8)
    write_rows(tmp_path / "x.parquet", replace(rows, error_kind=kinds))
    assert np.array_equal(read_rows(tmp_path / "x.parquet").error_kind, kinds)


def test_columns_of_later_versions_are_passed_over(written: ResultDir, measured: synthetic.Synthetic) -> None:
    run = measured.runs[0]
    path = written.path / "runs" / f"{run.id}.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.append_column("later", pa.array(["?"] * len(table))), path)
    assert same(read_rows(path), measured.rows(run.id))


def drop_column(path: Path) -> None:
    table = parquet.read_table(path).drop_columns(["due"])
    parquet.write_table(table, path)


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 3] ^= 0xFF
    path.write_bytes(data)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:1000])


def unknown_text(path: Path) -> None:
    table = parquet.read_table(path)
    column = pa.array(["lunch"] * len(table)).dictionary_encode()
    parquet.write_table(table.set_column(table.column_names.index("phase"), "phase", column), path)


def strangers(path: Path) -> None:
    parquet.write_table(pa.table({"a": [1]}), path)


@pytest.mark.parametrize("damage", [drop_column, flip_a_byte, cut_off, unknown_text, strangers])
def test_damaged_rows_are_named(written: ResultDir, damage: Callable[[Path], None]) -> None:
    run_id = open_result(written.path).runs[0].id
    damage(written.path / "runs" / f"{run_id}.parquet")
    with pytest.raises(UsageError, match=rf"{run_id}\.parquet is damaged: ") as caught:
        open_result(written.path).rows(run_id)
    assert len(str(caught.value).splitlines()) <= 2


def test_rows_that_are_gone(written: ResultDir) -> None:
    run_id = open_result(written.path).runs[0].id
    (written.path / "runs" / f"{run_id}.parquet").unlink()
    with pytest.raises(UsageError, match=rf"{run_id}\.parquet is gone"):
        open_result(written.path).rows(run_id)


def test_rows_of_a_newer_schema(written: ResultDir) -> None:
    path = next((written.path / "runs").glob("*.parquet"))
    table = parquet.read_table(path)
    about = json.loads(table.schema.metadata[b"hoptax"]) | {"schema": 2}
    parquet.write_table(table.replace_schema_metadata({b"hoptax": json.dumps(about)}), path)
    with pytest.raises(UsageError, match="rows schema 2, this hoptax reads up to 1: read it with a newer hoptax"):
        read_rows(path)


# -- damaged and newer documents ---------------------------------------------------------------------------------------


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def a_run(directory: ResultDir) -> Path:
    return min((directory.path / "runs").glob("*.json"))


def test_unknown_keys_are_passed_over(written: ResultDir, measured: synthetic.Synthetic) -> None:
    edit(a_run(written), lambda run: run.update(later=1) or run["load"].update(later=2))
    edit(written.path / "manifest.json", lambda manifest: manifest.update(later=1))
    assert open_result(written.path).runs == measured.runs


@pytest.mark.parametrize("name", ["manifest.json", "run"])
def test_a_newer_schema_names_both_numbers(written: ResultDir, name: str) -> None:
    path = a_run(written) if name == "run" else written.path / name
    edit(path, lambda document: document.update(schema=7))
    with pytest.raises(
        UsageError, match=rf"{path.name} has .* schema 7, this hoptax reads up to 1: read it with a newer"
    ):
        open_result(written.path)


@pytest.mark.parametrize("text", ["", "{", '{"kind": "run"', "[]", '{"kind": "manifest"}', "\x00\xff"])
def test_damaged_documents_are_named(written: ResultDir, text: str) -> None:
    for path in (a_run(written), written.path / "manifest.json"):
        path.write_text(text, encoding="latin-1")
        with pytest.raises(UsageError, match=rf"{path.name} is damaged: "):
            open_result(written.path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.pop("arm"), "arm is missing"),
        (lambda run: run.update(round="one"), "round: 'one' is no whole number"),
        (lambda run: run["hops"][0]["elapsed"].update(x=1), r"hops\.0\.elapsed: 'x' is no whole number"),
        (lambda run: run["hops"][0].update(sums_ns={}), "sums_ns lacks"),
        (lambda run: run["units"][0].update(elapsed_ns=0), "no length"),
        (lambda run: run.update(window_end_ns=0), "no length"),
        (lambda run: run["units"][0]["idle"].clear(), "idle or loaded lacks"),
        (lambda run: run.update(rows="../../etc/passwd"), "is no file name"),
    ],
)
def test_a_run_that_can_t_be_is_damaged(
    written: ResultDir, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(a_run(written), change)
    with pytest.raises(UsageError, match=message):
        open_result(written.path)


def test_a_folder_that_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no result: it has no manifest\.json"):
        open_result(tmp_path)


# -- what goes wrong while writing -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fails", ["rows", "record"])
def test_a_full_disk_loses_nothing_that_was_measured(tmp_path: Path, measured: synthetic.Synthetic, fails: str) -> None:
    directory = create(tmp_path, "quick", UTC_STAMP, "1")
    directory.write_manifest(measured.manifest)
    first, second = measured.runs[:2]
    directory.write_run(first, measured.rows(first.id))
    sizes = [(directory.path / "runs" / f"{first.id}.{suffix}").stat().st_size for suffix in ("parquet", "json")]
    assert sizes[0] < sizes[1]
    room = sizes[0] // 2 if fails == "rows" else sum(sizes) // 2
    with files_of_at_most(room), pytest.raises(EnvironmentFailure, match="can't be written"):
        directory.write_run(second, measured.rows(second.id))
    assert (directory.path / "runs" / f"{second.id}.parquet").exists() is (fails == "record")
    result = open_result(directory.path)
    assert result.runs == (first,)
    assert same(result.rows(first.id), measured.rows(first.id))


def test_a_result_cut_off_between_rows_and_record_has_the_runs_before(
    written: ResultDir, measured: synthetic.Synthetic
) -> None:
    """As after kill -9: rows without their record, and a file that has no name yet."""
    last = measured.runs[-1]
    record = written.path / "runs" / f"{last.id}.json"
    record.rename(record.with_name(f".writing-0123-{record.name}"))
    result = open_result(written.path)
    assert result.runs == measured.runs[:-1]
    assert summarise(result)["rounds"][0]["valid"] == [1]


@pytest.mark.parametrize("root", ["/proc/hoptax", "file"])
def test_a_folder_that_can_t_be_made(tmp_path: Path, root: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EnvironmentFailure, match="can't be written"):
        create(tmp_path / root, "quick", UTC_STAMP, "1")


def test_a_result_is_never_overwritten(tmp_path: Path) -> None:
    create(tmp_path, "quick", UTC_STAMP, "1")
    with pytest.raises(UsageError, match="exists already"):
        create(tmp_path, "quick", UTC_STAMP, "1")


@pytest.mark.parametrize("bad", ["", "../x", "a/b", ".hidden", "a b", "x" * 201])
def test_names_stay_inside_the_folder(tmp_path: Path, measured: synthetic.Synthetic, bad: str) -> None:
    directory = create(tmp_path, "quick", UTC_STAMP, "1")
    run = measured.runs[0]
    with pytest.raises(UsageError, match="allowed are letters"):
        directory.write_run(replace(run, id=bad), measured.rows(run.id))
    with pytest.raises(UsageError, match="allowed are letters"):
        directory.write_text(bad, "")
    with pytest.raises(UsageError, match="allowed are letters"):
        create(tmp_path, bad, UTC_STAMP, "1")
    assert not list((directory.path / "runs").iterdir())


def test_a_number_that_is_none_is_never_written(written: ResultDir) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        written.write_summary({"estimate": float("nan")})
    assert not (written.path / "summary.json").exists()


def test_an_open_result_is_what_the_summary_takes(written: ResultDir) -> None:
    assert isinstance(open_result(written.path), Result)
