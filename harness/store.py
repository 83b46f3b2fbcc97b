"""A result on disk: what is written, atomically and with schema numbers, and read again, years later. It measures nothing.

`results/<experiment>-<UTC>-<id>/` holds manifest.json, runs/<run id>.json and .parquet, summary.json, report.html. A run
is there when its JSON is; its rows are written before. So a result that was cut off opens with the runs that are complete.
"""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import parquet

from harness.analysis.summary import SUMMARY_SCHEMA
from harness.atomic import TEMPORARY, cannot_write, write_atomically
from harness.load.rows import COLUMNS, ERROR_KINDS, PHASES, Rows, from_columns
from harness.model.errors import UsageError
from harness.model.run import Run
from harness.records import from_json, to_json

MANIFEST_SCHEMA = 1
# 1: experiment, reference, contrasts, arms, topologies, loads, rounds, machine, placement, parity, rendered, comparison_key.

RUN_SCHEMA = 1
# 1: harness.model.run.Run; bucket indices of hops are keys, as text.

ROWS_SCHEMA = 1
# 1: the columns of harness.load.rows; run_id, name, phase and error_kind are text; a stamp of what didn't happen is null.

MANIFEST = "manifest.json"
SUMMARY = "summary.json"
RUNS = "runs"

_ABOUT = b"hoptax"
_STAMPS = ("ready", "sent", "first_byte", "done")
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")

Document = dict[str, Any]
"""A JSON object; Any: JSON values."""


@dataclass(frozen=True, slots=True)
class ResultDir:
    """A result being written. Every method raises EnvironmentFailure when the folder can't be written or the disk is full."""

    path: Path

    def write_manifest(self, document: Mapping[str, Any]) -> None:
        """The manifest, with its kind and schema added."""
        self._write_json(self.path / MANIFEST, {"kind": "manifest", "schema": MANIFEST_SCHEMA, **document})

    def write_run(self, run: Run, rows: Rows) -> None:
        """One trial: its rows first, then its record, which makes the run count."""
        name = f"{_safe('run id', run.id)}.parquet"
        write_rows(self.path / RUNS / name, rows)
        record = to_json(replace(run, rows=name))
        self._write_json(self.path / RUNS / f"{run.id}.json", {"kind": "run", "schema": RUN_SCHEMA, **record})

    def write_summary(self, document: Mapping[str, Any]) -> None:
        """What `summarise` returned."""
        self._write_json(self.path / SUMMARY, document)

    def write_text(self, name: str, text: str) -> None:
        """Another file of the result, e.g. report.html."""
        write_atomically(self.path / _safe("file name", name), lambda file: file.write(text.encode()))

    def remove_text(self, name: str) -> None:
        """Remove such a file, if it is there, since what it says holds no longer."""
        path = self.path / _safe("file name", name)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise cannot_write(path, error) from error

    def discard_if_empty(self) -> bool:
        """Remove the folder if nothing was measured into it; whether it was removed."""
        if (self.path / MANIFEST).exists():
            return False
        with suppress(OSError):
            (self.path / RUNS).rmdir()
            self.path.rmdir()
        return True

    def _write_json(self, path: Path, document: Mapping[str, Any]) -> None:
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        write_atomically(path, lambda file: file.write(text.encode()))


@dataclass(frozen=True, slots=True)
class Result:
    """A result that is read: its manifest and the runs that are complete, by round and order."""

    path: Path
    manifest: Document
    runs: tuple[Run, ...]

    def rows(self, run_id: str) -> Rows:
        """The rows of one of `runs`; UsageError if they are damaged or gone."""
        run = next(run for run in self.runs if run.id == run_id)
        return read_rows(self.path / RUNS / run.rows)

    def summary(self) -> Document:
        """`summary.json` as it was written."""
        return _read_json(self.path / SUMMARY, "summary", SUMMARY_SCHEMA)


def create(out_root: Path, experiment: str, utc: datetime, id: str) -> ResultDir:  # noqa: A002 - the word of the design
    """A new, empty result below `out_root`, `<experiment>-<UTC>-<id>`, which mustn't exist."""
    stamp = utc.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = out_root / f"{_safe('experiment', experiment)}-{stamp}-{_safe('result id', id)}"
    try:
        (path / RUNS).mkdir(parents=True)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already: choose another folder with --out") from error
    except OSError as error:
        raise cannot_write(path, error) from error
    return ResultDir(path)


def open_result(path: Path) -> Result:
    """The result in that folder; UsageError, naming the file, without a manifest, or if one is damaged or of a newer schema."""
    manifest = read_manifest(path)
    files = sorted(file for file in (path / RUNS).glob("*.json") if not file.name.startswith(TEMPORARY))
    runs = sorted(
        (read_run(file) for file in files), key=lambda run: (run.round, run.topology, run.load_name, run.order)
    )
    return Result(path, manifest, tuple(runs))


def read_manifest(path: Path) -> Document:
    """The manifest of the result in that folder."""
    if not (path / MANIFEST).is_file():
        raise UsageError(f"{path} is no result: it has no {MANIFEST}; give a folder that `hoptax run` made")
    return _read_json(path / MANIFEST, "manifest", MANIFEST_SCHEMA)


