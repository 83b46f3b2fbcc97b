"""Who may call a service, and which paths, in Envoy's words: a role-based filter at the callee, after paths are normalised. Pure.

What is allowed is told in harness.model.policy.
"""

import re
from typing import Any

from meshes.builtin.policies import Authorization

Json = dict[str, Any]

RBAC = "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC"
NORMALISED: Json = {
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "UNESCAPE_AND_FORWARD",
}
"""Of the connection manager: dot segments resolved, doubled slashes merged, `%2F` and `%5C` taken for slashes, before any filter looks."""


def guard(authorization: Authorization) -> Json:
    """Of the inbound filters: the named callers and no others, and nobody below the denied path. Others are answered 403.

    Without callers there is no policy at all, which allows nothing: Envoy refuses a policy for nobody.
    """
    denied = {"url_path": {"path": {"safe_regex": {"regex": denied_paths(authorization.denied_prefix)}}}}
    policy = {
        "permissions": [{"not_rule": denied}],
        "principals": [{"authenticated": {"principal_name": {"exact": caller}}} for caller in authorization.callers],
    }
    policies = {"callers": policy} if authorization.callers else {}
    return {
        "name": "envoy.filters.http.rbac",
        "typed_config": {"@type": RBAC, "rules": {"action": "ALLOW", "policies": policies}},
    }


def denied_paths(prefix: str) -> str:
    """RE2 for the path and all below it. Letters in either case and percent-encoded, which Envoy's normalisation leaves as they are."""
    spelt = "".join(_spelt(character) for character in prefix.rstrip("/"))
    return f"(?i){spelt}([/;].*)?"


def _spelt(character: str) -> str:
    plain = re.escape(character)
    return plain if character == "/" else f"(?:{plain}|{''.join(f'%{byte:02x}' for byte in character.encode())})"
