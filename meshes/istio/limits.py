"""Settings of the shared traffic that Istio has no field for: they have to be what its Envoys do by themselves. Pure."""

from collections.abc import Iterator

from harness.model.errors import UsageError
from harness.model.mesh import Traffic

BACKOFF_GROWTH = 10
"""Envoy's longest wait between tries, in times of its first, where only the first is told."""
FIXED = Traffic()
"""What an Envoy does about headers and buffers when it isn't told."""
NOT_IN_A_PATH = frozenset("*{}")
"""Letters that mean something else in the paths of an AuthorizationPolicy."""


def check(features: frozenset[str], traffic: Traffic) -> None:
    """UsageError that names every setting in question."""
    if found := "; ".join(_differing(features, traffic)):
        raise UsageError(f"mesh 'istio' can't be told {found}: leave these as they are, or leave the arm out")


def _bounds(features: frozenset[str], traffic: Traffic) -> Iterator[tuple[str, int]]:
    breaker = traffic.policies.breaker
    yield from (("max_connections", traffic.max_connections), ("max_requests", traffic.max_requests))
    if "circuit-breaking" in features:
        yield from (("breaker's max_connections", breaker.max_connections), ("max_pending", breaker.max_pending))
    if "retries" in features:
        yield ("budget_least", traffic.policies.retry.budget_least)


def _differing(features: frozenset[str], traffic: Traffic) -> Iterator[str]:
    for setting in ("max_header_bytes", "max_headers", "buffer_bytes"):
        told, has = getattr(traffic, setting), getattr(FIXED, setting)
        if told != has:
            yield f"{setting} {told} (it has {has})"
    yield from (f"{name} 0 (to it that is its own default)" for name, bound in _bounds(features, traffic) if bound == 0)
    retry, denied = traffic.policies.retry, traffic.policies.authorization.denied_prefix
    most_s = retry.backoff_base_s * BACKOFF_GROWTH
    if "retries" in features and abs(retry.backoff_most_s - most_s) > most_s / 1000:
        yield f"backoff_most_s {retry.backoff_most_s:g} (it has {BACKOFF_GROWTH} times backoff_base_s, {most_s:g})"
    if "authz" in features and NOT_IN_A_PATH & set(denied):
        yield f"denied_prefix {denied!r} ({' '.join(sorted(NOT_IN_A_PATH))} stand for others in its paths)"
