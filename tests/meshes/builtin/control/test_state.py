"""Who is woken by a change, and how far each proxy is said to be."""

import asyncio

from meshes.builtin.control.state import ProxyStatus, State
from tests.meshes.builtin.control.inputs import inputs, move_b, move_c

LONG_S = 60.0


def test_a_watcher_wakes_when_its_own_snapshot_changes() -> None:
    async def watch() -> tuple[bool, bool]:
        state = State(inputs())
        waiting = {
            name: asyncio.ensure_future(state.changed(name, state.snapshots[name].version, LONG_S))
            for name in ("a-0", "b-0")
        }
        await asyncio.sleep(0)
        state.update(inputs(move_b))
        await waiting["a-0"]
        woken = waiting["b-0"].done()
        state.update(inputs(move_b, move_c))
        await waiting["b-0"]
        return woken, True

    assert asyncio.run(watch()) == (False, True)


def test_a_watcher_wakes_when_its_time_is_over_or_its_proxy_is_gone() -> None:
    async def watch() -> None:
        state = State(inputs())
        version = state.snapshots["a-0"].version
        await state.changed("a-0", version, 0)
        gone = asyncio.ensure_future(state.changed("a-0", version, LONG_S))
        await asyncio.sleep(0)
        state.update(inputs(lambda made: made["proxies"].pop("a-0")))
        await gone

    asyncio.run(watch())


def test_a_change_between_two_looks_is_not_missed() -> None:
    async def watch() -> None:
        state = State(inputs())
        version = state.snapshots["a-0"].version
        state.update(inputs(move_b))
        await state.changed("a-0", version, LONG_S)

    asyncio.run(watch())


def test_status_keeps_what_was_taken_beside_why_the_next_was_not() -> None:
    state = State(inputs())
    state.acknowledged("a-0", 5, "")
    state.acknowledged("a-0", 6, "no such port")
    assert state.status["a-0"] == ProxyStatus(acked=5, error="no such port")

    state.update(inputs(move_b))
    assert state.document()["proxies"]["a-0"]["acked"] == 5


def test_a_proxy_that_comes_back_with_the_version_in_force_has_taken_it() -> None:
    state = State(inputs())
    version = state.snapshots["a-0"].version
    state.resumed("a-0", version - 1)
    assert state.status["a-0"] == ProxyStatus()

    state.resumed("a-0", version)
    assert state.status["a-0"] == ProxyStatus(sent=version, acked=version)


def test_good_inputs_clear_the_error_of_bad_ones() -> None:
    state = State(inputs())
    state.input_error = "wrong"
    state.update(inputs())

    assert state.document()["input_error"] == ""
