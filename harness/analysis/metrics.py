"""The metrics of one run: what is asked of it, by name. Values only; the figures come from request, hops and cost."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["latency", "mean", "cost", "share", "count"]
"""How rounds are summed up: latency by signed ranks, mean and cost by the bootstrap-t, share pooled, count as it is."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One quantity of a window, as `summary.json` names it."""

    scope: str
    subject: str
    metric: str
    statistic: str
    unit: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Reading:
    """What a window says of a metric; `value` is None when it says nothing, and `note` then says why."""

    metric: Metric
    value: float | None
    note: str = ""


QUANTILES = (0.5, 0.9, 0.99)


def quantile_name(q: float) -> str:
    """`p50`, `p99.9`."""
    return f"p{100 * q:g}"
