"""Envoy's configuration of the features beside forwarding: every setting arrives, and a feature that is off leaves no trace."""

import json
import re
from typing import Any

import pytest

from harness.model.mesh import FEATURES
from harness.model.plan import PROBE_IDENTITY
from harness.model.policy import LOGGED
from meshes.envoy.resources.authorization import denied_paths
from meshes.identity.names import spiffe_id
from tests.meshes.test_envoy import cluster, config, endpoints, manager, plan_of

Json = dict[str, Any]

CALLEES = ("outbound_b", "canary_b")


def a_route(*features: str) -> Json:
    found: Json = manager(config(plan_of(*features), "a-0"), "outbound")["route_config"]["virtual_hosts"][0]["routes"][
        0
    ]
    action: Json = found["route"]
    return action


def b_cluster(*features: str) -> Json:
    return cluster(config(plan_of(*features), "a-0"), "outbound_b")


def threshold(of: Json) -> Json:
    found: Json = of["circuit_breakers"]["thresholds"][0]
    return found


@pytest.mark.parametrize(
    "word",
    ["retry", "outlier", "panic", "weighted", "canary", "rbac", "normalize", "slashes", "stdout", "tracing", "nowhere"],
)
def test_what_nobody_asked_for_is_not_in_the_file(word: str) -> None:
    assert word not in plan_of().unit("a-0-envoy").files[0].content


def test_retries_state_every_setting() -> None:
    policy = a_route("retries")["retry_policy"]

    assert set(policy["retry_on"].split(",")) == {"gateway-error", "connect-failure", "reset"}
    assert (policy["num_retries"], policy["per_try_timeout"]) == (7, "0.700s")
    assert policy["retry_back_off"] == {"base_interval": "0.011s", "max_interval": "0.120s"}
    assert policy["retry_host_predicate"][0]["name"].endswith("previous_hosts")
    assert "retry_priority" not in policy


def test_the_budget_takes_the_place_of_the_bound_on_retries() -> None:
    limits = threshold(b_cluster("retries"))

    assert limits["retry_budget"] == {"budget_percent": {"value": 33}, "min_retry_concurrency": 4}
    assert "max_retries" not in limits


def test_only_the_callers_side_retries_breaks_and_ejects() -> None:
    document = config(plan_of("retries", "circuit-breaking", "outlier-ejection"), "a-0")
    plain = config(plan_of(), "a-0")

    assert cluster(document, "local") == cluster(plain, "local")
    assert manager(document, "inbound") == manager(plain, "inbound")


def test_the_breaker_takes_the_place_of_the_shared_limits() -> None:
    limits = threshold(b_cluster("circuit-breaking"))

    assert (limits["max_connections"], limits["max_pending_requests"], limits["max_requests"]) == (8, 9, 12)


def test_ejection_states_every_setting_and_an_endpoint_that_is_out_gets_nothing() -> None:
    callee = b_cluster("outlier-ejection")
    rules = callee["outlier_detection"]

    assert (rules["consecutive_5xx"], rules["enforcing_consecutive_5xx"]) == (10, 100)
    assert (rules["base_ejection_time"], rules["interval"]) == ("11.000s", "1.100s")
    assert (rules["max_ejection_percent"], rules["always_eject_one_host"]) == (40, True)
    assert {
        value for key, value in rules.items() if key.startswith("enforcing_") and key != "enforcing_consecutive_5xx"
    } == {0}
    assert callee["common_lb_config"] == {"healthy_panic_threshold": {"value": 0}, "update_merge_window": "0s"}


def test_a_split_gives_the_last_replica_its_share() -> None:
    document = config(plan_of("split"), "a-0")

    shares = {each["name"]: each["weight"] for each in a_route("split")["weighted_clusters"]["clusters"]}
    assert shares == {"outbound_b": 8500, "canary_b": 1500}
    assert endpoints(document, "outbound_b") == [f"${{address.b-{n}}}:15006" for n in range(2)]
    assert endpoints(document, "canary_b") == ["${address.b-2}:15006"]
    assert "cluster" not in a_route("split")


