"""The generator's facts, the rules on them, and the summary: from rows made by hand."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.load.facts import generator_facts
from harness.load.messages import Done
from harness.load.rows import COLUMNS, ERROR_KINDS, PHASES, Rows, from_columns
from harness.load.summary import summarise
from harness.load.validity import generator_reasons
from harness.model.run import ClockDomain, Generator

DOMAIN = ClockDomain("boot", 1, 2)
DONE = Done("rows", 10**9, 3 * 10**9, 4 * 10**9, cpu_ns=5, run_delay_ns=7, domain=DOMAIN, domain_end=DOMAIN)
US = 1000


def rows(count: int, **given: Any) -> Rows:
    """Requests of the window, due every 10 µs, ready after 1, sent after 2, done after 12 µs, but for what is given."""
    due = np.arange(count) * 10 * US + 10**9
    made: dict[str, Any] = {
        "due": due,
        "ready": due + US,
        "sent": due + 2 * US,
        "done": due + 12 * US,
        "phase": np.ones(count),
    }
    columns = {name: np.zeros(count, kind) for name, kind in COLUMNS.items()} | made
    for name, values in given.items():
        columns[name][: len(values)] = values
    return from_columns("r", ("GET /",), columns)


def kind(name: str) -> int:
    return ERROR_KINDS.index(name)


def test_counts_add_up_and_the_warm_up_is_not_counted() -> None:
    warm = PHASES.index("warmup")
    facts = generator_facts(
        rows(10, phase=[warm], done=[1, 0, 0], error_kind=[0, 0, 0, kind("status"), kind("timeout")], sent=[9, 0]), DONE
    )
    assert (facts.due, facts.censored, facts.errors, facts.done, facts.sent) == (9, 2, 2, 5, 8)
    assert (facts.window_ns, facts.cpu_ns, facts.run_delay_ns) == (2 * 10**9, 5, 7)


def test_only_requests_for_which_it_never_woke_are_its_fault() -> None:
    facts = generator_facts(rows(10, ready=[0, 0], sent=[0, 0, 0], done=[0, 0, 0]), DONE)
    assert facts.unsent_own_fault == 2
    assert facts.sent == 7


def test_lateness_is_of_all_requests() -> None:
    base = 10**9
    facts = generator_facts(rows(100, ready=[base + 5_000_000, base + 10 * US + 1_000_001]), DONE)
    assert facts.late_over_1ms == 2
    assert facts.lateness_us == {"p50": 1.0, "p99": 1000.001}
    assert generator_facts(rows(0), DONE).lateness_us == {}


def healthy() -> Generator:
    return replace(generator_facts(rows(1000), DONE), run_delay_ns=0)


def test_a_punctual_generator_gives_no_reasons() -> None:
    assert generator_reasons(healthy()) == ()


@pytest.mark.parametrize(
    "fault",
    [lambda count: replace(healthy(), unsent_own_fault=count), lambda count: replace(healthy(), late_over_1ms=count)],
)
def test_one_percent_is_allowed_and_more_is_not(fault: Callable[[int], Generator]) -> None:
    assert generator_reasons(fault(10)) == ()
    (reason,) = generator_reasons(fault(11))
    assert "11 of 1000" in reason
    assert "allowed 1%" in reason


def test_five_percent_of_run_delay_is_allowed_and_more_is_not() -> None:
    assert generator_reasons(replace(healthy(), run_delay_ns=10**8)) == ()
    (reason,) = generator_reasons(replace(healthy(), run_delay_ns=10**8 + 10**7))
    assert "5.5% of the window" in reason


def test_a_saturated_system_is_no_fault_of_the_generator() -> None:
    waiting = generator_facts(rows(1000, sent=[0] * 900, done=[0] * 990), DONE)
    assert generator_reasons(replace(waiting, run_delay_ns=0)) == ()


def test_nothing_due_is_no_result() -> None:
    assert "no request was due" in generator_reasons(generator_facts(rows(0), DONE))[0]


def test_the_summary_has_exact_quantiles_where_rows_suffice() -> None:
    data = rows(1000)
    summary = summarise(generator_facts(data, DONE), data)
    assert summary["service_us"] == {"p50": 10, "p90": 10, "p95": 10, "p99": 10, "p99.9": None, "max": 10}
    assert summary["response_us"]["p99"] == 12
    assert summary["achieved_rps"] == 500
    assert summary["lateness_us"] == {"p50": 1, "p99": 1}
    assert summary["validity"] == {"valid": True, "reasons": []}


def test_a_quantile_among_the_unanswered_has_no_value() -> None:
    data = rows(1000, done=[0] * 60, error_kind=[0] * 50 + [kind("reset")] * 10)
    summary = summarise(generator_facts(data, DONE), data)
    assert summary["response_us"]["p90"] == 12
    assert [summary["response_us"][name] for name in ("p95", "p99", "max")] == [None] * 3
    assert summary["error_kinds"] == {"reset": 10}


def test_a_summary_of_nothing_has_no_figures() -> None:
    summary = summarise(generator_facts(rows(0), DONE), rows(0))
    assert summary["lateness_us"] == {"p50": None, "p99": None}
    assert set(summary["response_us"].values()) == {None}
    assert not summary["validity"]["valid"]
