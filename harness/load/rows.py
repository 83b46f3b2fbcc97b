"""The record of every request of a run, as columns, and the raw file in which an engine hands it over. It judges nothing.

A raw file is one line of JSON, then each column's bytes in the order and type that the line names (little-endian).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from harness.model.errors import UsageError

RAW_SCHEMA = 1
# 1: the columns of COLUMNS; run_id, worker, names, phases and error_kinds in the header.

PHASES = ("warmup", "window")
"""What a number in `phase` means."""

ERROR_KINDS = ("", "status", "connect", "tls", "timeout", "reset", "closed", "protocol")
"""What a number in `error_kind` means.

status: answered in full, with 400 or above. The others have no answer: connect (refused, unreachable or not within the
timeout), tls (handshake or record), timeout (nothing complete within the timeout after `sent`), reset (ECONNRESET, EPIPE), closed (the
server closed before the last byte), protocol (bytes that are no HTTP/1.1 response).
"""

COLUMNS: Mapping[str, str] = {
    "worker": "<u2",
    "seq": "<i8",
    "name": "<u2",
    "phase": "u1",
    "due": "<i8",
    "ready": "<i8",
    "sent": "<i8",
    "first_byte": "<i8",
    "done": "<i8",
    "status": "<u2",
    "error_kind": "u1",
    "bytes_out": "<i8",
    "bytes_in": "<i8",
    "connection": "<i4",
}
"""Every column and its numpy type, in the order of files."""

Int64s = NDArray[np.int64]
Small = NDArray[np.uint8]
Words = NDArray[np.uint16]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """One array per column, all of one length: one element per scheduled request, by due time.

    Stamps are CLOCK_MONOTONIC ns; 0 = it did not happen: `ready` the generator never woke for it, `sent` it never got a
    connection, `done` it was not over at the end of the drain (censored). A request that failed has `done` = when that was
    known. `connection` is -1 when it never had one. `name` indexes `names`.
    """

    run_id: str
    names: tuple[str, ...]
    worker: Words
    seq: Int64s
    name: Words
    phase: Small
    due: Int64s
    ready: Int64s
    sent: Int64s
    first_byte: Int64s
    done: Int64s
    status: Words
    error_kind: Small
    bytes_out: Int64s
    bytes_in: Int64s
    connection: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.due)

    @cached_property
    def in_window(self) -> Bools:
        """Rows that count; the others are warm-up."""
        mask: Bools = self.phase == PHASES.index("window")
        return mask

    @cached_property
    def answered(self) -> Bools:
        """Rows with a whole response, whatever its status: only these have a service and a response time."""
        return (self.done > 0) & (self.error_kind <= ERROR_KINDS.index("status"))

    def window(self) -> "Rows":
        """The rows of the window alone."""
        return self.select(self.in_window)

    def select(self, mask: Bools) -> "Rows":
        """The rows where `mask` holds."""
        return from_columns(self.run_id, self.names, {name: getattr(self, name)[mask] for name in COLUMNS})


def from_columns(run_id: str, names: tuple[str, ...], columns: Mapping[str, NDArray[Any]]) -> Rows:
    """Rows of these columns (any integer type; converted to those of COLUMNS). UsageError if they don't fit together."""
    if missing := [name for name in COLUMNS if name not in columns]:
        raise UsageError(f"the rows lack the columns {', '.join(missing)}: they are damaged or not rows of hoptax")
    arrays = {name: np.asarray(columns[name]).astype(kind, copy=False) for name, kind in COLUMNS.items()}
    if len(lengths := {array.shape for array in arrays.values()}) != 1:
        raise UsageError(f"the columns of the rows have different shapes, {sorted(lengths)}: they are damaged")
    _check_tables(names, arrays)
    return Rows(run_id=run_id, names=names, **arrays)


def _check_tables(names: tuple[str, ...], arrays: Mapping[str, NDArray[Any]]) -> None:
    for column, table in (("name", names), ("phase", PHASES), ("error_kind", ERROR_KINDS)):
        if len(array := arrays[column]) and (highest := int(array.max())) >= len(table):
            raise UsageError(
                f"the rows have {column} {highest}, known are 0 to {len(table) - 1}: they are damaged or newer"
            )


def write_raw(
    file: BinaryIO, run_id: str, names: tuple[str, ...], count: int, columns: Mapping[str, memoryview]
) -> None:
    """Write a raw file of `count` rows; each view holds exactly its column's bytes, little-endian."""
    header = {
        "kind": "rows",
        "schema": RAW_SCHEMA,
        "run_id": run_id,
        "names": names,
        "phases": PHASES,
        "error_kinds": ERROR_KINDS,
        "count": count,
        "columns": list(COLUMNS.items()),
    }
    file.write(json.dumps(header).encode() + b"\n")
    file.writelines(columns[name] for name in COLUMNS)


def read_raw(path: Path) -> Rows:
    """The rows of a raw file; UsageError, naming the file and what is wrong, if it is damaged or of a newer schema."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"rows {path} can't be read: {error.strerror or error}") from error
    line, _, body = data.partition(b"\n")
    header = _header(path, line)
    try:
        count, kinds = int(header["count"]), dict(header["columns"])
        expected = {name: count * np.dtype(kind).itemsize for name, kind in kinds.items()}
        run_id, names = str(header["run_id"]), tuple(map(str, header["names"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"rows {path} are damaged: the header has no usable {error}; measure again") from error
    if len(body) != sum(expected.values()):
        raise UsageError(
            f"rows {path} are damaged: {len(body)} bytes of columns, {count} rows need {sum(expected.values())}; "
            "measure again"
        )
    columns, start = {}, 0
    for name, size in expected.items():
        columns[name] = np.frombuffer(body, kinds[name], count, start) if size else np.empty(0, kinds[name])
        start += size
    return from_columns(run_id, names, columns)


def _header(path: Path, line: bytes) -> dict[str, Any]:  # Any: JSON values
    try:
        header = json.loads(line)
    except ValueError as error:
        raise UsageError(f"rows {path} are damaged: they don't open with a line of JSON; measure again") from error
    if not isinstance(header, dict) or header.get("kind") != "rows" or not isinstance(header.get("schema"), int):
        raise UsageError(
            f"{path} is no file of rows: its first line has no kind 'rows' and schema; give one of an engine"
        )
    if header["schema"] > RAW_SCHEMA:
        raise UsageError(
            f"rows {path} have schema {header['schema']}, this hoptax reads up to {RAW_SCHEMA}: read them with a newer hoptax"
        )
    return header
