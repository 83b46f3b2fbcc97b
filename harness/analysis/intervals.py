"""Intervals over rounds: what may be said of a quantity that was measured once per round. Pure; knows no metric or unit.

Every function takes one number per round and answers in the same unit. Sources: M. Hollander and D. A. Wolfe,
*Nonparametric Statistical Methods*, ch. 3 (signed ranks, Hodges–Lehmann); S. Holm, Scand. J. Statist. 6 (1979); D. J. Schuirmann, J. Pharmacokin. Biopharm. 15
(1987) (equivalence).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

CONFIDENCE = 0.95
MIN_ROUNDS = 6
"""Below 6 rounds no signed-rank interval reaches 95 %: the widest, from least to greatest, has 1 − 2·2⁻⁵ = 93.75 % at 5."""


RESAMPLES = 2000
WIDEST = 1.5
"""The bootstrap's quantile has no bound: resamples without the one slow round of eight have next to no spread."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its interval; `low` and `high` are None when none can be given, and `note` then says why."""

    estimate: float
    low: float | None
    high: float | None
    rounds: int
    method: str
    confidence: float = CONFIDENCE
    note: str = ""

    def mapped(self, function: Callable[[float], float], method: str) -> "Interval":
        """The interval of an increasing function of the quantity, e.g. exp of a log-ratio."""
        low, high = (None if end is None else function(end) for end in (self.low, self.high))
        return replace(self, estimate=function(self.estimate), low=low, high=high, method=method)


def absent(note: str, rounds: int = 0) -> Interval:
    """No figure at all, for the reason `note`."""
    return Interval(math.nan, None, None, rounds, "none", note=note)


def too_few(rounds: int) -> str:
    """Why there is no interval."""
    return f"{rounds} rounds: an interval needs {MIN_ROUNDS} or more"


@cache
def signed_rank_null(n: int) -> Floats:
    """P(T⁺ = t) for t = 0 … n(n+1)/2 when every sign is a fair coin: the sum of a random subset of the ranks 1 … n."""
    return _subset_sums(np.arange(1, n + 1))


def _subset_sums(weights: NDArray[np.int64]) -> Floats:
    probability = np.zeros(int(weights.sum()) + 1)
    probability[0] = 1.0
    for weight in weights:
        taken = np.zeros_like(probability)
        taken[weight:] = probability[: len(probability) - weight]
        probability = (probability + taken) / 2
    probability.setflags(write=False)
    return probability


@cache
def critical_rank(n: int, confidence: float = CONFIDENCE) -> int:
    """The largest C with P(T⁺ ≤ C − 1) ≤ (1 − confidence)/2, 0 if there is none.

    The C-th smallest and C-th largest of the n(n+1)/2 Walsh averages bound the interval (Hollander and Wolfe, 3.3).
    """
    below = np.cumsum(signed_rank_null(n))
    return int(np.searchsorted(below, (1 - confidence) / 2 * (1 + 1e-12), side="right"))


def walsh_sums(values: Floats) -> Floats:
    """xᵢ + xⱼ for all i ≤ j."""
    first, second = np.triu_indices(len(values))
    sums: Floats = values[first] + values[second]
    return sums


def hodges_lehmann(values: Sequence[float] | Floats, confidence: float = CONFIDENCE) -> Interval:
    """The median of the Walsh averages, with the interval from the exact null distribution of Wilcoxon's signed rank.

    It estimates the pseudomedian (the median if the noise is symmetric). The exact coverage is at least `confidence`
    (n = 8: 96.1 %, n = 12: 95.8 %). Ties make it no smaller: the interval is closed and keeps every Walsh average.
    """
    data = _data(values)
    averages = np.sort(walsh_sums(data) / 2)
    n, rank = len(data), critical_rank(len(data), confidence)
    estimate = float(np.median(averages))
    if n < MIN_ROUNDS or rank == 0:
        return Interval(estimate, None, None, n, "hodges-lehmann", confidence, too_few(n))
    return Interval(estimate, float(averages[rank - 1]), float(averages[-rank]), n, "hodges-lehmann", confidence)


