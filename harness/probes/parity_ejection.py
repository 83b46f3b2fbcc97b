"""Outlier ejection as the replicas count it: who gets nothing after many errors, how many may be out, and that it comes back."""

import time
from collections.abc import Callable, Sequence

from harness.model.plan import replica_host
from harness.model.run import Parity
from harness.probes import observe
from harness.probes.policy_ground import MANY, POLICIES, REPLICAS, Ground

EJECTION = POLICIES.ejection
MOST_CALLS = EJECTION.consecutive * REPLICAS * 3
AFTERWARDS = 30
"""Sent to three replicas at random, that many miss one of them once in 200,000 times."""
BEYOND = 5
SETTLED_S = 0.05
"""A mesh may decide beside its requests; so long after the last error it has."""
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


def most(errors: int) -> Parity:
    """With one of three out, a second may fail as it likes: more than half of them may not be out."""
    seen = f"a second replica got {errors} calls, all failed ({EJECTION.consecutive} put one out)"
    return Parity("outlier-ejection: no more than its share out", errors > EJECTION.consecutive, seen)


def back(after_s: float | None) -> Parity:
    """It gets calls again, not before its time."""
    fine = after_s is not None and EJECTION.base_s * EARLY <= after_s <= EJECTION.base_s + LATE_S
    seen = "never seen again" if after_s is None else f"back after {after_s:.2f} s"
    return Parity("outlier-ejection: endpoint comes back", fine, f"{seen} (out for {EJECTION.base_s:g} s)")


def prove(ground: Ground, *, on: bool, clock_s: Callable[[], float] = time.monotonic) -> tuple[Parity, ...]:
    """Makes one replica fail, then a second, then none."""
    ground.order(replica_host(MANY, 0), status=500)
    errors = _fail(ground, EJECTION.consecutive)
    ejected_s = clock_s()
    time.sleep(SETTLED_S)
    observe.reset(ground.deployment)
    statuses = [ground.call(MANY).status for _ in range(AFTERWARDS)]
    seen = (errors, statuses, ground.counts(MANY))
    if not on:
        ground.recover()
        return (kept(*seen),)
    ground.order(replica_host(MANY, 1), status=500)
    second = most(_fail(ground, EJECTION.consecutive + BEYOND))
    ground.recover()
    return out(*seen), second, back(_seen_again_s(ground, ejected_s, clock_s))


def _fail(ground: Ground, errors: int) -> int:
    """Calls until so many have failed, or in vain; how many did."""
    failed = 0
    for _ in range(MOST_CALLS):
        failed += ground.call(MANY).status == 500
        if failed == errors:
            break
    return failed


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
