"""Retries as the callee counts them: how often a failing or slow request arrives, where, and how many at most."""

from concurrent.futures import ThreadPoolExecutor

from harness.model.plan import replica_host
from harness.model.run import Parity
from harness.probes.observe import Answered
from harness.probes.policy_ground import MANY, POLICIES, SOLO, Ground

RETRY = POLICIES.retry
HELD_S = 0.3
AT_ONCE = 8
ELSEWHERE = 12
MOST_ELSEWHERE = 60
SLOW_S = RETRY.per_try_timeout_s + 0.3
EARLY, LATE_S = 0.95, 0.6
"""A try may be cut 5 % before its time (timers tick); then comes a wait of at most 25 ms, and a busy machine."""


def none(failed: Answered, tries: int, slow: Answered, slow_tries: int) -> Parity:
    """Without retries an answer 503 arrives as it is, a slow one too, and each request was there once."""
    fine = (failed.status, tries, slow.status, slow_tries) == (503, 1, 200, 1)
    seen = f"503 arrived as {failed.status} after {tries} tries; {SLOW_S:g} s were waited for as {slow.status} after {slow_tries}"
    return Parity("retries: off, each call is made once", fine, seen)


def repeated(answer: Answered, tries: int) -> Parity:
    """Two failures and a success: the caller sees the success."""
    fine = (answer.status, tries) == (200, RETRY.attempts + 1)
    return Parity("retries: failed tries repeated", fine, f"{answer.status} after {tries} tries of which 2 failed")


def bounded(answer: Answered, tries: int) -> Parity:
    """A callee that never works is tried so many times more, then its answer is passed on."""
    fine = (answer.status, tries) == (503, RETRY.attempts + 1)
    return Parity(
        "retries: no more than allowed", fine, f"{answer.status} after {tries} tries, {RETRY.attempts} repeated"
    )


def cut(answer: Answered, tries: int) -> Parity:
    """A try that is too slow is given up for another, at its time."""
    limit_s = RETRY.per_try_timeout_s
    in_time = limit_s * EARLY <= answer.elapsed_s <= limit_s + LATE_S
    seen = f"{answer.status} after {answer.elapsed_s:.3f} s and {tries} tries (per try {limit_s:g} s, the first took {SLOW_S:g} s)"
    return Parity("retries: slow tries cut", (answer.status, tries) == (200, 2) and in_time, seen)


def budgeted(tries: int) -> Parity:
    """Many requests that fail at once are not all repeated: so many have a retry under way, each may use all of its attempts.

    As many again are allowed for: they begin when the first are over, if the machine is so busy that failures come one by one.
    """
    most = AT_ONCE + 2 * RETRY.budget_least * RETRY.attempts
    seen = f"{tries} tries for {AT_ONCE} calls that failed at once, at most {most} within the budget, {AT_ONCE * 3} without"
    return Parity("retries: within the budget", AT_ONCE < tries <= most, seen)


def elsewhere(statuses: list[int], counts: tuple[int, ...]) -> Parity:
    """With one replica that always fails, no call does."""
    fine = set(statuses) == {200} and counts[0] > 0 and sum(counts) > len(statuses)
    seen = f"{statuses.count(200)} of {len(statuses)} calls answered, tries {'-'.join(map(str, counts))}, the first replica always fails"
    return Parity("retries: on another endpoint", fine, seen)


def prove(ground: Ground, *, on: bool) -> tuple[Parity, ...]:
    """Makes the calls and judges them."""
    host = replica_host(SOLO, 0)
    ground.order(host, status=503, times=RETRY.attempts)
    first, first_tries = ground.call(SOLO), sum(ground.counts(SOLO))
    ground.order(host, sleep_s=SLOW_S, times=1)
    slow, slow_tries = ground.call(SOLO), sum(ground.counts(SOLO))
    if not on:
        return (none(first, first_tries, slow, slow_tries),)
    ground.order(host, status=503)
    never, never_tries = ground.call(SOLO), sum(ground.counts(SOLO))
    ground.recover()
    proofs = (repeated(first, first_tries), bounded(never, never_tries), cut(slow, slow_tries))
    return (*proofs, budgeted(_tries_at_once(ground)), _elsewhere(ground))


def _tries_at_once(ground: Ground) -> int:
    ground.order(replica_host(SOLO, 0), status=503, sleep_s=HELD_S)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for call in ground.at_once(pool, AT_ONCE, SOLO):
            call.result()
    tries = sum(ground.counts(SOLO))
    ground.recover()
    return tries


def _elsewhere(ground: Ground) -> Parity:
    """Calls until the failing replica was asked, which balancing at random may take a while to do."""
    ground.order(replica_host(MANY, 0), status=503)
    statuses: list[int] = []
    counts = ground.counts(MANY)
    while not counts[0] and len(statuses) < MOST_ELSEWHERE:
        statuses += [ground.call(MANY).status for _ in range(ELSEWHERE)]
        counts = ground.counts(MANY)
    ground.recover()
    return elsewhere(statuses, counts)
