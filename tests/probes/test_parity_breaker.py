"""Judgements on circuit breaking: with eight connections and eight that may wait, five of 21 calls are refused."""

from harness.probes import parity_breaker


def test_the_excess_is_refused_and_the_rest_served_in_two_goes() -> None:
    assert parity_breaker.refused([200] * 16 + [503] * 5, most_at_once=8).passed


def test_limits_that_are_wider_narrower_or_missing_are_noticed() -> None:
    assert not parity_breaker.refused([200] * 21, most_at_once=21).passed
    assert not parity_breaker.refused([200] * 16 + [503] * 5, most_at_once=9).passed
    assert not parity_breaker.refused([200] * 15 + [503] * 6, most_at_once=8).passed
    assert not parity_breaker.refused([200] * 16 + [504] * 5, most_at_once=8).passed


def test_without_it_all_are_served_at_once() -> None:
    assert parity_breaker.open_to_all([200] * 21, most_at_once=21).passed
    assert not parity_breaker.open_to_all([200] * 21, most_at_once=8).passed
    assert not parity_breaker.open_to_all([200] * 20 + [503], most_at_once=20).passed
