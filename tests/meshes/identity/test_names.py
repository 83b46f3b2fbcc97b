"""SPIFFE ids: what is one of ours."""

import pytest

from meshes.identity.names import CONTROL_PLANE, MAX_LENGTH, is_ours, spiffe_id

DOMAIN = "spiffe://hoptax.local"


@pytest.mark.parametrize("identity", [spiffe_id("a"), spiffe_id("a.b_c-9"), CONTROL_PLANE, f"{DOMAIN}/..."])
def test_ids_of_our_domain_are_ours(identity: str) -> None:
    assert is_ours(identity)


@pytest.mark.parametrize(
    "identity",
    [
        "",
        DOMAIN,
        f"{DOMAIN}/",
        f"{DOMAIN}/a/",
        f"{DOMAIN}//a",
        f"{DOMAIN}/a/../b",
        f"{DOMAIN}/.",
        f"{DOMAIN}/a b",
        f"{DOMAIN}/a%2fb",
        f"{DOMAIN}/ä",
        f"{DOMAIN}/a\n",
        f"{DOMAIN}/a?b",
        f"{DOMAIN}.evil/a",
        f"{DOMAIN}:80/a",
        "spiffe://other.local/a",
        "https://hoptax.local/a",
        f"{DOMAIN}/{'a' * MAX_LENGTH}",
    ],
)
def test_everything_else_is_not(identity: str) -> None:
    assert not is_ours(identity)


def test_no_service_can_be_named_like_the_control_plane() -> None:
    assert spiffe_id("control") != CONTROL_PLANE
