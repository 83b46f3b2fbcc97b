"""What a guard lets through: paths in every disguise, callers by identity."""

import pytest

from meshes.builtin.policies import Authorization
from meshes.builtin.proxy.authorization import MAX_ENCODINGS, MAX_REMEMBERED, MAX_REMEMBERED_BYTES, Guard, segments

CALLER = "spiffe://mesh/a"
DISGUISES = [
    b"/denied", b"/denied/", b"/denied/x", b"/denied?x=1", b"/DENIED/x", b"//denied", b"/./denied", b"/x/../denied", b"/%64enied",
    b"/%2564enied", b"/x/%2e%2e/denied", b"/x%2f..%2fdenied", b"\\denied", b"/x/..;a=1/denied", b"/denied;a=1/x", b"/%2fdenied", b"/denied%3fx",
    b"/..//denied", b"/denied#x", b"/%44enied", b"/denied%00", b"/den%09ied/x", b"/x/..\\denied", b"/x/..%5cdenied",
]  # fmt: skip
READ_OTHERWISE = [b"/denied/../x", b"/denied/..;/x", b"/x%3f/../denied", b"/x%23/../denied", b"/x%2fy/../denied", b"/x%252fy/../denied",
    b"/x/y/..;/../denied", b"/x//../denied"]  # fmt: skip
"""Below the denied path for an app that doesn't resolve dot segments, or that splits at slashes before it undoes the encoding, or that
knows no path parameters or empty segments."""
HARMLESS = [b"/", b"/x", b"/deniedx", b"/x/denied", b"/den/ied", b"*", b"/?q=/denied", b"/x?y=/../denied", b"/x/../y", b"/a%2fb", b"/.denied",
    b"/x/denied/%20", b"/100%"]  # fmt: skip


def lead(target: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\nhost: b\r\n" % target


@pytest.mark.parametrize("target", DISGUISES + READ_OTHERWISE)
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


def test_a_long_head_is_not_remembered() -> None:
    guard = Guard(Authorization((CALLER,), "/denied"))
    assert guard.objection(CALLER, lead(b"/" + b"x" * MAX_REMEMBERED_BYTES)) == ""
    assert guard._remembered == {}


def test_a_path_encoded_over_and_over_is_refused_without_undoing_it_all() -> None:
    guard = Guard(Authorization((CALLER,), "/denied"))
    assert guard.objection(CALLER, lead(b"/%" + b"25" * (MAX_ENCODINGS - 2) + b"41")) == ""
    for times in (MAX_ENCODINGS, 100_000):
        assert "times over" in guard.objection(CALLER, lead(b"/%" + b"25" * times + b"41"))


@pytest.mark.parametrize("target", [b"/", b"/x", b"/x/..", b"*"])
def test_the_root_denied_is_everything_denied(target: bytes) -> None:
    assert "nobody may call /" in Guard(Authorization((CALLER,), "/")).objection(CALLER, lead(target))


@pytest.mark.parametrize(
    ("target", "refused"),
    [(b"/a/b/c", True), (b"/a%2fb", True), (b"/a/x%2fy/../b", True), (b"/a/x/../b", True), (b"/a/c", False), (b"/b/../a", False)],
)  # fmt: skip
def test_a_denied_path_of_several_segments(target: bytes, refused: bool) -> None:
    assert bool(Guard(Authorization((CALLER,), "/a/b")).objection(CALLER, lead(target))) is refused


def test_a_plain_path_is_read_as_any_other() -> None:
    assert segments(b"/A//b/c.d/e/") == segments(b"/%41//b/c.d/e/") == [b"a", b"b", b"c.d", b"e"]
