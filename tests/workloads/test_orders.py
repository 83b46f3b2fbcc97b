"""Misbehaviour on demand: who gets it, for how many requests, and what it leaves behind."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.model.plan import APP_PORT, OBSERVE_PORT
from tests.workloads.replicas import Replicas, pair, running
from workloads.service.orders import Order


def test_an_order_is_for_so_many_requests() -> None:
    order = Order(503, 0, times=2)

    assert [order.take() for _ in range(3)] == [True, True, False]


def test_the_most_that_waited_at_once_are_counted() -> None:
    order = Order(200, 0, times=9)
    for _ in range(2):
        order.take()
    order.done()
    order.take()

    assert order.most_at_once == 2


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Replicas]:
    with running(pair(), tmp_path) as replicas:
        yield replicas


def order(chain: Replicas, query: str) -> int:
    return chain.ask("b-0", f"/order?{query}", OBSERVE_PORT, "POST").status


@pytest.mark.system
def test_the_next_requests_fail_and_the_one_after_them_does_not(chain: Replicas) -> None:
    assert order(chain, "status=503&sleep_us=0&times=2") == 200

    assert [chain.ask("b-0", "/", APP_PORT).status for _ in range(3)] == [503, 503, 200]
    assert chain.observe("b-0", "/served")["requests"] == 3


@pytest.mark.system
def test_a_slow_answer_comes_after_its_time_and_tells_it(chain: Replicas) -> None:
    order(chain, "status=200&sleep_us=30000&times=1")

    received_ns, answered_ns = chain.ask("b-0", "/", APP_PORT).stamps
    assert answered_ns - received_ns >= 30_000_000


@pytest.mark.system
def test_those_that_wait_together_are_told(chain: Replicas) -> None:
    order(chain, "status=200&sleep_us=200000&times=100")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: chain.ask("b-0", "/", APP_PORT), range(3)))

    assert chain.observe("b-0", "/served")["most_at_once"] == 3


@pytest.mark.system
def test_an_order_outlives_a_reset_and_is_withdrawn_by_none(chain: Replicas) -> None:
    order(chain, "status=503&sleep_us=0&times=9")
    chain.reset("b-0")
    assert chain.ask("b-0", "/", APP_PORT).status == 503
    order(chain, "status=200&sleep_us=0&times=0")
    assert chain.ask("b-0", "/", APP_PORT).status == 200


@pytest.mark.system
@pytest.mark.parametrize(
    "query",
    [
        "",
        "status=503",
        "status=x&sleep_us=0&times=1",
        "status=418&sleep_us=0&times=1",
        "status=503&sleep_us=0&times=-1",
    ],
)
def test_an_order_that_makes_no_sense_is_refused(chain: Replicas, query: str) -> None:
    assert order(chain, query) == 400
    assert chain.ask("b-0", "/", APP_PORT).status == 200
