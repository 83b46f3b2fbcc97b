"""Ratio of what two arms add: (A − R)/(B − R) over rounds, R being the arm both are compared with. Pure; knows no metric.

A ratio of two differences has no mean, and its per-round values jump when a denominator is near zero, so they are not
averaged. Both methods ask instead for which θ the paired differences (A − R) − θ·(B − R) are centred at zero, and give no
number when the denominator itself can't be told from zero. E. C. Fieller, J. R. Statist. Soc. B 16 (1954), for means; for
shifts the same inversion of Wilcoxon's signed-rank test.
"""

import math
from collections.abc import Sequence

import numpy as np

from harness.analysis.intervals import (
    CONFIDENCE,
    MIN_ROUNDS,
    Floats,
    Interval,
    critical_rank,
    hodges_lehmann,
    mean_t,
    t_quantile,
    too_few,
    walsh_sums,
)

Values = Sequence[float] | Floats


def rank_ratio(numerators: Values, denominators: Values, confidence: float = CONFIDENCE) -> Interval:
    """The θ for which numerator − θ·denominator, paired by round, is symmetric about zero by the exact signed-rank test.

    T⁺(θ) counts the positive Walsh sums of those differences. Each changes sign where θ is the ratio of the two arms' Walsh
    sums, so the test is inverted exactly. With positive denominators the estimate is the median of these ratios, and the
    interval reaches from the C-th smallest to the C-th largest, like Hodges–Lehmann's. The estimate is NaN when the
    denominator's own interval reaches zero (or, below 6 rounds, its estimate does).
    """
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    n, method = len(top), "rank-ratio"
    below = hodges_lehmann(bottom, confidence)
    refusal = _refusal(below)
    if refusal:
        return Interval(math.nan, None, None, n, method, confidence, refusal)
    if n < MIN_ROUNDS:
        over = hodges_lehmann(top, confidence)
        return Interval(over.estimate / below.estimate, None, None, n, method, confidence, too_few(n))
    steps, positive = _steps(walsh_sums(top), walsh_sums(bottom))
    pairs, rank = n * (n + 1) // 2, critical_rank(n, confidence)
    estimate = sum(_crossing(steps, positive, pairs / 2, pairs / 2)) / 2
    low, high = _crossing(steps, positive, pairs - rank, rank)
    return Interval(estimate, low, high, n, method, confidence)


def fieller(numerators: Values, denominators: Values, confidence: float = CONFIDENCE) -> Interval:
    """The ratio of two means, paired by round, with Fieller's interval: the θ at which the paired t test keeps zero.

    The estimate is NaN when the denominator's own t interval reaches zero (or, below 6 rounds, its mean does).
    """
    top, bottom = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    n, method = len(top), "fieller"
    refusal = _refusal(mean_t(bottom, confidence))
    if refusal:
        return Interval(math.nan, None, None, n, method, confidence, refusal)
    estimate = float(top.mean() / bottom.mean())
    if n < MIN_ROUNDS:
        return Interval(estimate, None, None, n, method, confidence, too_few(n))
    (s_tt, s_tb), (_, s_bb) = np.cov(top, bottom) * t_quantile(confidence, n - 1) ** 2 / n
    a = bottom.mean() ** 2 - s_bb
    b = top.mean() * bottom.mean() - s_tb
    c = top.mean() ** 2 - s_tt
    root = math.sqrt(max(0.0, b * b - a * c))
    return Interval(estimate, float((b - root) / a), float((b + root) / a), n, method, confidence)


def _refusal(denominator: Interval) -> str:
    """Why the denominator can't be divided by, "" if it can."""
    least = denominator.estimate if denominator.low is None else denominator.low
    return "" if least > 0 else "what the other arm adds can't be told from zero, so there is no ratio to it"


def _steps(top: Floats, bottom: Floats) -> tuple[Floats, Floats]:
    """Where T⁺(θ) changes, ascending, and its value before the first step, between steps, and after the last."""
    moving = bottom != 0
    ratios = top[moving] / bottom[moving]
    order = np.argsort(ratios)
    signs = np.sign(bottom[moving])[order]
    start = np.sum(bottom > 0) + np.sum(~moving & (top > 0))
    return ratios[order], start - np.concatenate(([0.0], np.cumsum(signs)))


def _crossing(steps: Floats, positive: Floats, upper: float, lower: float) -> tuple[float, float]:
    """The first θ at which T⁺ has come down to `upper`, and the last at which it is still `lower` or more.

    Both exist, because the denominator is positive: T⁺ starts above `upper` and ends below `lower`.
    """
    first = int(np.flatnonzero(positive <= upper)[0])
    last = int(np.flatnonzero(positive >= lower)[-1])
    return float(steps[first - 1]), float(steps[last])
