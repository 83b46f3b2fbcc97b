"""Outcomes and verdicts from made-up checks: boundaries, precedence, and what holds whatever the figures are."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis.intervals import Interval
from harness.analysis.verdict import LEVEL, Check, Judgement, alone, documents, judge
from harness.model.rules import VALIDITY, Asked

CHANCE = 1e-6


def check(
    low: float | None, high: float | None, *, p: float | None = None, rule: str = "p50-per-hop", arm: str = "a"
) -> Check:
    """Of a budget of 1 ms; by default p is tiny where the interval is outside."""
    outside = low is not None and low > 1000
    note = "" if low is not None else "5 rounds: an interval needs 6 or more"
    return Check(
        Asked(rule, None, 1000.0, (arm,)), arm, "chain-4", "auto", Interval(900.0, low, high, 12, "made-up", note=note),
        p=(CHANCE if outside else 1.0) if p is None else p,
    )  # fmt: skip


VALID = Check(Asked(VALIDITY, None, None, ()), "", "", "")
PASS, FAIL, BETWEEN, NONE = check(100, 200), check(1100, 1200), check(900, 1100), check(None, None)
ABSENT = Check(PASS.asked, "a", "chain-4", "auto", why="a has no sidecar", applicable=False)


@pytest.mark.parametrize(
    ("low", "high", "least", "most", "outcome"),
    [
        (1.0, 2.0, None, 2.0, "pass"),  # an end on the budget is inside
        (1.0, 2.0000001, None, 2.0, "inconclusive"),
        (2.0, 3.0, None, 2.0, "inconclusive"),  # the low end on the budget isn't outside
        (2.0000001, 3.0, None, 2.0, "fail"),
        (-1.0, 1.0, -1.0, 1.0, "pass"),
        (-1.1, 1.0, -1.0, 1.0, "inconclusive"),
        (-2.0, -1.1, -1.0, 1.0, "fail"),
        (-2.0, 2.0, -1.0, 1.0, "inconclusive"),  # wider than the whole margin
        (0.5, 3.0, 0.5, None, "pass"),
        (0.4, 3.0, 0.5, None, "inconclusive"),
        (0.1, 0.4, 0.5, None, "fail"),
        (2.0, 2.0, None, 2.0, "pass"),
    ],
)
def test_an_interval_against_a_budget(
    low: float, high: float, least: float | None, most: float | None, outcome: str
) -> None:
    assert alone((low, high), least, most) == outcome


def test_no_interval_decides_nothing() -> None:
    assert alone(None, None, 1.0) == "inconclusive"


@pytest.mark.parametrize(
    ("checks", "verdict", "why"),
    [
        ([VALID, PASS, PASS], "GO", "2 of 2 checks passed"),
        ([VALID, PASS, ABSENT], "GO", "1 of 1 checks passed"),
        ([VALID, PASS, BETWEEN], "HOLD", "1 of 2 checks is undecided, none failed; more rounds would tell: p50-per-hop of a"),
        ([VALID, BETWEEN, NONE], "INCONCLUSIVE", "1 of 2 checks is without an interval: p50-per-hop of a"),
        ([VALID, NONE, FAIL, BETWEEN], "NO-GO", "1 of 3 checks is outside the budget: p50-per-hop of a"),
        ([VALID, FAIL, FAIL], "NO-GO", "2 of 2 checks are outside the budget: p50-per-hop of a"),
        ([VALID, ABSENT], "INCONCLUSIVE", "there is nothing that the rules could be about"),
    ],
)  # fmt: skip
def test_the_worst_decides_wherever_it_stands(checks: list[Check], verdict: str, why: str) -> None:
    for order in permutations(checks):
        found = judge(order, ())
        assert (found.verdict, found.why) == (verdict, why)


def test_without_rules_there_is_no_verdict() -> None:
    assert judge([], ()) == Judgement(None, "", ())
    assert judge([], ("broken",)) == Judgement(None, "", ())


def test_an_invalid_result_is_not_judged_however_good_its_figures_are() -> None:
    found = judge([VALID, PASS, FAIL, ABSENT], ("envoy[mtls] is not what it says", "too few rounds"))
    assert (found.verdict, found.why) == ("INCONCLUSIVE", "the result is invalid: envoy[mtls] is not what it says")
    assert {each.outcome for each in found.checks} == {"invalid"}
    assert found.checks[0].why == "envoy[mtls] is not what it says; too few rounds"


def test_a_failure_has_to_stand_holms_correction() -> None:
    """A p of 0.02 is a failure alone, and may be chance among five checks: 5 × 0.02 > 0.05."""
    doubtful = check(1001, 1100, p=0.02)
    assert judge([VALID, doubtful], ()).verdict == "NO-GO"
    found = judge([VALID, doubtful, PASS, PASS, PASS, PASS], ())
    assert found.verdict == "HOLD"
    assert found.checks[1].outcome == "inconclusive"
    assert found.checks[1].p_holm == pytest.approx(0.1)
    assert "that may be chance (p 0.1 for 5 checks): more rounds would tell" in found.checks[1].why


def test_a_clear_failure_helps_a_doubtful_one() -> None:
    """Holm's second step corrects for one check fewer: 2 × 0.02 ≤ 0.05, where 3 × 0.02 isn't."""
    clear, doubtful = check(2000, 2100), check(1001, 1100, p=0.02)
    outcomes = [each.outcome for each in judge([clear, doubtful, PASS], ()).checks]
    assert outcomes == ["fail", "fail", "pass"]
    assert [each.outcome for each in judge([PASS, doubtful, PASS], ()).checks][1] == "inconclusive"


def test_checks_that_apply_to_nothing_are_no_part_of_the_family() -> None:
    doubtful = check(1001, 1100, p=0.02)
    assert judge([VALID, doubtful, ABSENT, ABSENT, ABSENT], ()).verdict == "NO-GO"


def test_a_check_without_interval_counts_as_one_that_could_have_failed() -> None:
    doubtful = check(1001, 1100, p=0.02)
    assert judge([doubtful, NONE, NONE], ()).verdict == "INCONCLUSIVE"


_ENDS = st.floats(-2000, 4000, allow_nan=False)
_CHECKS = st.lists(
    st.one_of(
        st.tuples(_ENDS, _ENDS, st.floats(0, 1)).map(lambda e: check(min(e[:2]), max(e[:2]), p=e[2])),
        st.just(NONE),
        st.just(ABSENT),
    ),
    max_size=8,
)


@given(_CHECKS)
def test_what_holds_of_every_verdict(checks: list[Check]) -> None:
    found = judge([VALID, *checks], ())
    outcomes = [each.outcome for each in found.checks[1:]]
    assert (found.verdict == "NO-GO") == ("fail" in outcomes)
    assert (found.verdict == "GO") == (set(outcomes) <= {"pass", "not-applicable"} and "pass" in outcomes)
    for each in found.checks[1:]:
        by_itself = alone(each.check.ends, each.check.asked.least, each.check.asked.most)
        assert each.outcome in (by_itself, "inconclusive", "not-applicable")
        if each.outcome == "fail":
            assert each.p_holm is not None
            assert each.p_holm <= LEVEL
            assert each.check.interval is not None
            assert each.check.interval.low is not None
            assert each.check.interval.low > 1000
        if each.outcome == "pass":
            assert each.check.interval is not None
            assert each.check.interval.high is not None
            assert each.check.interval.high <= 1000


@given(_CHECKS, _CHECKS)
def test_more_checks_never_turn_a_verdict_into_go(some: list[Check], more: list[Check]) -> None:
    if judge([VALID, *some, *more], ()).verdict == "GO" and any(each.applicable for each in some):
        assert judge([VALID, *some], ()).verdict == "GO"


@given(st.tuples(_ENDS, _ENDS).map(sorted), st.floats(1, 3000), st.floats(0, 1000))
def test_a_larger_budget_never_hurts(ends: list[float], budget: float, more: float) -> None:
    order = ("fail", "inconclusive", "pass")
    small, large = (alone((ends[0], ends[1]), None, most) for most in (budget, budget + more))
    assert order.index(large) >= order.index(small)


def test_documents_have_budget_interval_and_both_ps() -> None:
    (first, second) = documents(judge([VALID, FAIL], ()))
    assert (first["rule"], first["arm"], first["allowed"], first["p"]) == ("validity", None, "valid", None)
    assert (second["max"], second["low"], second["high"], second["p"]) == (1000.0, 1100, 1200, CHANCE)
    assert second["why"] == "1.1 ms to 1.2 ms; allowed is at most 1 ms (p < 0.001 for 1 check)"
