"""Outlier ejection as the replicas count it: who gets nothing after many errors, how many may be out, and that it comes back."""

import time
from collections.abc import Callable, Sequence

from harness.model.plan import replica_host
from harness.model.run import Parity
from harness.probes import observe
from harness.probes.policy_ground import MANY, POLICIES, REPLICAS, Ground

EJECTION = POLICIES.ejection
AFTERWARDS = 30
"""Sent to three replicas at random, that many miss one of them once in 200,000 times."""
EARLY, LATE_S = 0.9, 2.0
ASK_AGAIN_S = 0.02


def out(errors: int, statuses: Sequence[int], counts: Sequence[int]) -> Parity:
    """After so many errors in a row a replica gets nothing, and no call fails."""
    fine = errors == EJECTION.consecutive and counts[0] == 0 and set(statuses) == {200}
    return Parity("outlier-ejection: failing endpoint left out", fine, _seen(errors, statuses, counts))


def kept(errors: int, statuses: Sequence[int], counts: Sequence[int]) -> Parity:
    """Without it a replica that fails gets its share all the same."""
    fine = errors == EJECTION.consecutive and counts[0] > 0 and statuses.count(500) == counts[0]
    return Parity("outlier-ejection: off, failing endpoint keeps its share", fine, _seen(errors, statuses, counts))


def most(errors: int, counts: Sequence[int]) -> Parity:
    """With one of three out, a second may fail as it likes: more than half of them may not be out."""
    seen = f"{errors} errors of a second replica, then {'-'.join(map(str, counts))} calls at the replicas"
    fine = errors == EJECTION.consecutive and counts[1] > 0
    return Parity("outlier-ejection: no more than its share out", fine, seen)


def back(after_s: float | None) -> Parity:
    """It gets calls again, not before its time."""
    fine = after_s is not None and EJECTION.base_s * EARLY <= after_s <= EJECTION.base_s + LATE_S
    seen = "never seen again" if after_s is None else f"back after {after_s:.2f} s"
    return Parity("outlier-ejection: endpoint comes back", fine, f"{seen} (out for {EJECTION.base_s:g} s)")


def prove(ground: Ground, *, on: bool, clock_s: Callable[[], float] = time.monotonic) -> tuple[Parity, ...]:
    """Makes one replica fail, then a second, then none."""
    ground.order(replica_host(MANY, 0), status=500)
    errors = ground.fail(MANY, EJECTION.consecutive)
    ejected_s = clock_s()
    seen = (errors, *_then(ground))
    if not on:
        ground.recover()
        return (kept(*seen),)
    ground.order(replica_host(MANY, 1), status=500)
    errors = ground.fail(MANY, EJECTION.consecutive)
    second = most(errors, _then(ground)[1])
    ground.recover()
    return out(*seen), second, back(_seen_again_s(ground, ejected_s, clock_s))


def _then(ground: Ground) -> tuple[list[int], tuple[int, ...]]:
    """What callers and replicas see of the calls that follow."""
    observe.reset(ground.deployment)
    return [ground.call(MANY).status for _ in range(AFTERWARDS)], ground.counts(MANY)


def _seen_again_s(ground: Ground, since_s: float, clock_s: Callable[[], float]) -> float | None:
    while (now_s := clock_s()) - since_s <= EJECTION.base_s + LATE_S:
        for _ in range(REPLICAS):
            ground.call(MANY)
        if ground.counts(MANY)[0]:
            return now_s - since_s
        time.sleep(ASK_AGAIN_S)
    return None


def _seen(errors: int, statuses: Sequence[int], counts: Sequence[int]) -> str:
    then = f"then {statuses.count(200)} of {len(statuses)} calls answered"
    return f"{errors} errors of the first replica, {then}, {'-'.join(map(str, counts))} at the replicas"
