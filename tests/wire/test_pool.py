"""Reuse, the keep-alive race, the cap and idle connections, over a loop that opens connections without sockets."""

import time

import pytest

from harness.wire import pool
from harness.wire.pool import NS_PER_S
from tests.wire.by_hand import REQUEST, TIMEOUTS, Bench, on_loop

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"


@on_loop
async def test_the_connection_used_last_is_used_next(bench: Bench) -> None:
    for _ in range(3):
        await bench.call()
    for number in (0, 2, 1):
        bench.connections[number].data_received(OK)
    for number in (1, 2, 0):
        await bench.call()
        assert bench.transports[number].written == REQUEST * 2
    assert len(bench.connections) == 3


@on_loop
async def test_a_connection_lost_while_it_was_being_made(bench: Bench) -> None:
    bench.lose_at_once = True
    await bench.call()
    assert bench.errors == ["closed"]


@on_loop
async def test_the_keep_alive_race_is_run_again_once_and_counted(bench: Bench) -> None:
    for _ in range(2):
        await bench.call()
    for connection in bench.connections:
        connection.data_received(OK)
    await bench.call()
    bench.connections[1].connection_lost(ConnectionResetError())
    await bench.settle()
    assert bench.timers[2].cancelled()
    assert bench.transports[2].written == REQUEST
    bench.connections[2].connection_lost(ConnectionResetError())
    await bench.settle()
    assert (bench.errors, bench.pool.races, len(bench.connections)) == (["", "", "closed"], 1, 3)
    await bench.call()
    assert bench.transports[0].written == REQUEST * 2


@on_loop
async def test_a_connection_that_closed_while_idle_is_passed_over(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK)
    bench.connections[0].connection_lost(None)
    await bench.call()
    assert (len(bench.connections), bench.pool.races) == (2, 0)


@pytest.mark.parametrize("failure", [ConnectionRefusedError(), TimeoutError()])
def test_no_connection(failure: Exception) -> None:
    @on_loop
    async def told(bench: Bench) -> None:
        bench.refuse = failure
        await bench.call()
        (answer,) = bench.answers
        assert (answer.error, answer.status) == ("connect", 0)
        assert 0 < answer.sent_ns == answer.done_ns

    told()


@on_loop
async def test_beyond_the_cap_calls_fail_at_once_and_freed_places_are_used(bench: Bench) -> None:
    for _ in range(pool.MAX_CONNECTIONS):
        bench.pool.call(REQUEST, bench.answers.append)
    bench.pool.call(REQUEST, bench.answers.append)
    assert bench.errors == ["overflow"]
    await bench.settle()
    await bench.call()
    assert bench.errors == ["overflow"] * 2
    bench.connections[0].connection_lost(None)
    await bench.call()
    assert len(bench.connections) == pool.MAX_CONNECTIONS + 1


@on_loop
async def test_closing_a_pool_closes_every_connection(bench: Bench) -> None:
    await bench.call()
    await bench.call()
    bench.connections[0].data_received(OK)
    bench.pool.close()
    assert all(transport.closed for transport in bench.transports)


@on_loop
async def test_a_race_is_a_second_attempt(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK)
    await bench.call()
    bench.connections[0].connection_lost(ConnectionResetError())
    await bench.settle()
    bench.connections[1].data_received(OK)
    assert [(answer.error, answer.attempts) for answer in bench.answers] == [("", 1), ("", 2)]


@on_loop
async def test_connections_idle_for_too_long_are_closed_and_the_timer_goes_on_with_the_rest(bench: Bench) -> None:
    for _ in range(3):
        await bench.call()
    for connection in bench.connections:
        connection.data_received(OK)
    assert [timer.delay_s for timer in bench.sweeps] == [TIMEOUTS.idle_s]
    idle_ns = int(TIMEOUTS.idle_s * NS_PER_S)
    for connection, left_ns in zip(bench.connections, (-1, 0, 100 * NS_PER_S), strict=True):
        connection.idle_ns = time.monotonic_ns() - idle_ns + left_ns
    bench.sweeps[0].ring()
    assert [transport.closed for transport in bench.transports] == [True, True, False]
    assert 99 < bench.sweeps[1].delay_s <= 100
    await bench.call()
    assert bench.transports[2].written == REQUEST * 2


@on_loop
async def test_without_idle_connections_no_timer_runs(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK)
    await bench.call()
    bench.sweeps[0].ring()
    assert (len(bench.sweeps), bench.transports[0].closed) == (1, False)
    bench.connections[0].data_received(OK)
    assert len(bench.sweeps) == 2


@on_loop
async def test_a_connection_that_closed_while_idle_is_forgotten_by_the_sweep(bench: Bench) -> None:
    await bench.call()
    bench.connections[0].data_received(OK)
    bench.connections[0].connection_lost(None)
    bench.sweeps[0].ring()
    assert len(bench.sweeps) == 1
