"""Intervals of the change between two results that were measured apart: after − before. Pure; knows no metric or unit.

Nothing pairs the rounds of two results, so the paired methods would claim too much. Each function takes one number per round of
either side. M. Hollander and D. A. Wolfe, *Nonparametric Statistical Methods*, ch. 4 (rank sums); B. L. Welch, Biometrika 34
(1947); P. Hall, *The Bootstrap and Edgeworth Expansion*, 3.6. Rounds are taken as independent draws: what differs between two
hours, but not between the rounds of one, is in no interval.
"""

import math
from functools import cache

import numpy as np

from harness.analysis.intervals import (
    CONFIDENCE,
    MIN_ROUNDS,
    RESAMPLES,
    WIDEST,
    Floats,
    Interval,
    t_quantile,
    too_few,
)
from harness.analysis.metrics import Kind


def change(kind: Kind, before: Floats, after: Floats) -> Interval:
    """after − before, in the metric's unit: rank sums for latency, means for the rest."""
    return rank_sum_shift(before, after) if kind == "latency" else bootstrap_welch(before, after)


def change_ratio(kind: Kind, before: Floats, after: Floats) -> Interval | None:
    """after / before, from the change of the logarithms; None where a value isn't positive, since there is no such ratio."""
    if (before <= 0).any() or (after <= 0).any():
        return None
    found = change(kind, np.log(before), np.log(after))
    return found.mapped(math.exp, f"{found.method}-log-ratio")


@cache
def rank_sum_null(n: int, m: int) -> Floats:
    """P(U = u) for u = 0 … nm when every mixture of n and m values is as likely: U counts the pairs in which the second is greater.

    The greatest of all values is one of the m with probability m/(n + m), and then beats all n.
    """
    row = [np.ones(1)] * (m + 1)
    for i in range(1, n + 1):
        new = [np.ones(1)]
        for j in range(1, m + 1):
            found = np.zeros(i * j + 1)
            found[: (i - 1) * j + 1] += i / (i + j) * row[j]
            found[i:] += j / (i + j) * new[j - 1]
            new.append(found)
        row = new
    row[m].setflags(write=False)
    return row[m]


@cache
def critical_count(n: int, m: int, confidence: float = CONFIDENCE) -> int:
    """The largest C with P(U ≤ C − 1) ≤ (1 − confidence)/2, 0 if there is none."""
    below = np.cumsum(rank_sum_null(n, m))
    return int(np.searchsorted(below, (1 - confidence) / 2 * (1 + 1e-12), side="right"))


def rank_sum_shift(before: Floats, after: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The median of all differences, with the interval from the exact null distribution of Wilcoxon's rank sum.

    It estimates by how much `after` is shifted (Hodges and Lehmann's estimate for two samples). Ties make the interval no smaller.
    """
    differences = np.sort((after[:, None] - before[None, :]).ravel())
    n, method = min(len(before), len(after)), "rank-sum-shift"
    estimate = float(np.median(differences))
    count = critical_count(len(before), len(after), confidence)
    if n < MIN_ROUNDS or not count:
        return Interval(estimate, None, None, n, method, confidence, too_few(n))
    return Interval(estimate, float(differences[count - 1]), float(differences[-count]), n, method, confidence)


def bootstrap_welch(before: Floats, after: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The difference of two means with a symmetric bootstrap-t interval around Welch's statistic.

    Its multiplier stays between Student's, with Welch's degrees of freedom, and WIDEST times that, as in the paired method.
    """
    n, method = min(len(before), len(after)), "bootstrap-welch"
    estimate = float(after.mean() - before.mean())
    if n < MIN_ROUNDS:
        return Interval(estimate, None, None, n, method, confidence, too_few(n))
    error = math.hypot(_standard_error(before), _standard_error(after))
    if error == 0:
        return Interval(estimate, estimate, estimate, n, method, confidence)
    student = t_quantile(confidence, _welch_degrees(before, after))
    statistics = _resampled(before - before.mean(), after - after.mean(), error)
    seen = float(np.quantile(statistics, confidence)) if len(statistics) else student
    half = error * min(max(seen, student), WIDEST * student)
    return Interval(estimate, estimate - half, estimate + half, n, method, confidence)


def _standard_error(values: Floats) -> float:
    return float(np.std(values, ddof=1)) / math.sqrt(len(values))


def _welch_degrees(before: Floats, after: Floats) -> float:
    """Welch and Satterthwaite's."""
    a, b = _standard_error(before) ** 2, _standard_error(after) ** 2
    return (a + b) ** 2 / (a**2 / (len(before) - 1) + b**2 / (len(after) - 1))


def _resampled(before: Floats, after: Floats, error: float) -> Floats:
    """|difference of means| / standard error in resamples of the centred rounds; those without spread are left out."""
    (mean_b, var_b), (mean_a, var_a) = _moments(before, 0), _moments(after, 1)
    errors = np.sqrt(var_b + var_a)
    kept = errors > 1e-9 * error
    statistics: Floats = np.abs(mean_a - mean_b)[kept] / errors[kept]
    return statistics


def _moments(centred: Floats, side: int) -> tuple[Floats, Floats]:
    """Mean, and squared standard error, of every resample."""
    n = len(centred)
    weights = _resamples(n, side)
    means: Floats = weights @ centred / n
    squares: Floats = np.maximum(weights @ centred**2 / n - means**2, 0) / (n - 1)
    return means, squares


@cache
def _resamples(n: int, side: int) -> Floats:
    """How often each of n rounds is drawn; the two sides have draws of their own, the same in every call."""
    weights: Floats = np.random.default_rng([n, side]).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    return weights
