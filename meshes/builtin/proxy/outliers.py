"""The endpoints of a callee that are left out for a while: judges what they answer and brings them back when their time is up.

Decides nothing itself: that is in `ejecting`.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from meshes.builtin.policies import Ejection
from meshes.builtin.proxy.ejecting import Ejections, Record
from meshes.builtin.proxy.pool import Pool

Tell = Callable[[str, Callable[[], int]], None]
"""Gives a metric of the callee, by name, and how it is read."""


class Outliers:
    """Of one callee; `changed` is called when an endpoint goes out or comes back."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tell: Tell, changed: Callable[[], None]) -> None:
        self._loop = loop
        self._tell = tell
        self._changed = changed
        self._ejections: Ejections | None = None
        self._compared_s = 0.0

    def apply(self, config: Ejection | None, here: Sequence[Pool], gone: Sequence[Pool]) -> None:
        """What is known of an endpoint stays while it does, unless another policy judges it; what was counted stays too, as counters
        that fall would look like a proxy that started anew."""
        judge = self._ejections
        if judge is None and config is not None:
            judge = self._ejections = Ejections(config, 0)
        if judge is None:
            return
        for pool in gone if judge.config == config else [*gone, *here]:
            if pool.record is not None:
                judge.back(pool.record, self._loop.time())
                pool.record = None
        judge.config, judge.endpoints = config or judge.config, len(here)
        for pool in here if config is not None else ():
            pool.record = pool.record or _record(judge.config)
        if config is not None:
            self._tell_all(judge, config)

    def _tell_all(self, judge: Ejections, config: Ejection) -> None:
        self._tell("ejections_total", lambda: sum(judge.made.values()))
        self._tell("endpoints_ejected", lambda: judge.out)
        for kind in ("gateway", "local", "success_rate"):
            if getattr(config, kind) is not None:
                self._tell(f"ejections_{kind}_total", partial(judge.made.__getitem__, kind))

    def judge(self, record: Record, status: int) -> None:
        """How an endpoint served a request."""
        if self._ejections is None:
            return
        out_s = self._ejections.judge(record, status, self._loop.time())
        if out_s is not None:
            self._leave_out(self._ejections, [(record, out_s)])

    def sweep(self, now_s: float, pools: Sequence[Pool]) -> None:
        """Compares the endpoints with each other, whenever an interval is over."""
        judge = self._ejections
        if judge is None or judge.config.success_rate is None:
            return
        if now_s - self._compared_s >= judge.config.success_rate.interval_s:
            self._compared_s = now_s
            self._leave_out(judge, judge.compare([pool.record for pool in pools if pool.record is not None], now_s))

    def _leave_out(self, judge: Ejections, found: list[tuple[Record, float]]) -> None:
        if found:
            self._changed()
        for record, out_s in found:
            self._loop.call_later(out_s, self._back, record, judge)

    def _back(self, record: Record, judge: Ejections) -> None:
        judge.back(record, self._loop.time())
        self._changed()


def _record(config: Ejection) -> Record:
    record = Record()
    record.listens = config.success_rate is not None
    return record
