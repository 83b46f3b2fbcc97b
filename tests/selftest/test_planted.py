"""The judge of the planted delay accepts the truth and refuses what is wrong, too wide, or without interval."""

import json
from typing import Any

import pytest

from harness import registry
from harness.model.mesh import PlatformFacts, Traffic
from harness.model.program import Program
from harness.model.topology import Call, Hop, Service, Step, Topology
from harness.selftest.planted import arms, judge, margin_us

PROGRAM = Program("app", module="app")
CHAIN = Topology(
    "chain",
    "a",
    (
        Service("a", PROGRAM, script=(Step((Call("b"),)),)),
        Service("b", PROGRAM, script=(Step((Call("c"),)),)),
        Service("c", PROGRAM),
    ),
)
HOPS = CHAIN.hops()
BARE = registry.arm("baseline")


def estimate(
    arm: str, scope: str, subject: str, metric: str, value: str, middle: float, half: float | None
) -> dict[str, Any]:
    ends = (None, None) if half is None else (middle - half, middle + half)
    return {
        "arm": arm, "scope": scope, "subject": subject, "metric": metric, "statistic": "p50", "value": value,
        "estimate": middle, "low": ends[0], "high": ends[1], "note": "" if half else "4 rounds",
    }  # fmt: skip


def summary(
    shift_us: float = 200.0, half_us: float | None = 8.0, again_us: float = 0.0, other_us: float = 0.0
) -> dict[str, Any]:
    rows = []
    for scope, subject, metric in (("request", "entry", "response"), *(("hop", hop.id, "hop") for hop in HOPS)):
        rows.append(estimate("baseline", scope, subject, metric, "absolute", 300.0, 5.0))
        rows.append(estimate("baseline#again", scope, subject, metric, "difference", again_us, 5.0))
        late, half = (shift_us, half_us) if subject == HOPS[1].id else (other_us, 5.0)
        rows.append(estimate("baseline#delayed", scope, subject, metric, "difference", late, half))
    return {"estimates": rows}


def passed(document: dict[str, Any]) -> bool:
    return all(finding.passed for finding in judge(document, BARE, HOPS, HOPS[1]))


def test_the_truth_passes() -> None:
    assert passed(summary())


@pytest.mark.parametrize(
    "wrong",
    [
        {"shift_us": 170.0},
        {"shift_us": 230.0},
        {"half_us": 60.0},
        {"half_us": None},
        {"again_us": 40.0},
        {"other_us": -45.0},
    ],
)
def test_what_is_not_the_truth_fails(wrong: dict[str, Any]) -> None:
    assert not passed(summary(**wrong))


def test_one_arm_with_a_shifted_schedule_is_caught() -> None:
    """Due times 60 µs early in one arm make every response of it 60 µs longer: A/A must say so."""
    assert not passed(summary(again_us=60.0))


def test_the_margin_is_five_percent_but_at_least_thirty_microseconds() -> None:
    assert margin_us(200.0) == 30.0
    assert margin_us(2000.0) == 100.0


def test_the_delay_is_planted_in_the_callee_of_one_hop_and_nowhere_else() -> None:
    facts = PlatformFacts("process", interception=False)
    bare, _, delayed = arms(BARE, Hop("b", 0, "c", "http"))
    before, after = (arm.plan(CHAIN, Traffic(), facts) for arm in (bare, delayed))

    changed = [new.name for old, new in zip(before.units, after.units, strict=True) if old != new]
    assert changed == ["c-0"]
    assert json.loads(after.unit("c-0").files[0].content)["receive_delay_us"] == 200
