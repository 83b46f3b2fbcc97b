"""Counts calls per second and hop: whole, request leg, callee, response leg, and transit. Knows no socket."""

from typing import Any

from harness.wire.buckets import index

NS_PER_S = 1_000_000_000
KEEP_S = 900
PARTS = ("elapsed", "request", "callee", "response", "transit")


class Counts:
    """One hop in one second. `errors` and `retried` calls are in `calls` and in no bucket; `kinds` says which errors."""

    __slots__ = ("buckets", "calls", "errors", "kinds", "retried", "sums")

    def __init__(self) -> None:
        self.calls = 0
        self.errors = 0
        self.kinds: dict[str, int] = {}
        self.retried = 0
        self.sums = [0, 0, 0, 0]
        self.buckets: tuple[dict[int, int], ...] = ({}, {}, {}, {}, {})

    def error(self, kind: str) -> None:
        """One more call without a usable answer."""
        self.errors += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def document(self) -> dict[str, Any]:  # Any: JSON values
        """As `/hops` ships it."""
        return {
            "calls": self.calls,
            "errors": self.errors,
            "error_kinds": self.kinds,
            "retried": self.retried,
            "sums_ns": dict(zip(PARTS, self.sums, strict=False)),
            **dict(zip(PARTS, self.buckets, strict=True)),
        }


class Recorder:
    """All hops of one replica, by the second (CLOCK_MONOTONIC) in which the caller had its answer."""

    def __init__(self) -> None:
        self._seconds: dict[int, dict[str, Counts]] = {}

    def call(self, hop: str, sent_ns: int, received_ns: int, answered_ns: int, done_ns: int, attempts: int) -> None:
        """A call that was answered. Stamps that run backwards can't be of one clock: the call is an error, `clock`.

        The three parts add up to `elapsed` exactly, since they share their ends.
        """
        counts = self._counts(hop, done_ns)
        counts.calls += 1
        if attempts > 1:
            counts.retried += 1
            return
        if not sent_ns <= received_ns <= answered_ns <= done_ns:
            counts.error("clock")
            return
        request, callee, response = received_ns - sent_ns, answered_ns - received_ns, done_ns - answered_ns
        values = (done_ns - sent_ns, request, callee, response, request + response)
        for part, buckets in enumerate(counts.buckets):
            bucket = index(values[part])
            buckets[bucket] = buckets.get(bucket, 0) + 1
        sums = counts.sums
        for part in range(4):
            sums[part] += values[part]

    def whole(self, hop: str, sent_ns: int, done_ns: int, attempts: int) -> None:
        """A call whose callee doesn't tell its stamps, as a program of the user's own: its parts stay unknown."""
        counts = self._counts(hop, done_ns)
        counts.calls += 1
        if attempts > 1:
            counts.retried += 1
            return
        bucket = index(done_ns - sent_ns)
        counts.buckets[0][bucket] = counts.buckets[0].get(bucket, 0) + 1
        counts.sums[0] += done_ns - sent_ns

    def failed(self, hop: str, kind: str, done_ns: int) -> None:
        """A call without a usable answer; `kind` is the client's error, the status, or `stamps` if it had none to read."""
        counts = self._counts(hop, done_ns)
        counts.calls += 1
        counts.error(kind)

    def reset(self) -> None:
        """Forget everything."""
        self._seconds.clear()

    def seconds(self, first: int, end: int) -> dict[str, dict[str, Any]]:  # Any: JSON values
        """The seconds from `first` to before `end`."""
        return {
            str(second): {hop: counts.document() for hop, counts in hops.items()}
            for second, hops in self._seconds.items()
            if first <= second < end
        }

    def _counts(self, hop: str, at_ns: int) -> Counts:
        second = at_ns // NS_PER_S
        hops = self._seconds.get(second)
        if hops is None:
            hops = self._seconds[second] = {}
            for old in [old for old in self._seconds if old < second - KEEP_S]:
                del self._seconds[old]
        counts = hops.get(hop)
        if counts is None:
            counts = hops[hop] = Counts()
        return counts
