"""Retries, bounds and ages over real sockets: what an app gets to see of them, and what a client does."""

import asyncio
from collections import Counter

import pytest

from meshes.builtin.policies import Breaker, Ejection, Retry
from meshes.builtin.policies_balancing import Hash, Selection, SuccessRate
from meshes.builtin.snapshot import Timeouts
from tests.meshes.builtin.proxy.fleet import answering, fleet, run
from tests.meshes.builtin.proxy.pair import Client, until

RETRY = Retry(2, 5.0, 1.0, 9, 0.001, 0.002)


@pytest.mark.parametrize(
    ("on", "statuses", "status", "fields"),
    [
        (("5xx",), None, 500, b""),
        (("retriable-4xx",), None, 409, b""),
        (("retriable-status-codes",), (425,), 425, b""),
        (("unavailable",), None, 200, b"content-type: application/grpc\r\ngrpc-status: 14\r\n"),
    ],
)
def test_an_answer_that_the_conditions_name_is_asked_for_of_somebody_else(
    on: tuple[str, ...], statuses: tuple[int, ...] | None, status: int, fields: bytes
) -> None:
    async def scenario() -> None:
        async with fleet(2, retry=Retry(2, 5.0, 1.0, 9, 0.001, 0.002, on, statuses)) as here:
            here.apps[0].answer = answering(status, fields)
            client = await here.client()
            assert [(await client.get())[2] for _ in range(4)] == [b"1"] * 4
            assert here.counted("retries_total") == 4

    run(scenario())


def test_what_the_conditions_do_not_name_is_passed_on() -> None:
    async def scenario() -> None:
        async with fleet(1, retry=Retry(2, 5.0, 1.0, 9, 0.001, 0.002, ("connect-failure",))) as here:
            here.apps[0].answer = answering(503)
            client = await here.client()
            assert (await client.get())[0] == 503
            here.apps[0].stop()
            assert (await client.get())[0] == 503
            assert here.counted("retries_total") == 0

    run(scenario())


def test_the_breaker_refuses_requests_and_retries_beyond_its_bounds() -> None:
    async def scenario() -> None:
        async with fleet(1, retry=RETRY, breaker=Breaker(9, 9, max_requests=1, max_retries=0)) as here:
            release, answer = asyncio.Event(), here.serving(0)

            async def slow(head: bytes) -> bytes:
                await release.wait()
                return await answer(head)

            here.apps[0].answer = slow
            first, second = await here.client(), await here.client()
            in_flight = asyncio.ensure_future(first.get())
            await until(lambda: here.telemetry.traffic["outbound", "b"].active == 1)
            status, head, _ = await second.get()
            assert (status, b"x-hoptax-error: breaker-open\r\n" in head) == (503, True)
            release.set()
            assert (await in_flight)[0] == 200
            here.apps[0].answer = answering(503)
            assert (await second.get())[0] == 503
            assert (here.counted("retries_denied_total"), here.counted("breaker_refused_total")) == (1, 1)

    run(scenario())


def test_connections_that_are_too_old_end_and_no_request_is_lost() -> None:
    """Both sides: the client's next answer says that it is the last, the callee's connection is made anew."""

    async def scenario() -> None:
        async with fleet(1, timeouts=Timeouts(age_s=0.05, idle_s=1.0)) as here:
            client = await here.client()
            answers = [await client.get()]
            while b"connection: close" not in answers[-1][1]:
                answers.append(await client.get())
            assert {status for status, _, _ in answers} == {200}
            assert await client.reader.read() == b""
            await until(lambda: here.telemetry.connections["upstream", "b"].open == 0)
            fresh = await here.client()
            assert (await fresh.get())[0] == 200
            assert here.apps[0].connections >= 2

    run(scenario())


async def asked(client: Client, fields: bytes = b"") -> bytes:
    """The place of the app that answers."""
    client.writer.write(b"GET / HTTP/1.1\r\nHost: b\r\n%b\r\n" % fields)
    return (await client.read())[2]


def test_random_and_peak_ewma_reach_everybody() -> None:
    async def scenario() -> None:
        async with fleet(3, balancing="random") as here:
            client = await here.client()
            for balancing in ("random", "peak-ewma"):
                await here.change(balancing=balancing)
                here.served.clear()
                for _ in range(60):
                    await client.get()
                assert set(here.served) == {0, 1, 2}, balancing

    run(scenario())


