"""Judgements on authorization, and the spellings by which it is tried."""

from urllib.parse import unquote

import pytest

from harness.probes import parity_authz
from harness.probes.parity_authz import ALLOWED, DENIED


def test_every_spelling_has_to_be_refused() -> None:
    statuses = dict.fromkeys(DENIED, 403)

    assert parity_authz.paths_refused(statuses).passed
    assert not parity_authz.paths_refused({}).passed
    for path in DENIED:
        proof = parity_authz.paths_refused(statuses | {path: 200})
        assert (proof.passed, proof.seen) == (False, f"{path}: 200")


def test_right_callers_are_served_and_nothing_else_arrives() -> None:
    statuses = dict.fromkeys(ALLOWED, 200)

    assert parity_authz.callers_served(statuses, arrived=len(ALLOWED)).passed
    assert not parity_authz.callers_served(statuses | {"/": 403}, arrived=len(ALLOWED)).passed
    assert not parity_authz.callers_served(statuses, arrived=len(ALLOWED) + 1).passed


@pytest.mark.parametrize(("status", "passed"), [(403, True), (200, False), (0, False), (401, False)])
def test_an_outsider_is_refused(status: int, passed: bool) -> None:
    assert parity_authz.outsider_refused(status).passed is passed


def test_without_it_nobody_is_refused() -> None:
    assert parity_authz.off({"/denied": 200, "outsider": 200}).passed
    assert not parity_authz.off({"/denied": 403, "outsider": 200}).passed


def resolved(path: str) -> str:
    """The path as a careful application reads it."""
    kept: list[str] = []
    for segment in unquote(path.partition("?")[0]).replace("\\", "/").split("/"):
        if segment == "..":
            del kept[-1:]
        elif segment not in {"", "."}:
            kept.append(segment)
    return "/" + "/".join(kept)


@pytest.mark.parametrize("path", DENIED)
def test_what_has_to_be_refused_is_the_denied_path(path: str) -> None:
    assert (resolved(path) + "/").startswith("/denied/")


@pytest.mark.parametrize("path", ALLOWED)
def test_what_has_to_be_served_is_not(path: str) -> None:
    assert not (resolved(path) + "/").startswith("/denied/")
