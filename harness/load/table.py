"""The rows of a run while it runs: columns made beforehand, so that a stamp is one assignment. It judges nothing."""

from array import array
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.load.rows import COLUMNS, ERROR_KINDS, PHASES, write_raw
from harness.load.seconds import Columns

_STAMPS = ("ready", "sent", "first_byte", "done")


class Table:
    """One row per scheduled request, addressed by its place in the schedule; see Rows for what the columns mean."""

    __slots__ = ("bytes_in", "bytes_out", "connection", "count", "done", "due", "error_kind", "failed", "finished", "first_byte",
                 "ready", "sent", "status")  # fmt: skip

    def __init__(self, due_ns: NDArray[np.int64]) -> None:
        self.count = count = len(due_ns)
        self.due = array("q", due_ns.tobytes())
        self.ready, self.sent, self.first_byte, self.done = (array("q", bytes(8 * count)) for _ in _STAMPS)
        self.bytes_out, self.bytes_in = (array("q", bytes(8 * count)) for _ in range(2))
        self.status = array("H", bytes(2 * count))
        self.error_kind = array("B", bytes(count))
        self.connection = array("i", b"\xff" * (4 * count))
        self.finished = 0
        self.failed = 0

    def answer(self, row: int, at_ns: int, status: int) -> None:
        """The last byte came."""
        self.done[row] = at_ns
        self.status[row] = status
        self.finished += 1
        if status >= 400:
            self.error_kind[row] = ERROR_KINDS.index("status")
            self.failed += 1

    def fail(self, row: int, at_ns: int, kind: str) -> None:
        """No answer will come."""
        self.done[row] = at_ns
        self.error_kind[row] = ERROR_KINDS.index(kind)
        self.finished += 1
        self.failed += 1

    def columns(self) -> Columns:
        """Views of the columns that seconds are counted from."""
        return Columns(
            due=np.frombuffer(self.due, np.int64),
            done=np.frombuffer(self.done, np.int64),
            error_kind=np.frombuffer(self.error_kind, np.uint8),
            bytes_in=np.frombuffer(self.bytes_in, np.int64),
        )

    def response_us(self, first: int, last: int, most: int = 500) -> dict[str, float]:
        """p50 of done − due among at most `most` answered rows of [first, last); empty if there are none."""
        stride = max(1, (last - first) // most)
        due, done = (np.frombuffer(column, np.int64)[first:last:stride] for column in (self.due, self.done))
        answered = done > 0
        return {"p50": float(np.median((done - due)[answered])) / 1e3} if answered.any() else {}

    def write(
        self, path: Path, run_id: str, name: str, window_from_ns: int, until_ns: int, worker: int = 0, workers: int = 1
    ) -> None:
        """The rows due before `until_ns`, as a raw file; `seq` is a row's place in the schedule that all workers share."""
        due = np.frombuffer(self.due, np.int64)
        count = int(np.searchsorted(due, until_ns))
        made = {
            "worker": np.full(count, worker),
            "seq": worker % workers + workers * np.arange(count),
            "name": np.zeros(count),
            "phase": np.where(due[:count] < window_from_ns, PHASES.index("warmup"), PHASES.index("window")),
        }
        columns = {
            column: memoryview(made[column].astype(kind).tobytes())
            if column in made
            else memoryview(getattr(self, column)).cast("B")[: count * np.dtype(kind).itemsize]
            for column, kind in COLUMNS.items()
        }
        with path.open("wb") as file:
            write_raw(file, run_id, (name,), count, columns)
