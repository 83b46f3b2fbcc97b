"""Who may call a service, and which paths, in Envoy's words: a role-based filter at the callee, after paths are normalised. Pure.

What is allowed is told in harness.model.policy.
"""

import re
from collections.abc import Sequence
from typing import Any

from harness.model.plan import PROBE_IDENTITY
from harness.model.policy import Authorization
from harness.model.topology import Service, Topology
from meshes.identity.names import spiffe_id

Json = dict[str, Any]

RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
NORMALISED: Json = {
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
}
"""Of the connection manager: dot segments resolved, doubled slashes merged, `%2F` and `%5C` taken for slashes, before any filter looks."""


def callers_of(topology: Topology, service: Service) -> tuple[str, ...]:
    """The SPIFFE ids that may call it: the services that do by the topology, and the probes."""
    names = (each.name for each in topology.services if any(call.service == service.name for call in each.calls()))
    return (*map(spiffe_id, names), spiffe_id(PROBE_IDENTITY))


def guard(callers: Sequence[str], authorization: Authorization) -> Json:
    """Of the inbound filters: the named callers and no others, and nobody below the denied path. Others are answered 403."""
    denied = {"url_path": {"path": {"safe_regex": {"regex": denied_paths(authorization.denied_prefix)}}}}
    policy = {
        "permissions": [{"not_rule": denied}],
        "principals": [{"authenticated": {"principal_name": {"exact": caller}}} for caller in callers],
    }
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {"@type": RBAC, "rules": {"action": "ALLOW", "policies": {"callers": policy}}},
    }


def denied_paths(prefix: str) -> str:
    """RE2 for the path and all below it. Letters in either case and percent-encoded, which Envoy's normalisation leaves as they are."""
    spelt = "".join(_spelt(character) for character in prefix.rstrip("/"))
    return f"(?i){spelt}([/;].*)?"


def _spelt(character: str) -> str:
    plain = re.escape(character)
    return plain if character == "/" else f"(?:{plain}|{''.join(f'%{byte:02x}' for byte in character.encode())})"