def test_the_canary_has_the_same_policies_as_the_rest() -> None:
    document = config(plan_of(*FEATURES), "a-0")
    stable, canary = (cluster(document, name) for name in CALLEES)
    for each in (stable, canary):
        del each["name"], each["load_assignment"]

    assert stable == canary


@pytest.mark.parametrize("other", ["retries", "outlier-ejection"])
def test_calls_that_stable_or_canary_cannot_take_go_to_the_other(other: str) -> None:
    document = config(plan_of("split", other), "a-0")

    for name in CALLEES:
        assignment = cluster(document, name)["load_assignment"]
        assert [tier["priority"] for tier in assignment["endpoints"]] == [0, 1]
        assert sum(len(tier["lb_endpoints"]) for tier in assignment["endpoints"]) == 3
    assert ("retry_priority" in a_route("split", "retries")["retry_policy"]) is True


def test_the_callers_are_those_of_the_topology_and_the_probes() -> None:
    filters = manager(config(plan_of("mtls", "authz"), "b-0"), "inbound")["http_filters"]

    assert [each["name"].rpartition(".")[2] for each in filters] == ["rbac", "router"]
    rules = filters[0]["typed_config"]["rules"]
    names = [each["authenticated"]["principal_name"]["exact"] for each in rules["policies"]["callers"]["principals"]]
    assert (rules["action"], names) == ("ALLOW", [spiffe_id("a"), spiffe_id(PROBE_IDENTITY)])


def test_paths_are_normalised_only_where_they_are_judged() -> None:
    document = config(plan_of("mtls", "authz"), "b-0")

    assert manager(document, "inbound")["normalize_path"] is True
    assert manager(document, "inbound")["merge_slashes"] is True
    assert "normalize_path" not in manager(document, "outbound")


@pytest.mark.parametrize(
    ("path", "denied"),
    [
        ("/denied", True),
        ("/denied/", True),
        ("/denied/x", True),
        ("/DENIED/x", True),
        ("/%64en%69ed/x", True),
        ("/denied;a=b/x", True),
        ("/deniedx", False),
        ("/x/denied", False),
        ("/", False),
    ],
)
def test_the_denied_path_is_found_however_its_letters_are_written(path: str, denied: bool) -> None:
    assert (re.fullmatch(denied_paths("/denied"), path) is not None) is denied


def test_a_prefix_is_no_pattern() -> None:
    assert re.fullmatch(denied_paths("/a.b c/"), "/a.b%20c/d")
    assert not re.fullmatch(denied_paths("/a.b c/"), "/axb c")


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_a_line_has_the_agreed_fields(direction: str) -> None:
    plan = plan_of("access-log")

    (log,) = manager(config(plan, "a-0"), direction)["access_log"]
    fields = log["typed_config"]["log_format"]["json_format"]
    assert tuple(fields) == LOGGED
    assert fields["direction"] == direction
    assert "--file-flush-interval-msec" in plan.unit("a-0-envoy").args
    assert "--file-flush-interval-msec" not in plan_of().unit("a-0-envoy").args


@pytest.mark.parametrize("direction", ["inbound", "outbound"])
def test_both_listeners_trace_and_nobody_collects(direction: str) -> None:
    document = config(plan_of("tracing"), "a-0")

    stated = manager(document, direction)["tracing"]
    sampler = stated["provider"]["typed_config"]["sampler"]
    drawn = sampler["typed_config"]["wrapped_sampler"]["typed_config"]
    assert sampler["name"].endswith("parent_based")
    assert drawn["sampling_percentage"] == {"numerator": 125000, "denominator": "MILLION"}
    assert stated["provider"]["name"] == "envoy.tracers.opentelemetry"
    assert "endpoints" not in json.dumps(cluster(document, "nowhere")["load_assignment"])
