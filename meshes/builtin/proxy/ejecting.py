"""Which endpoints are left out because they fail: several times in a row, or more often than the others. Pure: times are passed in.

The kinds and their words are those of Envoy's outlier detection. Errors in a row come in three kinds, each with a bound of its own: any
5xx; 502, 503 and 504 (gateway); no answer at all (local). No answer counts for all three, but once local errors have a bound of their
own it counts for that alone ("split external and local origin errors").
"""

from collections.abc import Sequence
from math import inf, sqrt

from meshes.builtin.policies import MOST_EJECTED_S, Ejection
from meshes.builtin.policies_balancing import SuccessRate

NO_ANSWER = 0
"""In the place of a status: the connection failed, or broke, or took too long."""
_GATEWAY = frozenset((NO_ANSWER, 502, 503, 504))


class Record:
    """What is known of one endpoint: errors in a row by kind, answers in this interval and how many of them were good, how often it was
    out, whether it is out now and else since when it is back. `listens` says that good answers matter now too."""

    __slots__ = ("answers", "back_s", "gateway", "good", "listens", "local", "out", "row", "times")

    def __init__(self) -> None:
        self.row = 0
        self.gateway = 0
        self.local = 0
        self.answers = 0
        self.good = 0
        self.times = 0
        self.back_s = inf
        self.out = False
        self.listens = False


class Ejections:
    """The endpoints of one callee. `made` counts the ejections by kind, for metrics."""

    __slots__ = ("_out", "config", "endpoints", "made")

    def __init__(self, config: Ejection, endpoints: int) -> None:
        self.config = config
        self._out = 0
        self.endpoints = endpoints
        self.made = {"errors": 0, "gateway": 0, "local": 0, "success_rate": 0}

    def judge(self, record: Record, status: int, now_s: float) -> float | None:
        """Notes one answer, or NO_ANSWER; the seconds for which the endpoint is to be left out, if it is. What an endpoint still answers
        while it is out doesn't count: it begins anew when it comes back."""
        if record.out:
            return None
        self._count(record, status)
        kind = self._too_many(record)
        return self._eject(record, kind, now_s) if kind else None

    def _count(self, record: Record, status: int) -> None:
        config, failed = self.config, status == NO_ANSWER or status >= 500
        record.answers += 1
        record.good += not failed
        if status == NO_ANSWER and config.local is not None:
            record.local += 1
        else:
            record.local = 0
            record.row = record.row + 1 if failed else 0
            record.gateway = record.gateway + 1 if status in _GATEWAY else 0
        record.listens = config.success_rate is not None or bool(record.row or record.local)

    def _too_many(self, record: Record) -> str:
        config = self.config
        if record.row >= config.consecutive:
            return "errors"
        if config.gateway is not None and record.gateway >= config.gateway:
            return "gateway"
        if config.local is not None and record.local >= config.local:
            return "local"
        return ""

    def compare(self, records: Sequence[Record], now_s: float) -> list[tuple[Record, float]]:
        """At the end of an interval: those that are to be left out because they succeed less often than the others, and for how long. The
        next interval begins."""
        found: list[tuple[Record, float]] = []
        given = self.config.success_rate
        for record in () if given is None else outliers([each for each in records if not each.out], given):
            out_s = self._eject(record, "success_rate", now_s)
            if out_s is not None:
                found.append((record, out_s))
        for record in records:
            record.answers = record.good = 0
        return found

    def _eject(self, record: Record, kind: str, now_s: float) -> float | None:
        """The time grows with every ejection, and shrinks with every while that the endpoint was not out."""
        config = self.config
        if self._out >= max(1, int(self.endpoints * config.most_share)):
            return None
        if config.shrink_s is not None and now_s > record.back_s:
            record.times = max(0, record.times - int((now_s - record.back_s) / config.shrink_s))
        record.row = record.gateway = record.local = 0
        record.listens = config.success_rate is not None
        record.out = True
        record.times += 1
        self._out += 1
        self.made[kind] += 1
        most_s = MOST_EJECTED_S if config.most_s is None else config.most_s
        return min(config.base_s * record.times, max(most_s, config.base_s))

    @property
    def out(self) -> int:
        """How many endpoints are left out now."""
        return self._out

    def back(self, record: Record, now_s: float) -> None:
        """Its time is up."""
        if record.out:
            record.out = False
            record.back_s = now_s
            self._out -= 1


def outliers(records: Sequence[Record], given: SuccessRate) -> list[Record]:
    """Of those with answers enough, if they are enough, the ones whose share of good answers is below mean - factor * standard deviation."""
    rates = [(record.good / record.answers, record) for record in records if record.answers >= given.least_answers]
    if len(rates) < given.least_endpoints:
        return []
    mean = sum(rate for rate, _ in rates) / len(rates)
    deviation = sqrt(sum((rate - mean) ** 2 for rate, _ in rates) / len(rates))
    return [record for rate, record in rates if rate < mean - given.factor * deviation]
