"""From paired rounds of two arms to an absolute figure, a difference, a ratio, and a ratio of what both add. Pure.

All arguments have one value per round, in the same order of rounds. Latency is summed up by signed ranks, means and costs by
the bootstrap-t; ratios are of the geometric kind: the interval of the paired log-ratios, exponentiated.
"""

import math

import numpy as np

from harness.analysis.intervals import CONFIDENCE, Floats, Interval, bootstrap_t, hodges_lehmann
from harness.analysis.metrics import Kind
from harness.analysis.ratios import fieller, rank_ratio


def absolute(kind: Kind, values: Floats, confidence: float = CONFIDENCE) -> Interval:
    """The arm's own figure."""
    return hodges_lehmann(values, confidence) if kind == "latency" else bootstrap_t(values, confidence)


def difference(kind: Kind, arm: Floats, against: Floats, confidence: float = CONFIDENCE) -> Interval:
    """Arm minus the other, in the metric's unit."""
    if kind == "latency":
        return hodges_lehmann(arm - against, confidence)
    return bootstrap_t(arm - against, confidence).mapped(float, "paired-bootstrap-t")


def ratio(kind: Kind, arm: Floats, against: Floats, confidence: float = CONFIDENCE) -> Interval | None:
    """Arm over the other; None where a value isn't positive, since there is no such ratio."""
    if (arm <= 0).any() or (against <= 0).any():
        return None
    logs = np.log(arm / against)
    if kind == "latency":
        return hodges_lehmann(logs, confidence).mapped(math.exp, "hodges-lehmann-log-ratio")
    return bootstrap_t(logs, confidence).mapped(math.exp, "paired-bootstrap-t-log-ratio")


def added_ratio(kind: Kind, arm: Floats, against: Floats, reference: Floats) -> Interval:
    """What the arm adds to the reference over what the other adds to it; see harness.analysis.ratios."""
    method = rank_ratio if kind == "latency" else fieller
    return method(arm - reference, against - reference)


def share(shares: Floats, of: int, confidence: float = CONFIDENCE) -> Interval:
    """A share pooled over rounds of equally many requests, `of` in all, kept within 0 to 1.

    The interval is the bootstrap-t over rounds, since failures come in bursts. Where no request failed in any round it reaches
    from 0 to 1 − 0.025^(1/of) (C. J. Clopper and E. S. Pearson, Biometrika 26, 1934), because "never seen" isn't "never".
    """
    pooled = bootstrap_t(shares, confidence)
    if pooled.low is None or pooled.high is None:
        return pooled.mapped(float, "pooled-share")
    if pooled.estimate == 0 and of:
        high = 1 - ((1 - pooled.confidence) / 2) ** (1 / of)
        return Interval(0.0, 0.0, high, pooled.rounds, "clopper-pearson", pooled.confidence)
    return pooled.mapped(lambda end: min(1.0, max(0.0, end)), "pooled-share")


def share_difference(arm: Interval, against: Interval) -> Interval:
    """Difference of two shares from their own intervals (R. G. Newcombe, Statist. Med. 17, 1998, method 10's construction).

    It doesn't use the pairing, so it is rather too wide than too narrow.
    """
    middle, method = arm.estimate - against.estimate, "newcombe"
    if arm.low is None or arm.high is None or against.low is None or against.high is None:
        return Interval(middle, None, None, arm.rounds, method, arm.confidence, arm.note)
    low = middle - math.hypot(arm.estimate - arm.low, against.high - against.estimate)
    high = middle + math.hypot(arm.high - arm.estimate, against.estimate - against.low)
    return Interval(middle, low, high, arm.rounds, method, arm.confidence)
