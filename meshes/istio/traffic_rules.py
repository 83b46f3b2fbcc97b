"""Where calls go and how, in Istio's words: Sidecar, DestinationRule and VirtualService. Pure.

What each setting means is told in harness.model.policy; docs/features.md says where Istio means something else.
"""

from collections.abc import Iterator

from harness.model.mesh import Traffic
from harness.model.policy import Ejection, Retry
from harness.model.topology import Service, Topology
from meshes.envoy.resources.limits import duration
from meshes.envoy.resources.policies import LOOKS_PER_EJECTION, PARTS
from meshes.istio.filters import clustered
from meshes.istio.names import CANARY, NAMESPACE, STABLE, VERSIONS, host
from meshes.istio.resources import FILTERS, NETWORKING, Json, resource
from meshes.istio.telling import COLLECTOR_HOST

HERE = ["."]
"""Of `exportTo`: what an arm says holds in its own namespace."""
NOBODY = "~/*"
NEVER: Json = {"consecutive5xxErrors": 0, "consecutiveGatewayErrors": 0}
"""Ejects nothing, but without any outlier detection istiod gives endpoints no priorities."""
ELSEWHERE = frozenset(("retries", "outlier-ejection"))
"""Features that send a call to another endpoint than the one it was meant for."""
AT_ONCE: Json = {"common_lb_config": {"update_merge_window": "0s"}}
"""An Envoy that isn't told collects changes of endpoints for a second, and calls an ejected one meanwhile."""
RETRIED = "gateway-error,connect-failure,reset"
"""502, 503, 504, no connection, or no answer, in Envoy's words, which Istio passes on."""


def resources(topology: Topology, features: frozenset[str], traffic: Traffic) -> Iterator[Json]:
    """For every service what its sidecars know, for every callee how it is called; ejections that act at once."""
    for service in topology.services:
        yield resource(NETWORKING, "Sidecar", service.name, _sidecar(service, features, traffic))
    if "outlier-ejection" in features:
        yield resource(FILTERS, "EnvoyFilter", "ejection", {"configPatches": [clustered(AT_ONCE)]})
    called = {call.service for service in topology.services for call in service.calls()}
    for callee in (service for service in topology.services if service.name in called):
        yield resource(NETWORKING, "DestinationRule", callee.name, _destination(callee, features, traffic))
        yield resource(NETWORKING, "VirtualService", callee.name, _route(callee, features, traffic))


def _sidecar(service: Service, features: frozenset[str], traffic: Traffic) -> Json:
    """A sidecar knows the callees in its service's script and nobody else: without it, every Service of the cluster, those of the
    other arms too."""
    callees = dict.fromkeys(call.service for call in service.calls())
    known = [f"./{host(callee)}" for callee in callees]
    if "tracing" in features:
        known.append(f"{NAMESPACE}/{COLLECTOR_HOST}")
    return {
        "workloadSelector": {"labels": {"app": service.name}},
        "egress": [{"hosts": known or [NOBODY]}],
        "outboundTrafficPolicy": {"mode": "ALLOW_ANY"},
        "inboundConnectionPool": _pool(frozenset(), traffic),
    }


def _destination(callee: Service, features: frozenset[str], traffic: Traffic) -> Json:
    policy: Json = {
        "tls": {"mode": "ISTIO_MUTUAL" if "mtls" in features else "DISABLE"},
        "loadBalancer": _balancing(features),
        "connectionPool": _pool(features, traffic),
    }
    if "outlier-ejection" in features:
        policy["outlierDetection"] = _outlier_detection(traffic.policies.ejection)
    elif has_tiers(callee, features):
        policy["outlierDetection"] = NEVER
    if "retries" in features:
        policy["retryBudget"] = _budget(traffic.policies.retry)
    rule: Json = {"host": host(callee.name), "exportTo": HERE, "trafficPolicy": policy}
    if "split" in features:
        rule["subsets"] = [_subset(subset, callee, features) for subset in VERSIONS]
    return rule