def signed_rank_p(values: Sequence[float] | Floats) -> float:
    """Exact two-sided p of Wilcoxon's signed-rank test that the values are symmetric about 0.

    Zeros are left out (Hollander and Wolfe, 3.1); ties get mid-ranks and the null distribution is that of the mid-ranks
    seen (sums of random subsets of them), so p is exact also then. All zeros: 1.
    """
    data = _data(values)
    data = data[data != 0]
    if not len(data):
        return 1.0
    twice_ranks = _twice_midranks(np.abs(data))
    null = _subset_sums(twice_ranks)
    seen = int(twice_ranks[data > 0].sum())
    return float(min(1.0, 2 * min(null[: seen + 1].sum(), null[seen:].sum())))


def _twice_midranks(sizes: Floats) -> NDArray[np.int64]:
    _, place, count = np.unique(sizes, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    twice: NDArray[np.int64] = (2 * last - count + 1)[place]
    return twice


def t_quantile(confidence: float, degrees: float) -> float:
    """Student's t for a two-sided interval."""
    from scipy.special import stdtrit  # noqa: PLC0415 - loads 50 modules that a command without statistics can do without

    return float(stdtrit(degrees, (1 + confidence) / 2))


def mean_t(values: Sequence[float] | Floats, confidence: float = CONFIDENCE) -> Interval:
    """The mean with Student's t interval; of paired differences it is the paired t interval."""
    data = _data(values)
    n, mean = len(data), float(np.mean(data))
    if n < MIN_ROUNDS:
        return Interval(mean, None, None, n, "t", confidence, too_few(n))
    half = t_quantile(confidence, n - 1) * float(np.std(data, ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - half, mean + half, n, "t", confidence)


def bootstrap_t(values: Sequence[float] | Floats, confidence: float = CONFIDENCE) -> Interval:
    """The mean with the symmetric bootstrap-t interval (P. Hall, *The Bootstrap and Edgeworth Expansion*, 3.6). For costs.

    Student's multiplier of the standard error is replaced by the quantile of |t| in resamples of the rounds, since with
    skewed or two-mode noise it is too small; it stays between Student's and WIDEST times that. The resamples are the same in
    every call. A slow mode that shows in fewer than about one round in five can't be covered by any interval for a mean
    of 8 to 12 rounds: most such experiments never see it.
    """
    data = _data(values)
    n, mean = len(data), float(np.mean(data))
    if n < MIN_ROUNDS:
        return Interval(mean, None, None, n, "bootstrap-t", confidence, too_few(n))
    error = float(np.std(data, ddof=1)) / math.sqrt(n)
    student = t_quantile(confidence, n - 1)
    resampled = _resampled_t(data - mean, error)
    seen = float(np.quantile(resampled, confidence)) if len(resampled) else student
    half = error * min(max(seen, student), WIDEST * student)
    return Interval(mean, mean - half, mean + half, n, "bootstrap-t", confidence)


def _resampled_t(centred: Floats, error: float) -> Floats:
    """|mean| / standard error of each resample; those of (nearly) one repeated value have no spread and are left out."""
    n = len(centred)
    weights = _resamples(n)
    means = weights @ centred / n
    errors = np.sqrt(np.maximum(weights @ centred**2 / n - means**2, 0) / (n - 1))
    kept = errors > 1e-9 * error
    statistics: Floats = np.abs(means[kept]) / errors[kept]
    return statistics


@cache
def _resamples(n: int) -> Floats:
    """How often each of n rounds is in each of RESAMPLES draws with replacement; shape (RESAMPLES, n)."""
    weights: Floats = np.random.default_rng(n).multinomial(n, np.full(n, 1 / n), RESAMPLES).astype(np.float64)
    return weights


def equivalent(interval: Interval, margin: float) -> bool | None:
    """Whether the whole interval lies within ±margin; None without an interval.

    With a 95 % interval this is two one-sided tests at 2.5 % each, stricter than the customary 5 %.
    """
    if interval.low is None or interval.high is None:
        return None
    return -margin <= interval.low and interval.high <= margin


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Holm's adjusted p of each name: compare with the level wanted for the family."""
    adjusted: dict[str, float] = {}
    largest = 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: (p_values[name], name))):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


def _data(values: Sequence[float] | Floats) -> Floats:
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or not len(data) or not np.isfinite(data).all():
        raise ValueError(f"an interval needs one finite number per round, got {values!r}")
    return data
