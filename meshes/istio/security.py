"""Who is let in, in Istio's words: PeerAuthentication, AuthorizationPolicy, and an EnvoyFilter for what these can't say. Pure."""

from collections.abc import Iterator

from harness.model.mesh import Traffic
from harness.model.plan import PROBE_IDENTITY
from harness.model.policy import Authorization
from harness.model.topology import Service, Topology
from meshes.envoy.resources.authorization import NORMALISED, RBAC, denied_paths
from meshes.identity.names import spiffe_id
from meshes.istio.filters import before_router, managed
from meshes.istio.names import principal
from meshes.istio.resources import FILTERS, SECURITY, Json, resource


def resources(topology: Topology, features: frozenset[str], traffic: Traffic) -> Iterator[Json]:
    """Strict mutual TLS or none, never both; with `authz` a policy per service."""
    mode = "STRICT" if "mtls" in features else "DISABLE"
    yield resource(SECURITY, "PeerAuthentication", "default", {"mtls": {"mode": mode}})
    if "authz" in features:
        settings = traffic.policies.authorization
        yield from (_callers(topology, service, settings) for service in topology.services)
        yield resource(FILTERS, "EnvoyFilter", "spellings", _spellings(settings))


def _callers(topology: Topology, service: Service, settings: Authorization) -> Json:
    """Whoever isn't named in an ALLOW policy is answered 403."""
    names = (each.name for each in topology.services if any(call.service == service.name for call in each.calls()))
    probe = spiffe_id(PROBE_IDENTITY).removeprefix("spiffe://")
    prefix = settings.denied_prefix.rstrip("/")
    rule = {
        "from": [{"source": {"principals": [*map(principal, names), probe]}}],
        "to": [{"operation": {"notPaths": [prefix, f"{prefix}/*"]}}],
    }
    spec = {"selector": {"matchLabels": {"app": service.name}}, "action": "ALLOW", "rules": [rule]}
    return resource(SECURITY, "AuthorizationPolicy", service.name, spec)


def _spellings(settings: Authorization) -> Json:
    """Paths normalised before they are judged, and the denied one in letters of either case or percent-encoded, which
    AuthorizationPolicy's paths can't describe."""
    denied = {"url_path": {"path": {"safe_regex": {"regex": denied_paths(settings.denied_prefix)}}}}
    policy = {"permissions": [denied], "principals": [{"any": True}]}
    guard = {"@type": RBAC, "rules": {"action": "DENY", "policies": {"spellings": policy}}}
    return {
        "configPatches": [
            managed("SIDECAR_INBOUND", NORMALISED),
            before_router("SIDECAR_INBOUND", "hoptax.spellings", guard),
        ]
    }
