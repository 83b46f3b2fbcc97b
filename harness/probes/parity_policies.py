"""Every feature beside forwarding, proven on one running policy ground: that it acts when it is on, and doesn't when it is off."""

from collections.abc import Iterator

from harness.model.plan import Plan
from harness.model.platform import Deployment
from harness.model.run import Parity
from harness.probes import (
    parity_authz,
    parity_breaker,
    parity_ejection,
    parity_log,
    parity_retries,
    parity_split,
    parity_tracing,
)
from harness.probes.policy_ground import Ground


def applies(plan: Plan) -> bool:
    """Whether anybody could do what is proven here: an app that calls its callees itself has none of it."""
    return any(unit.host == plan.entry_host and unit.role == "sidecar" for unit in plan.units)


def prove(deployment: Deployment, features: frozenset[str]) -> tuple[Parity, ...]:
    """Makes the calls on a running policy ground and judges them."""
    ground = Ground(deployment)
    try:
        return tuple(_proofs(ground, features))
    finally:
        ground.close()


def _proofs(ground: Ground, features: frozenset[str]) -> Iterator[Parity]:
    """Logs are read last: that they stay empty is worth something only after a while."""
    parity_log.make_calls(ground)
    yield from parity_tracing.prove(ground, on="tracing" in features)
    yield from parity_authz.prove(ground, on="authz" in features, mtls="mtls" in features)
    yield from parity_retries.prove(ground, on="retries" in features)
    yield from parity_breaker.prove(ground, on="circuit-breaking" in features)
    yield from parity_ejection.prove(ground, on="outlier-ejection" in features)
    yield from parity_split.prove(ground, on="split" in features, ejects="outlier-ejection" in features)
    yield from parity_log.prove(ground, on="access-log" in features, peer=_caller(ground.deployment.plan))


def _caller(plan: Plan) -> str:
    return next((unit.identity for unit in plan.units if unit.host == plan.entry_host and unit.role == "sidecar"), "")
