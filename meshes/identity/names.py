"""SPIFFE ids. Pure, and importable without cryptography."""

import re

TRUST_DOMAIN = "hoptax.local"
CONTROL_PLANE = f"spiffe://{TRUST_DOMAIN}/ns/hoptax/sa/control"
"""In a namespace of its own, so that no service's name can make it the control plane."""

MAX_LENGTH = 2048
_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._-]+)+")


def spiffe_id(service: str) -> str:
    """The identity of every replica of a service."""
    return f"spiffe://{TRUST_DOMAIN}/ns/default/sa/{service}"


def is_ours(identity: str) -> bool:
    """Whether it is a well-formed id of a workload in our trust domain (SPIFFE-ID standard, section 2)."""
    prefix = f"spiffe://{TRUST_DOMAIN}"
    return (
        len(identity) <= MAX_LENGTH
        and identity.startswith(prefix)
        and _PATH.fullmatch(identity, len(prefix)) is not None
    )
