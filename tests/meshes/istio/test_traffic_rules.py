"""Istio's traffic resources, feature by feature: what each says, and that nobody says anything without its feature."""

from typing import Any

import pytest

from tests.meshes.istio.arms import objects, plan_of, spec

Json = dict[str, Any]

B = "b.${namespace}.svc.cluster.local"


def policy(*features: str, of: str = "b") -> Json:
    found: Json = spec(plan_of(*features), "DestinationRule", of)["trafficPolicy"]
    return found


def way(*features: str, to: str = "b") -> Json:
    (found,) = spec(plan_of(*features), "VirtualService", to)["http"]
    assert isinstance(found, dict)
    return found


def subsets(*features: str, of: str = "b") -> Json:
    return {each["name"]: each for each in spec(plan_of(*features), "DestinationRule", of)["subsets"]}


def test_without_features_calls_are_carried_and_nothing_else() -> None:
    assert policy() == {
        "tls": {"mode": "DISABLE"},
        "loadBalancer": {"simple": "ROUND_ROBIN"},
        "connectionPool": {
            "tcp": {"maxConnections": 11, "connectTimeout": "0.500s"},
            "http": {
                "http1MaxPendingRequests": 12,
                "http2MaxRequests": 12,
                "maxRetries": 12,
                "idleTimeout": "7.000s",
                "h2UpgradePolicy": "DO_NOT_UPGRADE",
            },
        },
    }
    assert way() == {"route": [{"destination": {"host": B}}], "timeout": "2.500s", "retries": {"attempts": 0}}


def test_a_rule_holds_for_one_host_in_one_namespace() -> None:
    rule, route = spec(plan_of(), "DestinationRule", "b"), spec(plan_of(), "VirtualService", "b")

    assert (rule["host"], rule["exportTo"]) == (B, ["."])
    assert (route["hosts"], route["exportTo"]) == ([B], ["."])
    assert "subsets" not in rule


def test_mtls_and_least_request() -> None:
    assert policy("mtls") == policy() | {"tls": {"mode": "ISTIO_MUTUAL"}}
    assert policy("least-request") == policy() | {"loadBalancer": {"simple": "LEAST_REQUEST"}}


def test_the_breaker_takes_the_place_of_the_shared_bounds() -> None:
    told = policy("circuit-breaking")["connectionPool"]

    assert (told["tcp"]["maxConnections"], told["http"]["http1MaxPendingRequests"]) == (8, 9)
    assert told["http"]["http2MaxRequests"] == 12


def test_ejection() -> None:
    assert policy("outlier-ejection") == policy() | {
        "outlierDetection": {
            "consecutive5xxErrors": 10,
            "consecutiveGatewayErrors": 0,
            "splitExternalLocalOriginErrors": False,
            "interval": "1.100s",
            "baseEjectionTime": "11.000s",
            "maxEjectionPercent": 40,
            "minHealthPercent": 0,
        }
    }


def test_an_ejected_endpoint_is_out_at_once() -> None:
    (patch,) = spec(plan_of("outlier-ejection"), "EnvoyFilter", "ejection")["configPatches"]

    assert (patch["applyTo"], patch["match"]) == ("CLUSTER", {"context": "SIDECAR_OUTBOUND"})
    assert patch["patch"] == {"operation": "MERGE", "value": {"common_lb_config": {"update_merge_window": "0s"}}}
    assert ("EnvoyFilter", "ejection") not in objects(plan_of("retries", "split"))


def test_retries_and_their_budget() -> None:
    assert way("retries") == way() | {
        "retries": {
            "attempts": 7,
            "perTryTimeout": "0.700s",
            "retryOn": "gateway-error,connect-failure,reset",
            "backoff": "0.011s",
            "retryIgnorePreviousHosts": True,
            "retryRemoteLocalities": False,
        }
    }
    assert policy("retries") == policy() | {"retryBudget": {"percent": 33.0, "minRetryConcurrency": 4}}


def test_a_split_is_between_pods_by_their_version() -> None:
    assert way("split")["route"] == [
        {"destination": {"host": B, "subset": "stable"}, "weight": 8500},
        {"destination": {"host": B, "subset": "canary"}, "weight": 1500},
    ]
    assert subsets("split") == {
        "stable": {"name": "stable", "labels": {"version": "v1"}},
        "canary": {"name": "canary", "labels": {"version": "canary"}},
    }
    assert policy("split") == policy()


def test_the_one_replica_of_a_callee_is_both_sides_of_a_split() -> None:
    for features in (("split",), ("split", "retries", "outlier-ejection")):
        assert subsets(*features, of="c") == {
            name: {"name": name, "labels": {"app": "c"}} for name in ("stable", "canary")
        }


@pytest.mark.parametrize("feature", ["retries", "outlier-ejection"])
def test_with_retries_or_ejection_the_sides_of_a_split_stand_in_for_each_other(feature: str) -> None:
    for name, version in (("stable", "v1"), ("canary", "canary")):
        side = subsets("split", feature, "least-request")[name]
        assert side["labels"] == {"app": "b"}
        assert side["trafficPolicy"]["loadBalancer"] == {
            "simple": "LEAST_REQUEST",
            "localityLbSetting": {"enabled": True, "failoverPriority": [f"version={version}"]},
        }


def test_priorities_need_an_outlier_detection_even_if_nothing_is_to_be_ejected() -> None:
    assert policy("split", "retries")["outlierDetection"] == {
        "consecutive5xxErrors": 0,
        "consecutiveGatewayErrors": 0,
    }
    assert policy("split", "outlier-ejection")["outlierDetection"]["consecutive5xxErrors"] == 10
    assert "outlierDetection" not in policy("split", "retries", of="c")
    assert way("split", "retries")["retries"]["retryRemoteLocalities"] is True
    assert way("split", "retries", to="c")["retries"]["retryRemoteLocalities"] is False


def test_a_sidecar_knows_its_callees_and_nobody_else() -> None:
    caller, leaf = (spec(plan_of(), "Sidecar", service) for service in "ac")

    assert caller["egress"] == [{"hosts": [f"./{B}", "./c.${namespace}.svc.cluster.local"]}]
    assert caller["workloadSelector"] == {"labels": {"app": "a"}}
    assert leaf["egress"] == [{"hosts": ["~/*"]}]


def test_the_breaker_is_the_callers_alone() -> None:
    told = spec(plan_of("circuit-breaking"), "Sidecar", "b")["inboundConnectionPool"]

    assert (told["tcp"]["maxConnections"], told["http"]["http1MaxPendingRequests"]) == (11, 12)
