"""The mean of an endpoint's times: up at once, down slowly, and forgotten."""

from math import exp

import pytest

from meshes.builtin.proxy.ewma import UNKNOWN, Latency

S = 1_000_000_000


def heard(*answers: tuple[int, int]) -> Latency:
    latency = Latency(10.0 * S)
    for took_ns, now_ns in answers:
        latency.observe(took_ns, now_ns)
    return latency


def test_an_unknown_endpoint_is_asked_once() -> None:
    assert [Latency(S).cost(active, S) for active in range(3)] == [0.0, UNKNOWN, 2 * UNKNOWN]


def test_the_mean_jumps_up_at_once() -> None:
    assert heard((5, S), (700, S)).cost(0, S) == 700


def test_it_comes_down_by_how_long_ago_the_last_answer_was() -> None:
    for passed_s in (0, 1, 10, 100):
        kept = exp(-passed_s / 10.0)
        found = heard((1000, S), (100, S + passed_s * S)).cost(0, S + passed_s * S)
        assert found == pytest.approx(1000 * kept + 100 * (1 - kept))


@pytest.mark.parametrize("active", [0, 1, 7])
def test_each_request_in_flight_costs_the_mean(active: int) -> None:
    assert heard((100, S)).cost(active, S) == 100 * (active + 1)


def test_what_nobody_hears_of_fades() -> None:
    assert heard((100, S)).cost(0, 11 * S) == pytest.approx(100 / exp(1))
