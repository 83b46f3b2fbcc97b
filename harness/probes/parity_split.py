"""The split as the replicas count it: whether the canary's share agrees with what was asked for, by the binomial interval."""

from collections.abc import Sequence
from math import exp, lgamma, log

from harness.model.plan import replica_host
from harness.model.run import Parity
from harness.probes.policy_ground import MANY, POLICIES, REPLICAS, Ground

CALLS = 500
AFTERWARDS = 60
"""Of those the canary, were it called, would miss all once in 600,000 times."""
DOUBT = 1e-4
"""A right mesh fails one proof in 10,000. An even spread at random looks like a fifth, and a fifth like an even spread, once in 300."""


def interval(calls: int, share: float, doubt: float = DOUBT) -> tuple[int, int]:
    """The counts outside of which lies at most `doubt` of the binomial distribution, half at each end."""
    low = _quantile(calls, share, doubt / 2)
    return low, calls - _quantile(calls, 1 - share, doubt / 2)


def _quantile(calls: int, share: float, tail: float) -> int:
    """The largest count below which lies at most `tail`."""
    below = 0.0
    for count in range(calls + 1):
        below += _probability(calls, count, share)
        if below > tail:
            return count
    return calls


def _probability(calls: int, count: int, share: float) -> float:
    ways = lgamma(calls + 1) - lgamma(count + 1) - lgamma(calls - count + 1)
    return exp(ways + count * log(share) + (calls - count) * log(1 - share))


def shared(counts: Sequence[int], *, on: bool) -> Parity:
    """The last replica's count; without a split it is one of three."""
    share = POLICIES.split.canary_share if on else 1 / REPLICAS
    low, high = interval(CALLS, share)
    fine = sum(counts) == CALLS and low <= counts[-1] <= high
    seen = f"{'-'.join(map(str, counts))} of {CALLS} calls, the last is the canary ({share:.0%}: {low} to {high})"
    return Parity("split: canary gets its share" if on else "split: off, the last gets no other share", fine, seen)


def canary_out(failed: int, statuses: Sequence[int]) -> Parity:
    """A canary that is ejected isn't called, and its share isn't lost: the others get it."""
    fine = failed == POLICIES.ejection.consecutive and set(statuses) == {200}
    seen = f"{failed} errors of the canary, then {statuses.count(200)} of {len(statuses)} calls answered"
    return Parity("split: others stand in for an ejected canary", fine, seen)


def prove(ground: Ground, *, on: bool, ejects: bool) -> tuple[Parity, ...]:
    """Calls and counts; where failing endpoints are ejected (`ejects`), the canary fails in the end."""
    ground.recover()
    for _ in range(CALLS):
        ground.call(MANY)
    proofs = (shared(ground.counts(MANY), on=on),)
    return (*proofs, _canary_fails(ground)) if on and ejects else proofs


def _canary_fails(ground: Ground) -> Parity:
    ground.order(replica_host(MANY, REPLICAS - 1), status=500)
    failed = ground.fail(MANY, POLICIES.ejection.consecutive)
    statuses = [ground.call(MANY).status for _ in range(AFTERWARDS)]
    ground.recover()
    return canary_out(failed, statuses)