def _balancing(features: frozenset[str]) -> Json:
    return {"simple": "LEAST_REQUEST" if "least-request" in features else "ROUND_ROBIN"}


def _pool(features: frozenset[str], traffic: Traffic) -> Json:
    breaker = traffic.policies.breaker
    breaks = "circuit-breaking" in features
    return {
        "tcp": {
            "maxConnections": breaker.max_connections if breaks else traffic.max_connections,
            "connectTimeout": duration(traffic.connect_timeout_s),
        },
        "http": {
            "http1MaxPendingRequests": breaker.max_pending if breaks else traffic.max_requests,
            "http2MaxRequests": traffic.max_requests,
            "maxRetries": traffic.max_requests,
            "idleTimeout": duration(traffic.idle_timeout_s),
            "h2UpgradePolicy": "DO_NOT_UPGRADE",
        },
    }


def _outlier_detection(ejection: Ejection) -> Json:
    """Errors in a row and nothing else; Istio has turned Envoy's statistical rules and its panic threshold off."""
    return {
        "consecutive5xxErrors": ejection.consecutive,
        "consecutiveGatewayErrors": 0,
        "splitExternalLocalOriginErrors": False,
        "interval": duration(ejection.base_s / LOOKS_PER_EJECTION),
        "baseEjectionTime": duration(ejection.base_s),
        "maxEjectionPercent": round(ejection.most_share * 100),
        "minHealthPercent": 0,
    }


def _budget(retry: Retry) -> Json:
    return {"percent": round(retry.budget_share * 100, 6), "minRetryConcurrency": retry.budget_least}


def splits(callee: Service, features: frozenset[str]) -> bool:
    """Whether stable and canary are different endpoints."""
    return "split" in features and callee.replicas > 1


def has_tiers(callee: Service, features: frozenset[str]) -> bool:
    """Whether calls that the canary can't take go to the others, and the other way round."""
    return splits(callee, features) and bool(ELSEWHERE & features)


def _subset(subset: str, callee: Service, features: frozenset[str]) -> Json:
    """Its own pods; where the other subset has to stand in, all pods with its own first; with one replica, that one."""
    version, everyone = VERSIONS[subset], {"app": callee.name}
    if not splits(callee, features):
        return {"name": subset, "labels": everyone}
    if not has_tiers(callee, features):
        return {"name": subset, "labels": {"version": version}}
    first = {"enabled": True, "failoverPriority": [f"version={version}"]}
    balancing = _balancing(features) | {"localityLbSetting": first}
    return {"name": subset, "labels": everyone, "trafficPolicy": {"loadBalancer": balancing}}


def _route(callee: Service, features: frozenset[str], traffic: Traffic) -> Json:
    """The one place where the request timeout and retries apply."""
    way = {
        "route": _destinations(callee, features, traffic),
        "timeout": duration(traffic.request_timeout_s),
        "retries": _retries(callee, features, traffic.policies.retry),
    }
    return {"hosts": [host(callee.name)], "exportTo": HERE, "http": [way]}


def _destinations(callee: Service, features: frozenset[str], traffic: Traffic) -> list[Json]:
    if "split" not in features:
        return [{"destination": {"host": host(callee.name)}}]
    canary = round(traffic.policies.split.canary_share * PARTS)
    weights = {STABLE: PARTS - canary, CANARY: canary}
    return [
        {"destination": {"host": host(callee.name), "subset": subset}, "weight": weight}
        for subset, weight in weights.items()
    ]


def _retries(callee: Service, features: frozenset[str], retry: Retry) -> Json:
    """Said also when there are none: without a word Istio tries three times."""
    if "retries" not in features:
        return {"attempts": 0}
    return {
        "attempts": retry.attempts,
        "perTryTimeout": duration(retry.per_try_timeout_s),
        "retryOn": RETRIED,
        "backoff": duration(retry.backoff_base_s),
        "retryIgnorePreviousHosts": True,
        "retryRemoteLocalities": has_tiers(callee, features),
    }
