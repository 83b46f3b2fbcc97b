"""Names that Istio and the platform have to agree on: namespaces, hosts, identities. Pure."""

from meshes.identity.names import TRUST_DOMAIN

NAMESPACE = "istio-system"
XDS_PORT = 15012
ISTIOD_READY_PORT = 8080
CANARY, STABLE = "canary", "stable"
VERSIONS = {STABLE: "v1", CANARY: "canary"}
"""Subset → the label `version` that the platform gives its pods."""


def identity(service: str) -> str:
    """The SPIFFE id of a service's pods: istiod makes it of the trust domain, the namespace and the service account."""
    return f"spiffe://{principal(service)}"


def principal(service: str) -> str:
    """The same in an AuthorizationPolicy."""
    return f"{TRUST_DOMAIN}/ns/${{namespace}}/sa/{service}"


def host(service: str) -> str:
    """The full DNS name of a service of the arm, so that no other namespace can be meant."""
    return f"{service}.${{namespace}}.svc.cluster.local"
