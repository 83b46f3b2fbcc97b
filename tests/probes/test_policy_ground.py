"""The ground on which features are proven: its outsider, and its clients."""

from harness.model.plan import PROBE_IDENTITY, Identity, Issuer, Plan
from harness.model.program import Program
from harness.probes import policy_ground
from harness.probes.policy_ground import CALLER, OUTSIDER, POLICIES
from tests.probes.fake import APP

PROBE = Identity(PROBE_IDENTITY, "spiffe://hoptax.local/ns/default/sa/probe")


def test_an_outsider_is_of_the_mesh_and_of_no_service() -> None:
    plan = Plan((), "caller-0", identities=(PROBE,), issuer=Issuer(Program("issuer")))

    added = policy_ground.with_outsider(plan).identities[-1]

    assert added == Identity(OUTSIDER, "spiffe://hoptax.local/ns/default/sa/outsider")
    assert OUTSIDER not in {service.name for service in policy_ground.topology(APP).services}


def test_where_nobody_is_identified_nobody_is_an_outsider() -> None:
    assert policy_ground.with_outsider(Plan((), "caller-0")) == Plan((), "caller-0")


def test_the_caller_calls_everybody_and_is_called_by_nobody() -> None:
    topology = policy_ground.topology(APP)

    assert {call.service for call in topology.service(CALLER).calls()} == policy_ground.SERVICES.keys()
    assert CALLER not in {hop.callee for hop in topology.hops()}


def test_proofs_of_one_feature_stay_below_what_another_acts_on() -> None:
    """Errors in a row of the proofs of retries, and calls at once, by the settings as they are now."""
    from harness.probes import parity_breaker, parity_retries

    at_once = parity_retries.AT_ONCE
    in_a_row = at_once + 2 * POLICIES.retry.budget_least * POLICIES.retry.attempts
    assert in_a_row < POLICIES.ejection.consecutive
    assert at_once <= POLICIES.breaker.max_connections
    assert POLICIES.retry.per_try_timeout_s > 2 * parity_breaker.HELD_S
