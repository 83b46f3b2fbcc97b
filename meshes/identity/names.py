"""SPIFFE ids. Pure, and importable without cryptography."""

TRUST_DOMAIN = "hoptax.local"


def spiffe_id(service: str) -> str:
    """The identity of every replica of a service."""
    return f"spiffe://{TRUST_DOMAIN}/ns/default/sa/{service}"
