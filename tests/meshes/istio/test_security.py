"""Who is let in: strict or not at all, callers by principal, and a denied path in whatever spelling."""

import re

import pytest

from tests.meshes.istio.arms import EVERY_FEATURE, objects, plan_of, spec


def test_mutual_tls_is_strict_or_off() -> None:
    assert spec(plan_of("mtls"), "PeerAuthentication", "default") == {"mtls": {"mode": "STRICT"}}
    assert spec(plan_of(), "PeerAuthentication", "default") == {"mtls": {"mode": "DISABLE"}}


def test_callers_are_those_of_the_topology_and_the_probes() -> None:
    plan = plan_of("mtls", "authz")
    callee, entry = (spec(plan, "AuthorizationPolicy", service) for service in "ba")
    probe = "hoptax.local/ns/default/sa/probe"

    assert callee == {
        "selector": {"matchLabels": {"app": "b"}},
        "action": "ALLOW",
        "rules": [
            {
                "from": [{"source": {"principals": ["hoptax.local/ns/${namespace}/sa/a", probe]}}],
                "to": [{"operation": {"notPaths": ["/secret files", "/secret files/*"]}}],
            }
        ],
    }
    assert entry["rules"][0]["from"] == [{"source": {"principals": [probe]}}]


def test_without_the_feature_nobody_is_asked() -> None:
    everything_else = [feature for feature in EVERY_FEATURE if feature != "authz"]

    assert {kind for kind, _ in objects(plan_of(*everything_else))}.isdisjoint({"AuthorizationPolicy"})
    assert ("EnvoyFilter", "spellings") not in objects(plan_of(*everything_else))


def test_paths_are_normalised_before_anything_looks_at_them() -> None:
    manager, _ = spec(plan_of("mtls", "authz"), "EnvoyFilter", "spellings")["configPatches"]

    assert (manager["applyTo"], manager["patch"]["operation"]) == ("NETWORK_FILTER", "MERGE")
    told = manager["patch"]["value"]["typed_config"]
    assert (told["normalize_path"], told["merge_slashes"]) == (True, True)
    assert told["path_with_escaped_slashes_action"] == "UNESCAPE_AND_FORWARD"


@pytest.mark.parametrize("path", ["/SECRET%20files", "/%73ecret files/x", "/Secret files;x"])
def test_spellings_that_istio_cannot_describe_are_denied_all_the_same(path: str) -> None:
    _, guard = spec(plan_of("mtls", "authz"), "EnvoyFilter", "spellings")["configPatches"]
    assert (guard["applyTo"], guard["patch"]["operation"]) == ("HTTP_FILTER", "INSERT_BEFORE")
    rules = guard["patch"]["value"]["typed_config"]["rules"]
    (policy,) = rules["policies"].values()
    (permission,) = policy["permissions"]

    assert (rules["action"], policy["principals"]) == ("DENY", [{"any": True}])
    denied = re.compile(permission["url_path"]["path"]["safe_regex"]["regex"])
    assert denied.fullmatch(path)
    assert not denied.fullmatch("/secret filesx")


def test_every_patch_is_of_inbound_listeners_only() -> None:
    patches = spec(plan_of("mtls", "authz"), "EnvoyFilter", "spellings")["configPatches"]

    assert {each["match"]["context"] for each in patches} == {"SIDECAR_INBOUND"}
