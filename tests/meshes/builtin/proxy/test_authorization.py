"""What a guard lets through: paths in every disguise, callers by identity."""

import pytest

from meshes.builtin.policies import Authorization
from meshes.builtin.proxy.authorization import MAX_REMEMBERED, Guard, normalised

CALLER = "spiffe://mesh/a"
DISGUISES = [
    b"/denied", b"/denied/", b"/denied/x", b"/denied?x=1", b"/DENIED/x", b"//denied", b"/./denied", b"/x/../denied", b"/%64enied",
    b"/%2564enied", b"/x/%2e%2e/denied", b"/x%2f..%2fdenied", b"\\denied", b"/x/..;a=1/denied", b"/denied;a=1/x", b"/%2fdenied", b"/denied%3fx",
    b"/..//denied", b"/denied#x",
]  # fmt: skip
HARMLESS = [b"/", b"/x", b"/deniedx", b"/x/denied", b"/denied/../x", b"/den/ied", b"*", b"/?q=/denied"]


def lead(target: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nhost: b\r\n" % target


@pytest.mark.parametrize("target", DISGUISES)
def test_no_disguise_gets_a_denied_path_through(target: bytes) -> None:
    guard = Guard(Authorization((CALLER,), "/denied"))
    for _ in range(2):
        assert guard.objection(CALLER, lead(target)) == "nobody may call /denied"


@pytest.mark.parametrize("target", HARMLESS)
def test_other_paths_pass(target: bytes) -> None:
    assert Guard(Authorization((CALLER,), "/denied")).objection(CALLER, lead(target)) == ""


@pytest.mark.parametrize("peer", ["", "spiffe://mesh/b", CALLER + "/", CALLER.upper()])
def test_only_the_callers_named_may_call(peer: str) -> None:
    assert "may not call" in Guard(Authorization((CALLER,), "/denied")).objection(peer, lead(b"/x"))


def test_what_is_remembered_is_bounded_and_per_peer() -> None:
    guard = Guard(Authorization((CALLER,), "/denied"))
    for number in range(2 * MAX_REMEMBERED):
        assert guard.objection(CALLER, lead(b"/%d" % number)) == ""
    assert len(guard._remembered) <= MAX_REMEMBERED
    assert guard.objection("spiffe://mesh/b", lead(b"/1")) != ""


def test_a_normal_path_is_its_own() -> None:
    assert normalised(normalised(b"/A//b/./c/../d%20e/")) == normalised(b"/A//b/./c/../d%20e/") == b"/a/b/d e"
