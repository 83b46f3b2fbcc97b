"""Live progress of a run on stderr: a bar on a terminal, otherwise one plain line per finished trial. Measures nothing.

It draws only between trials: a redraw inside a window would take CPU time from the load generator beside it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar

NS_PER_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a run is: what each step was to take, how many are done, and when: `at_last_done_s` after its start, `since_s` ago."""

    planned_s: Sequence[float]
    done: int
    at_last_done_s: float
    since_s: float


def remaining_s(pace: Pace) -> float:
    """Seconds still to go, never below 0.

    What is left of the plan, times how much slower than planned the finished steps were; one step on plan is counted with them, so
    the first estimate is the plan, and the machine's own pace soon outweighs it.
    """
    if pace.done >= len(pace.planned_s):
        return 0.0
    one_s = sum(pace.planned_s) / len(pace.planned_s)
    slower = (one_s + pace.at_last_done_s) / (one_s + sum(pace.planned_s[: pace.done]))
    return max(0.0, sum(pace.planned_s[pace.done :]) * slower - pace.since_s)


def spoken(seconds: float) -> str:
    """A duration as people say it: `45 s`, `3 min 20 s`, `1 h 05 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


class Progress:
    """`with Progress([8.0] * 24) as progress: progress.trial("round 1 · envoy[mtls]"); …; progress.done(label, note)`.

    `planned_s` is the expected duration of each step; `clock` gives CLOCK_MONOTONIC nanoseconds.
    """

    def __init__(
        self,
        planned_s: Sequence[float],
        clock: Callable[[], int] = time.monotonic_ns,
        console: Console | None = None,
    ) -> None:
        self._total = len(planned_s)
        self._planned_s = list(planned_s)
        self._clock = clock
        self._console = console or Console(stderr=True)
        self._start_ns = self._last_done_ns = clock()
        self._done = 0
        self._bar = _bar(self._console) if _draws(self._console) else None
        self._task = self._bar.add_task("", total=self._total, left="") if self._bar else None

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar:
            self._bar.stop()

    def trial(self, label: str) -> None:
        """A trial begins. Shown on a terminal only: a plain log gets its line when the trial has ended."""
        self._draw(label)

    def done(self, label: str, note: str = "") -> None:
        """The trial ended; `note` says what a reader should know of it (that it is invalid and why, say)."""
        self._done += 1
        self._last_done_ns = self._clock()
        told = f"{label}: {note}" if note else label
        if self._bar is None:
            left = f"about {spoken(self.remaining_s())} left" if self._done < self._total else "all done"
            self._print(f"[{self._done:>{len(str(self._total))}}/{self._total}] {told} ({left})")
            return
        if note:
            self._print(told)
        self._draw(label)

    def more(self, planned_s: Sequence[float]) -> None:
        """Steps that weren't planned come next, about so long."""
        self._planned_s[self._done : self._done] = planned_s
        self._total += len(planned_s)
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, total=self._total)

    def remaining_s(self) -> float:
        """Seconds still to go, by plan and pace."""
        now_ns = self._clock()
        at_last_done_s = (self._last_done_ns - self._start_ns) / NS_PER_S
        since_s = (now_ns - self._last_done_ns) / NS_PER_S
        return remaining_s(Pace(self._planned_s, self._done, at_last_done_s, since_s))

    def _draw(self, label: str) -> None:
        if self._bar is None or self._task is None:
            return
        left = f"about {spoken(self.remaining_s())} left"
        self._bar.update(self._task, completed=self._done, description=label, left=left, refresh=True)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _draws(console: Console) -> bool:
    return console.is_terminal and not console.is_dumb_terminal


def _bar(console: Console) -> Bar:
    return Bar(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[left]}", markup=False),
        TextColumn("{task.description}", markup=False),
        console=console,
        auto_refresh=False,
        transient=True,
    )
