"""What several load workers measured, as if one had: rows by due time, counts added, reasons kept. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.histogram import bucket_quantile
from harness.load.messages import Done, Progress
from harness.load.rows import COLUMNS, Rows, from_columns
from harness.load.seconds import together


def merged_rows(parts: Sequence[Rows], run_id: str) -> Rows:
    """Every row of all parts, by due time; rows of one due time stay in the order of the parts."""
    names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    columns = {column: np.concatenate([getattr(part, column) for part in parts]) for column in COLUMNS}
    columns["name"] = np.concatenate([_renumbered(part, names) for part in parts])
    order = np.argsort(columns["due"], kind="stable")
    return from_columns(run_id, names, {column: values[order] for column, values in columns.items()})


def _renumbered(part: Rows, names: tuple[str, ...]) -> np.ndarray:
    return np.array([names.index(name) for name in part.names], np.int64)[part.name]


def merged_progress(parts: Sequence[Progress]) -> Progress:
    """The same second of all workers: counts are added, the median is that of all their answers together."""
    seen = together(part.seen for part in parts)
    p50_ns = bucket_quantile(seen.buckets, 0.5)
    return Progress(
        second=parts[0].second,
        due=sum(part.due for part in parts),
        done=sum(part.done for part in parts),
        errors=sum(part.errors for part in parts),
        waiting=sum(part.waiting for part in parts),
        response_us={} if p50_ns is None else {"p50": p50_ns / 1e3},
        seen=seen,
    )


def merged_done(parts: Sequence[Done], rows_file: str) -> Done:
    """The window from the first beginning to the last end. CPU time is added; of the run delays the worst counts, because every
    worker's stamps suffer from its own."""
    return Done(
        rows_file=rows_file,
        window_start_ns=min(part.window_start_ns for part in parts),
        window_end_ns=max(part.window_end_ns for part in parts),
        over_ns=max(part.over_ns for part in parts),
        cpu_ns=sum(part.cpu_ns for part in parts),
        run_delay_ns=max(part.run_delay_ns for part in parts),
        domain=parts[0].domain,
        domain_end=parts[0].domain_end,
        clocks=tuple(clock for part in parts for clock in part.clocks),
        reasons=tuple(reason for part in parts for reason in part.reasons),
    )


@dataclass(slots=True)
class Seconds:
    """Collects the workers' seconds until all of `workers` have said one."""

    workers: int
    _waiting: dict[int, dict[int, Progress]]
    _told: int = 0

    @classmethod
    def of(cls, workers: int) -> "Seconds":
        """Nothing said yet."""
        return cls(workers, {})

    def said(self, worker: int, progress: Progress) -> Progress | None:
        """The second of all together, when the last worker has said it; earlier ones are dropped then, and none
        is told twice: a worker's last, shorter one has the number of the one before."""
        if progress.second <= self._told:
            return None
        by_worker = self._waiting.setdefault(progress.second, {})
        by_worker[worker] = progress
        if len(by_worker) < self.workers:
            return None
        self._told = progress.second
        self._waiting = {second: said for second, said in self._waiting.items() if second > progress.second}
        return merged_progress(list(by_worker.values()))


def share(count: int, worker: int, workers: int) -> int:
    """How many of `count` things worker number `worker` gets, when they are dealt out evenly."""
    return count // workers + (worker < count % workers)


def raw_columns(rows: Rows) -> Mapping[str, memoryview]:
    """The bytes of every column, as harness.load.rows.write_raw takes them."""
    return {column: memoryview(getattr(rows, column).astype(kind).tobytes()) for column, kind in COLUMNS.items()}
