"""The window of a trial, what makes a trial invalid, and one real trial."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import registry
from harness.load.control import EngineReport
from harness.load.rows import COLUMNS, Int64s, Rows, from_columns
from harness.load.schedule import due_offsets_ns
from harness.model.run import ClockDomain, Generator, Load, Parity
from harness.rounds import Trial
from harness.stage import stage
from harness.topology import load_topology
from harness.trial import LEAD_NS, NS_PER_S, Window, followed, run_trial, validity, window_of

LOAD = Load(rate_rps=200.0, warmup_s=1.0, window_s=4.0, seed=5)
START_NS = 7_000_000_000
PLANNED = START_NS + due_offsets_ns(LOAD.rate_rps, 5.0, LOAD.arrivals, LOAD.seed)
WINDOW = Window(START_NS, START_NS + NS_PER_S, START_NS + 5 * NS_PER_S)


def rows(due: Int64s) -> Rows:
    columns = {name: np.zeros(len(due), np.int64) for name in COLUMNS}
    return from_columns("r", ("entry",), columns | {"due": due, "ready": due, "sent": due, "done": due + 1_000_000})


def generator(**changes: int) -> Generator:
    domain = ClockDomain("boot", 0, 0)
    good = Generator(800, 800, 800, 0, 0, 0, 0, {}, 0, 0, 4 * NS_PER_S, domain, domain)
    return replace(good, **changes)  # type: ignore[arg-type]  # every one of them is a count


@given(
    now_ns=st.integers(0, 10**18),
    warmup_ms=st.integers(0, 20_000),
    window_s=st.integers(1, 3600),
)
def test_a_window_begins_and_ends_on_whole_seconds_after_its_warm_up(
    now_ns: int, warmup_ms: int, window_s: int
) -> None:
    window = window_of(replace(LOAD, warmup_s=warmup_ms / 1000, window_s=window_s), now_ns)
    assert window.start_ns % NS_PER_S == window.end_ns % NS_PER_S == 0
    assert window.end_ns - window.start_ns == window_s * NS_PER_S
    assert window.start_ns - window.warmup_start_ns == warmup_ms * 1_000_000
    assert LEAD_NS <= window.warmup_start_ns - now_ns < LEAD_NS + NS_PER_S


def test_the_schedule_itself_is_accepted() -> None:
    assert followed(rows(PLANNED), LOAD, START_NS) == ()


def shifted(due: Int64s) -> Int64s:
    """A generator whose clock or start is off, be it by one nanosecond."""
    return due + 1


def waiting_for_answers(due: Int64s) -> Int64s:
    """Coordinated omission: with one connection and answers after 8 ms, nothing is due before the last answer."""
    sent = due.copy()
    for number in range(1, len(sent)):
        sent[number] = max(due[number], sent[number - 1] + 8_000_000)
    return sent


def leaving_out_the_late(due: Int64s) -> Int64s:
    return np.delete(due, len(due) // 2)


def sending_at_the_mean_rate(due: Int64s) -> Int64s:
    return np.linspace(due[0], due[-1], len(due)).astype(np.int64)


def sending_nothing(due: Int64s) -> Int64s:
    return due[:0]


@pytest.mark.parametrize(
    "mutation", [shifted, waiting_for_answers, leaving_out_the_late, sending_at_the_mean_rate, sending_nothing]
)
def test_a_generator_that_does_not_follow_the_schedule_is_found(mutation: Callable[[Int64s], Int64s]) -> None:
    (reason,) = followed(rows(mutation(PLANNED)), LOAD, START_NS)
    assert "are not the schedule's" in reason
    assert "(seed 5, 200/s)" in reason


@pytest.mark.parametrize(
    "asked",
    [
        replace(LOAD, seed=6),
        replace(LOAD, rate_rps=201.0),
        replace(LOAD, window_s=5.0),
        replace(LOAD, arrivals="uniform"),
    ],
)
def test_the_schedule_of_another_load_is_found(asked: Load) -> None:
    assert followed(rows(PLANNED), asked, START_NS)


def test_a_trial_without_doubt_is_valid() -> None:
    found = validity(EngineReport(generator(), rows(PLANNED)), (Parity("mtls", True, "seen"),), LOAD, WINDOW)
    assert (found.valid, found.reasons) == (True, ())


def test_every_doubt_is_told() -> None:
    report = EngineReport(generator(unsent_own_fault=80, late_over_1ms=400), rows(shifted(PLANNED)))
    found = validity(report, (Parity("mtls", False, "plaintext was answered"),), LOAD, WINDOW)
    assert not found.valid
    told = "\n".join(found.reasons)
    assert len(found.reasons) == 4
    for part in (
        "left 80 of 800",
        "later than 1 ms for 400 of 800",
        "are not the schedule's",
        "plaintext was answered",
    ):
        assert part in told


@pytest.mark.system
def test_one_trial() -> None:
    arm = registry.arm("baseline")
    topology = load_topology(registry.find_file("topologies", "pair"), registry.service_program())
    load = Load(rate_rps=50.0, warmup_s=0.2, window_s=1.0, connections=2, arrivals="uniform", drain_s=2.0)
    with stage([arm]) as (bench, _):
        run, found = run_trial(bench, Trial(1, 0, arm.id, "pair", "low", seed=load.seed), arm, topology, load, "test")
    assert (run.id, run.arm, run.round, run.load_name) == ("r01_pair_low_baseline", "baseline", 1, "low")
    assert (run.window_start_ns % NS_PER_S, run.window_end_ns - run.window_start_ns) == (0, NS_PER_S)
    assert followed(found, load, run.window_start_ns - 200_000_000) == ()
    assert (run.generator.due, run.generator.done, len(found)) == (50, 50, 60)
    (hop,) = run.hops
    assert (hop.hop, hop.errors) == ("a#0>b/http", 0)
    assert (
        0 < hop.calls == sum(hop.elapsed.values()) <= 60
    )  # each in the second of its answer, so not exactly the window's 50
    assert hop.sums_ns["request"] + hop.sums_ns["callee"] + hop.sums_ns["response"] == hop.sums_ns["elapsed"]
    assert {unit.unit for unit in run.units} == {"a-0", "b-0"}
    assert all(unit.cpu_ns > 0 and unit.loaded["pss_bytes"] > 0 for unit in run.units)
    assert all(proof.passed for proof in run.parity)
