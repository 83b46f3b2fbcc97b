"""Does a 95 % interval hold the truth in 95 % of experiments? Simulated experiments, summed up as results are. Pure.

Whole windows of rows are drawn, so that quantiles are those that a result has. Noise comes at three levels: rows within a
window, a factor of each window of its own, and a drift of each round that its arms share. The truth of each figure is taken from
tens of thousands of rounds more.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.analysis import compare
from harness.analysis.histogram import exact_quantiles
from harness.analysis.intervals import Floats, Interval, mean_t

ARMS = {"bare": 800.0, "far": 1200.0, "near": 1100.0}
"""Median service time of three arms, µs: nothing, and two meshes that add about 400 and 300."""

CPU_S = {"bare": 0.9, "far": 2.6, "near": 2.2}
"""CPU seconds per 1,000 requests."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Factors around 1: `row` of every request, `window` of every window, `drift` of every round; arguments (random, shape)."""

    name: str
    row: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    window: Callable[[np.random.Generator, tuple[int, ...]], Floats]
    drift: Callable[[np.random.Generator, tuple[int, ...]], Floats]


def _mode(random: np.random.Generator, shape: tuple[int, ...], often: float, factor: float) -> Floats:
    return np.where(random.random(shape, dtype=np.float32) < often, factor, 1.0)


SKEWED = Noise(
    "skewed",
    row=lambda random, shape: np.exp(0.4 * random.standard_normal(shape, dtype=np.float32)),
    window=lambda random, shape: 1 + 0.04 * random.exponential(1.0, shape),
    drift=lambda random, shape: np.exp(0.1 * random.standard_normal(shape)),
)
"""Log-normal rows; windows with an exponential tail of slow ones; a drift of ±10 %."""

TWO_MODES = Noise(
    "two modes",
    row=lambda random, shape: (
        _mode(random, shape, 0.1, 2.5) * np.exp(0.2 * random.standard_normal(shape, dtype=np.float32))
    ),
    window=lambda random, shape: _mode(random, shape, 0.3, 1.08) * (1 + 0.01 * random.standard_normal(shape)),
    drift=lambda random, shape: _mode(random, shape, 0.4, 1.3),
)
"""One row in ten takes 2.5 times as long; three windows in ten are 8 % slow; four rounds in ten are 30 % slow."""

NOISES = (SKEWED, TWO_MODES)

Values = Mapping[str, Floats]
"""Per arm one value per round."""

Windows = Mapping[str, Values]
"""The same per metric."""


def windows(noise: Noise, rounds: int, rows: int, random: np.random.Generator) -> Windows:
    """`rounds` rounds of every arm with `rows` requests in each window: p50, p99 and mean (µs), and CPU (s per 1,000)."""
    drift = noise.drift(random, (rounds,))
    found: dict[str, dict[str, Floats]] = {metric: {} for metric in ("p50", "p99", "mean", "cpu")}
    for arm, median_us in ARMS.items():
        factor = drift * noise.window(random, (rounds,))
        quantiles, means = _latency(noise, median_us * factor, rows, random)
        found["p50"][arm], found["p99"][arm], found["mean"][arm] = *quantiles, means
        found["cpu"][arm] = CPU_S[arm] * drift * noise.window(random, (rounds,))
    return found


def _latency(noise: Noise, medians_us: Floats, rows: int, random: np.random.Generator) -> tuple[Floats, Floats]:
    """p50 and p99 (2, rounds) and the mean of each window, from rows in whole nanoseconds as the engine records them."""
    quantiles, means = np.empty((2, len(medians_us))), np.empty(len(medians_us))
    for n, median_us in enumerate(medians_us):
        rows_ns = (1000 * median_us * noise.row(random, (rows,))).astype(np.int64)
        quantiles[:, n] = list(exact_quantiles(rows_ns, 0, (0.5, 0.99)).values())
        means[n] = rows_ns.mean()
    return quantiles / 1000, means / 1000


@dataclass(frozen=True, slots=True)
class Figure:
    """One kind of interval of a metric: how it is computed, and what is true of many rounds."""

    name: str
    metric: str
    interval: Callable[[Values], Interval | None]
    truth: Callable[[Values], float]