def write_rows(path: Path, rows: Rows) -> None:
    """The rows as Parquet (zstd, pages with checksums): one column each, stamps in ns of CLOCK_MONOTONIC."""
    table = pa.table({"run_id": _coded(np.zeros(len(rows), np.int32), (rows.run_id,)), **_columns(rows)})
    about = {"kind": "rows", "schema": ROWS_SCHEMA, "run_id": rows.run_id, "names": rows.names}
    about["stamps"] = "ns, monotonic"
    sink = pa.BufferOutputStream()
    table = table.replace_schema_metadata({_ABOUT: json.dumps(about)})
    parquet.write_table(table, sink, compression="zstd", write_page_checksum=True)
    write_atomically(path, lambda file: file.write(sink.getvalue()))


def read_rows(path: Path) -> Rows:
    """The rows of a Parquet file; UsageError, naming it, if it is gone, damaged, or of a newer schema."""
    try:
        table = parquet.read_table(path, page_checksum_verification=True)
        about = json.loads((table.schema.metadata or {})[_ABOUT])
        if about["schema"] > ROWS_SCHEMA:
            raise _newer(path, "rows", about["schema"], ROWS_SCHEMA)
        names = tuple(about["names"])
        columns = {name: _decoded(table, name, names) for name in COLUMNS if name in table.column_names}
        return from_columns(about["run_id"], names, columns)
    except FileNotFoundError as error:
        raise UsageError(f"{path} is gone: without its rows the run can't be used; restore it") from error
    except (pa.ArrowException, OSError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path, " ".join(str(error).split())[:200]) from error
    except UsageError as error:
        raise error if str(path) in str(error) else _damaged(path, str(error)) from error


def _columns(rows: Rows) -> dict[str, Any]:  # Any: pyarrow has no types
    texts = {"name": rows.names, "phase": PHASES, "error_kind": ERROR_KINDS}
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values = getattr(rows, name)
        if name in texts:
            columns[name] = _coded(values.astype(np.int32), texts[name])
        else:
            columns[name] = pa.array(values, mask=values == 0 if name in _STAMPS else None)
    return columns


def _coded(codes: Any, texts: tuple[str, ...]) -> Any:  # Any: pyarrow has no types
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(texts, pa.string()))


def _decoded(table: Any, name: str, names: tuple[str, ...]) -> Any:  # Any: pyarrow has no types
    texts = {"name": names, "phase": PHASES, "error_kind": ERROR_KINDS}.get(name)
    column = table.column(name).combine_chunks()
    if texts is None:
        return column.fill_null(0).to_numpy(zero_copy_only=False)
    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = np.array([texts.index(text) for text in coded.dictionary.to_pylist()], np.int64)
    return codes[coded.indices.to_numpy(zero_copy_only=False)]


def read_run(path: Path) -> Run:
    """The record of one run; UsageError if it is damaged or of a newer schema."""
    document = _read_json(path, "run", RUN_SCHEMA)
    try:
        run = from_json(Run, document)
    except ValueError as error:
        raise _damaged(path, str(error)) from error
    if found := _implausible(run):
        raise _damaged(path, found)
    return run


def _implausible(run: Run) -> str:
    """What the type of each value doesn't rule out, but every reader relies on; "" if there is nothing."""
    sizes = [edge.keys() for unit in run.units for edge in (unit.idle, unit.loaded)]
    if not _SAFE.fullmatch(run.rows):
        return f"rows: {run.rows!r} is no file name"
    if run.window_end_ns <= run.window_start_ns or any(unit.elapsed_ns <= 0 for unit in run.units):
        return "the window or a unit's time has no length"
    if any(not {"elapsed", "request", "callee", "response"} <= hop.sums_ns.keys() for hop in run.hops):
        return "hops: sums_ns lacks elapsed, request, callee or response"
    if any(not {"pss_bytes", "uss_bytes", "rss_bytes"} <= keys for keys in sizes):
        return "units: idle or loaded lacks pss_bytes, uss_bytes or rss_bytes"
    return ""


def _read_json(path: Path, kind: str, newest: int) -> Document:
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror or error}") from error
    except ValueError as error:
        raise _damaged(path, f"no JSON ({error})") from error
    if not isinstance(document, dict) or document.get("kind") != kind or not isinstance(document.get("schema"), int):
        raise _damaged(path, f"no {kind} with a schema number")
    if document["schema"] > newest:
        raise _newer(path, kind, document["schema"], newest)
    return document


def _newer(path: Path, kind: str, schema: int, newest: int) -> UsageError:
    return UsageError(
        f"{path} has {kind} schema {schema}, this hoptax reads up to {newest}: read it with a newer hoptax"
    )


def _damaged(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is damaged: {why}; restore it, or remove it to go on without")


def _safe(what: str, name: str) -> str:
    if not _SAFE.fullmatch(name):
        raise UsageError(
            f"{what} {name!r}: allowed are letters, digits, '.', '_' and '-', beginning with a letter or digit"
        )
    return name
