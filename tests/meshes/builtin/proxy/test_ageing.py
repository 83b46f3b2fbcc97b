"""Old connections: who is too old, and how one ends."""

import pytest

from meshes.builtin.proxy.ageing import Ages
from meshes.builtin.proxy.downstream import EXPIRY_S
from tests.meshes.builtin.proxy.stage import CLOSED, Stage
from tests.meshes.builtin.proxy.test_conversation import GET, OK


def test_a_connection_is_too_old_a_while_after_it_was_first_seen() -> None:
    ages = Ages[str](10.0, lambda: 0.0)
    assert ages.expired("a", 100.0) == []
    assert ages.expired("ab", 110.0) == []
    assert ages.expired("ab", 110.5) == ["a"]
    assert ages.expired("ab", 121.0) == ["a", "b"]


def test_one_that_went_is_forgotten() -> None:
    ages = Ages[str](10.0, lambda: 0.0)
    ages.expired("a", 100.0)
    ages.expired("", 101.0)
    assert ages.expired("a", 115.0) == []


@pytest.mark.parametrize(("drawn", "at_s"), [(0.0, 110.0), (0.5, 109.5), (1.0, 109.0)])
def test_those_that_were_made_at_once_end_one_after_another(drawn: float, at_s: float) -> None:
    ages = Ages[str](10.0, lambda: drawn)
    ages.expired("a", 100.0)
    assert ages.expired("a", at_s - 0.01) == []
    assert ages.expired("a", at_s + 0.01) == ["a"]


def test_an_age_that_changes_counts_from_the_same_birth() -> None:
    ages = Ages[str](10.0, lambda: 0.0)
    ages.expired("a", 100.0)
    ages.age_s = 5.0
    assert ages.expired("a", 106.0) == ["a"]


def test_the_next_answer_is_the_last() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(OK)
    assert stage.to_client() == OK
    for _ in range(3):
        stage.connection.expire(stage.clock.now_s)
    assert stage.to_client() == b""
    stage.client(GET)
    stage.callee(OK)
    answer = stage.to_client()
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"ok" + CLOSED)
    assert stage.listener.open == 0


def test_the_answer_to_a_request_in_flight_is_the_last() -> None:
    stage = Stage()
    stage.client(GET)
    stage.connection.expire(stage.clock.now_s)
    stage.callee(OK)
    assert stage.to_client().endswith(b"ok" + CLOSED)


def test_one_that_asks_for_nothing_is_closed_after_a_while() -> None:
    stage = Stage()
    stage.client(GET)
    stage.callee(OK)
    stage.to_client()
    stage.clock.run(EXPIRY_S)
    stage.connection.expire(stage.clock.now_s)
    assert stage.to_client() == b""
    stage.clock.run(0.1)
    stage.connection.expire(stage.clock.now_s)
    assert stage.to_client() == CLOSED
