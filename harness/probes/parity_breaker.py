"""Circuit breaking as callers and the callee see it: how many calls the callee holds at once, and how many are refused."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from harness.model.plan import replica_host
from harness.model.run import Parity
from harness.probes import observe
from harness.probes.policy_ground import POLICIES, SOLO, Ground

BREAKER = POLICIES.breaker
EXCESS = 5
ALL = BREAKER.max_connections + BREAKER.max_pending + EXCESS
HELD_S = 0.4
"""Two of them (to wait, then to be served) are less than a try may take where retries are on too."""
TIMES = 5
"""Calls have to be there while the first are held: on a machine too busy for that it is tried again."""
ASK_AGAIN_S = 0.005


def refused(statuses: Sequence[int], most_at_once: int) -> Parity:
    """So many are held, so many wait and are served later, and the rest is answered 503."""
    served = BREAKER.max_connections + BREAKER.max_pending
    fine = sorted(statuses) == [200] * served + [503] * EXCESS and most_at_once == BREAKER.max_connections
    return Parity("circuit-breaking: excess refused", fine, _seen(statuses, most_at_once))


def open_to_all(statuses: Sequence[int], most_at_once: int) -> Parity:
    """Without it nobody waits and nobody is refused."""
    fine = set(statuses) == {200} and most_at_once == len(statuses)
    return Parity("circuit-breaking: off, nobody is refused", fine, _seen(statuses, most_at_once))


def prove(ground: Ground, *, on: bool, clock_s: Callable[[], float] = time.monotonic) -> tuple[Parity, ...]:
    """Fills the callee, then calls more often than may wait."""
    proof = Parity("circuit-breaking: tried", passed=False, seen="no calls were made")
    for _ in range(TIMES):
        statuses, most_at_once, taken_s = _rush(ground, clock_s)
        proof = (refused if on else open_to_all)(statuses, most_at_once)
        ground.recover()
        if proof.passed or taken_s < HELD_S:
            break
    return (proof,)


def _rush(ground: Ground, clock_s: Callable[[], float]) -> tuple[list[int], int, float]:
    """Statuses, how many the callee held at once, and the time within which all calls had been made or were answered."""
    ground.order(replica_host(SOLO, 0), sleep_s=HELD_S)
    with ThreadPoolExecutor(ALL) as pool:
        start_s = clock_s()
        calls = ground.at_once(pool, BREAKER.max_connections, SOLO)
        while clock_s() - start_s < HELD_S and _most_at_once(ground) < BREAKER.max_connections:
            time.sleep(ASK_AGAIN_S)
        calls += ground.at_once(pool, ALL - BREAKER.max_connections, SOLO)
        taken_s = clock_s() - start_s
        statuses = [call.result().status for call in calls]
    return statuses, _most_at_once(ground), taken_s


def _most_at_once(ground: Ground) -> int:
    return observe.served(ground.deployment)[replica_host(SOLO, 0)].most_at_once


def _seen(statuses: Sequence[int], most_at_once: int) -> str:
    limits = f"{BREAKER.max_connections} connections and {BREAKER.max_pending} that wait"
    return f"of {len(statuses)} calls {statuses.count(503)} refused, {most_at_once} at the callee at once (limits: {limits})"