def figures() -> Iterator[Figure]:
    """Every kind of interval that a summary gives; Student's t beside the one used for means, to show why it isn't."""
    for metric in ("p50", "p99"):
        yield from _of_latency(metric)
    for metric in ("cpu", "mean"):
        yield from _of_means(metric)


def _added(arms: Values, arm: str = "far") -> Floats:
    return arms[arm] - arms["bare"]


def _logs(arms: Values) -> Floats:
    logs: Floats = np.log(arms["far"] / arms["bare"])
    return logs


def _of_latency(metric: str) -> Iterator[Figure]:
    yield Figure("absolute", metric, lambda v: compare.absolute("latency", v["far"]), lambda v: pseudomedian(v["far"]))
    yield Figure(
        "difference",
        metric,
        lambda v: compare.difference("latency", v["far"], v["bare"]),
        lambda v: pseudomedian(_added(v)),
    )
    yield Figure(
        "ratio",
        metric,
        lambda v: compare.ratio("latency", v["far"], v["bare"]),
        lambda v: math.exp(pseudomedian(_logs(v))),
    )
    yield Figure(
        "added ratio",
        metric,
        lambda v: compare.added_ratio("latency", v["near"], v["far"], v["bare"]),
        lambda v: _centring(_added(v, "near"), _added(v)),
    )


def _of_means(metric: str) -> Iterator[Figure]:
    yield Figure("absolute", metric, lambda v: compare.absolute("cost", v["far"]), lambda v: float(v["far"].mean()))
    yield Figure("difference (Student's t)", metric, lambda v: mean_t(_added(v)), lambda v: float(_added(v).mean()))
    yield Figure(
        "difference",
        metric,
        lambda v: compare.difference("cost", v["far"], v["bare"]),
        lambda v: float(_added(v).mean()),
    )
    yield Figure(
        "ratio",
        metric,
        lambda v: compare.ratio("cost", v["far"], v["bare"]),
        lambda v: math.exp(float(_logs(v).mean())),
    )
    yield Figure(
        "added ratio",
        metric,
        lambda v: compare.added_ratio("cost", v["near"], v["far"], v["bare"]),
        lambda v: float(_added(v, "near").mean() / _added(v).mean()),
    )


def pseudomedian(values: Floats, draws: int = 300_000) -> float:
    """The median of (X + X′)/2 for two independent values of many: what Hodges–Lehmann estimates."""
    random = np.random.default_rng(0)
    return float(np.median(random.choice(values, draws) + random.choice(values, draws)) / 2)


def _centring(top: Floats, bottom: Floats) -> float:
    """The θ at which top − θ·bottom has pseudomedian 0: what rank_ratio estimates. By bisection."""
    low, high = 0.0, 4.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if pseudomedian(top - middle * bottom) > 0 else (low, middle)
    return (low + high) / 2


@dataclass(frozen=True, slots=True)
class Coverage:
    """The share of experiments whose interval held the truth, and how many gave an interval."""

    figure: Figure
    truth: float
    held: int
    experiments: int
    median_width: float

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.held / self.experiments


def coverages(noise: Noise, rounds: int, experiments: int, rows: int, truth: Windows, seed: int) -> list[Coverage]:
    """The coverage of every figure in `experiments` experiments of `rounds` rounds; `truth` has the rounds that tell it."""
    data = windows(noise, rounds * experiments, rows, np.random.default_rng(seed))
    return [measure(figure, data[figure.metric], truth[figure.metric], rounds) for figure in figures()]


def measure(figure: Figure, data: Values, truth: Values, rounds: int) -> Coverage:
    """The coverage of one figure; `data` has experiment after experiment of `rounds` rounds."""
    true = figure.truth(truth)
    experiments = [data[arm].reshape(-1, rounds) for arm in ARMS]
    ends = []
    for values in zip(*experiments, strict=True):
        interval = figure.interval(dict(zip(ARMS, values, strict=True)))
        if interval is None or interval.low is None or interval.high is None:
            raise ValueError(f"{figure.name} of {figure.metric} gave no interval")
        ends.append((interval.low, interval.high))
    low, high = np.array(ends).T
    held = int(((low <= true) & (true <= high)).sum())
    return Coverage(figure, true, held, len(ends), float(np.median(high - low)))
