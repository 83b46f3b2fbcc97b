"""What is tried again, word by word."""

import pytest

from meshes.builtin.policies import RETRIED_ON
from meshes.builtin.proxy.failures import Failure
from meshes.builtin.proxy.retry_conditions import conditions

CONNECTING = {"connect-failed", "connect-timeout", "tls-failed"}
NO_ANSWER = CONNECTING | {"upstream-reset", "stream-refused", "try-timeout"}


def flags(on: tuple[str, ...] | None) -> set[str]:
    return {failure.flag for failure in conditions(on, None).failures}


@pytest.mark.parametrize(
    ("on", "failures", "statuses"),
    [
        (None, NO_ANSWER, {502, 503, 504}),
        ((), set(), set()),
        (("connect-failure",), CONNECTING, set()),
        (("refused-stream",), {"stream-refused"}, set()),
        (("reset",), NO_ANSWER, set()),
        (("gateway-error",), NO_ANSWER, {502, 503, 504}),
        (("5xx",), NO_ANSWER, set(range(500, 600))),
        (("retriable-4xx",), set(), {409}),
        (("retriable-status-codes",), set(), {425, 503}),
        (("retriable-4xx", "connect-failure"), CONNECTING, {409}),
    ],
)
def test_what_a_word_stands_for(on: tuple[str, ...] | None, failures: set[str], statuses: set[int]) -> None:
    assert flags(on) == failures
    codes = (425, 503) if on and "retriable-status-codes" in on else None
    assert conditions(on, codes).statuses == statuses


@pytest.mark.parametrize(
    ("word", "code"),
    [("cancelled", 1), ("deadline-exceeded", 4), ("resource-exhausted", 8), ("internal", 13), ("unavailable", 14)],
)
def test_a_status_of_grpc_in_the_head(word: str, code: int) -> None:
    found = conditions((word,), None)
    for number in range(17):
        lead = b"HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\nGRPC-Status: %d \r\n" % number
        assert found.met(200, lead) == (number == code)
    assert not found.failures
    assert not found.statuses


def test_without_words_of_grpc_no_head_is_looked_into() -> None:
    assert conditions(None, None).grpc is None
    assert not conditions(("connect-failure",), None).met(200, b"HTTP/1.1 200 OK\r\ngrpc-status: 14\r\n")


def test_no_word_lets_an_unreadable_answer_or_a_refusal_of_our_own_be_tried_again() -> None:
    every = conditions(RETRIED_ON, (409,)).failures
    assert not every & {Failure.BAD_RESPONSE, Failure.REQUEST_TIMEOUT, Failure.OVERFLOW, Failure.BREAKER_OPEN}
