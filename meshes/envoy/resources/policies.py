"""What the caller's sidecar does beside forwarding (retries, breaker, ejection, split), in Envoy's words. Pure.

What each setting means is told in harness.model.policy; docs/features.md says where Envoy means something else.
"""

from collections.abc import Sequence
from typing import Any

from meshes.builtin.policies import MOST_EJECTED_S, Breaker, Ejection, Retry, Split
from meshes.envoy.resources.limits import duration, percent

Json = dict[str, Any]

OTHER_PICKS = 3
"""How often the balancer is asked again when it names an endpoint that was tried already."""
LOOKS_PER_EJECTION = 10
"""Envoy looks for endpoints whose time is up by a timer: so many times per ejection, so one is out for at most a tenth longer."""
OUT_IS_OUT: Json = {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}
"""Of a cluster: ejected endpoints get nothing, however many they are, and at once; Envoy's own way is to call them all the same when more
than half are out, and to collect changes for a second."""
PARTS = 10_000
"""Shares of a split are whole numbers of this."""
ALL_OF_IT = 100_000
"""Overprovisioning (%) with which one endpoint in a thousand carries a whole tier; Envoy's 140 % moves calls as soon as three in ten are out."""
RETRY = "type.googleapis.com/envoy.extensions.retry."
ANOTHER_HOST: Json = {
    "name": "envoy.retry_host_predicates.previous_hosts",
    "typed_config": {"@type": f"{RETRY}host.previous_hosts.v3.PreviousHostsPredicate"},
}
ANOTHER_TIER: Json = {
    "name": "envoy.retry_priorities.previous_priorities",
    "typed_config": {
        "@type": f"{RETRY}priority.previous_priorities.v3.PreviousPrioritiesConfig",
        "update_frequency": 1,
    },
}


def retry_policy(retry: Retry, *, tiers: bool) -> Json:
    """Of a route: 502, 503, 504, no connection, or no answer (a broken connection, a try that took too long), on another endpoint."""
    policy: Json = {
        "retry_on": "gateway-error,connect-failure,reset",
        "num_retries": retry.attempts,
        "per_try_timeout": duration(retry.per_try_timeout_s),
        "retry_back_off": {
            "base_interval": duration(retry.backoff_base_s),
            "max_interval": duration(retry.backoff_most_s),
        },
        "retry_host_predicate": [ANOTHER_HOST],
        "host_selection_retry_max_attempts": OTHER_PICKS,
    }
    return policy | {"retry_priority": ANOTHER_TIER} if tiers else policy


def retry_budget(retry: Retry) -> Json:
    """Of a cluster's threshold: takes the place of `max_retries`."""
    return {"budget_percent": percent(retry.budget_share), "min_retry_concurrency": retry.budget_least}


def breaker_limits(breaker: Breaker) -> Json:
    """Of a cluster's threshold."""
    return {"max_connections": breaker.max_connections, "max_pending_requests": breaker.max_pending}


def outlier_detection(ejection: Ejection) -> Json:
    """Of a cluster: errors in a row and nothing else; the statistical rules that Envoy has by default are off."""
    return {
        "consecutive_5xx": ejection.consecutive,
        "enforcing_consecutive_5xx": 100,
        "enforcing_consecutive_gateway_failure": 0,
        "enforcing_success_rate": 0,
        "enforcing_failure_percentage": 0,
        "split_external_local_origin_errors": False,
        "interval": duration(ejection.base_s / LOOKS_PER_EJECTION),
        "base_ejection_time": duration(ejection.base_s),
        "max_ejection_time": duration(max(MOST_EJECTED_S, ejection.base_s)),
        "max_ejection_time_jitter": "0s",
        "max_ejection_percent": round(ejection.most_share * 100),
        "always_eject_one_host": True,
    }


def weighted(stable: str, canary: str, split: Split) -> Json:
    """Of a route: two clusters and their shares."""
    share = round(split.canary_share * PARTS)
    return {"clusters": [{"name": stable, "weight": PARTS - share}, {"name": canary, "weight": share}]}


def localities(tiers: Sequence[Sequence[Json]]) -> list[Json]:
    """Of a cluster: a tier gets calls only when all endpoints of those before it are ejected, or when a retry was there already."""
    if len(tiers) == 1:
        return [{"lb_endpoints": list(tiers[0])}]
    return [{"priority": priority, "lb_endpoints": list(tier)} for priority, tier in enumerate(tiers)]