def test_peak_ewma_turns_away_from_whoever_is_slow() -> None:
    async def scenario() -> None:
        async with fleet(2, balancing="peak-ewma") as here:
            answer = here.serving(0)

            async def slow(head: bytes) -> bytes:
                await asyncio.sleep(0.05)
                return await answer(head)

            here.apps[0].answer = slow
            client = await here.client()
            for _ in range(100):
                await client.get()
            assert here.served[1] > 90

    run(scenario())


@pytest.mark.parametrize(
    ("config", "fields"),
    [(Hash("header", "x-user"), b"X-User: %d\r\n"), (Hash("cookie", "sid"), b"Cookie: a=b; sid=%d\r\n")],
)
def test_requests_with_the_same_key_go_to_the_same_app(config: Hash, fields: bytes) -> None:
    async def scenario() -> None:
        async with fleet(3, balancing="maglev", selection=Selection(config)) as here:
            one, other = await here.client(), await here.client()
            first = [await asked(one, fields % n) for n in range(30)]
            assert len(Counter(first)) == 3
            assert [await asked(other, fields % n) for n in range(30)] == first

    run(scenario())


def test_requests_from_the_same_address_go_to_the_same_app_until_the_balancing_changes() -> None:
    async def scenario() -> None:
        async with fleet(3, balancing="maglev", selection=Selection(Hash("source", None, 101))) as here:
            places = {await asked(await here.client()) for _ in range(9)}
            assert len(places) == 1
            await here.change()
            client = await here.client()
            assert {await asked(client) for _ in range(9)} == {b"0", b"1", b"2"}

    run(scenario())


@pytest.mark.parametrize(
    ("ejection", "kind"),
    [(Ejection(99, 0.2, 0.5, gateway=2), "gateway"), (Ejection(2, 0.2, 0.5, gateway=99), "")],
)
def test_an_app_that_answers_503_is_left_out_and_comes_back(ejection: Ejection, kind: str) -> None:
    async def scenario() -> None:
        async with fleet(2, ejection=ejection) as here:
            here.apps[0].answer = answering(503)
            client = await here.client()
            assert [(await client.get())[0] for _ in range(8)] == [503, 200, 503, 200, 200, 200, 200, 200]
            assert here.counted("endpoints_ejected") == here.counted("ejections_total") == 1
            assert here.counted("ejections_gateway_total") == (kind == "gateway")
            here.apps[0].answer = here.serving(0)
            await until(lambda: here.counted("endpoints_ejected") == 0)
            here.served.clear()
            for _ in range(4):
                assert (await client.get())[0] == 200
            assert here.served == {0: 2, 1: 2}

    run(scenario())


def test_an_app_that_can_not_be_reached_is_left_out_sooner_than_one_that_answers_errors() -> None:
    async def scenario() -> None:
        async with fleet(2, ejection=Ejection(99, 60.0, 0.5, local=1)) as here:
            here.apps[0].stop()
            here.apps[1].answer = answering(500)
            client = await here.client()
            assert [(await client.get())[0] for _ in range(6)] == [503, 500, 500, 500, 500, 500]
            assert here.counted("ejections_local_total") == here.counted("endpoints_ejected") == 1

    run(scenario())


def test_an_app_that_fails_more_often_than_the_others_is_left_out() -> None:
    """One error in two is never two in a row."""
    compared = Ejection(99, 60.0, 0.5, success_rate=SuccessRate(0.05, 1.0, 3, 6))

    async def scenario() -> None:
        async with fleet(3, ejection=compared, timeouts=Timeouts(idle_s=0.2)) as here:
            turns, good = [0], here.serving(0)

            async def by_turns(head: bytes) -> bytes:
                turns[0] += 1
                return await (answering(500)(head) if turns[0] % 2 else good(head))

            here.apps[0].answer = by_turns
            client = await here.client()

            async def ask() -> None:
                while not here.counted("ejections_success_rate_total"):
                    await client.get()

            await asyncio.wait_for(ask(), 5)
            here.served.clear()
            assert {(await client.get())[0] for _ in range(20)} == {200}
            assert set(here.served) == {1, 2}

    run(scenario())
