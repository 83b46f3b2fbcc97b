"""Judgements on counted calls: each must pass on what a right arm shows, and fail on what a wrong one would."""

import pytest

from harness.probes import parity_calls
from harness.probes.observe import Answered, Served
from harness.probes.parity_calls import FORGED, XFCC

CALLER = "spiffe://hoptax.local/ns/default/sa/caller"


def ground(
    broken: int = 6, many: tuple[int, ...] = (6, 6, 6), connections: int = 1, protocol: str = "HTTP/1.1"
) -> dict[str, Served]:
    hosts = {"broken-0": broken, **{f"many-{n}": requests for n, requests in enumerate(many)}}
    return {
        host: Served(host.rpartition("-")[0], requests, connections, protocol, {}) for host, requests in hosts.items()
    }


def test_the_protocol_is_that_of_every_app() -> None:
    assert parity_calls.protocol(ground()).passed
    assert not parity_calls.protocol(ground() | ground(protocol="HTTP/1.0")).passed


@pytest.mark.parametrize(("requests", "passed"), [(6, True), (12, False), (5, False)])
def test_a_failing_callee_gets_each_call_once(requests: int, passed: bool) -> None:
    assert parity_calls.retries(ground(broken=requests)).passed is passed


@pytest.mark.parametrize(("connections", "passed"), [(0, True), (1, True), (2, False), (6, False)])
def test_connections_beyond_calls_at_the_same_time_are_no_keep_alive(connections: int, passed: bool) -> None:
    assert parity_calls.keep_alive(ground(connections=connections)).passed is passed


@pytest.mark.parametrize(
    ("counts", "passed"), [((6, 6, 6), True), ((7, 6, 5), False), ((18, 0, 0), False), ((6, 6, 5), False)]
)
def test_round_robin_takes_turns_and_loses_nothing(counts: tuple[int, ...], passed: bool) -> None:
    assert parity_calls.round_robin(counts).passed is passed


@pytest.mark.parametrize(
    ("bursts", "passed"),
    [
        ([(10, 10, 10), (9, 12, 9), (10, 10, 10)], True),
        ([(10, 10, 10)] * 3, False),
        ([(15, 15, 0)] * 3, False),
        ([(9, 12, 8)] * 3, False),
    ],
    ids=["random", "turns", "one is never used", "lost calls"],
)
def test_least_request_takes_no_turns(bursts: list[tuple[int, ...]], passed: bool) -> None:
    assert parity_calls.least_request(bursts).passed is passed


@pytest.mark.parametrize(
    ("elapsed_s", "status", "passed"),
    [(0.298, 504, True), (0.5, 504, True), (0.2, 504, False), (1.0, 504, False), (0.3, 200, False)],
)
def test_a_cut_comes_in_time_and_says_504(elapsed_s: float, status: int, passed: bool) -> None:
    assert parity_calls.cut([Answered(504, 0.3), Answered(status, elapsed_s)], "there").passed is passed


def test_the_caller_is_named_only_with_mtls() -> None:
    named = f"By=spiffe://x;Hash=00;URI={CALLER}"

    assert parity_calls.caller_named(named, CALLER).passed
    assert parity_calls.caller_named(None, "").passed
    assert not parity_calls.caller_named(named, "").passed
    assert not parity_calls.caller_named(None, CALLER).passed
    assert not parity_calls.caller_named(named.replace("caller", "other"), CALLER).passed
    assert not parity_calls.caller_named(f"{named},{named}", CALLER).passed


def test_a_forged_identity_must_not_arrive() -> None:
    assert parity_calls.forgery_dropped(None).passed
    assert not parity_calls.forgery_dropped(f"URI={FORGED},URI={CALLER}").passed
    assert XFCC in parity_calls.forgery_dropped(None).seen


def test_uris_are_read_whatever_stands_around_them() -> None:
    assert parity_calls.uris_of('Hash=0;URI="spiffe://a",By=b;uri=spiffe://c;DNS=d') == ("spiffe://a", "spiffe://c")
