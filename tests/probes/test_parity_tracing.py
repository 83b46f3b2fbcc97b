"""Judgements on trace context as it arrived."""

import pytest

from harness.probes import parity_tracing
from harness.probes.parity_tracing import SPAN, TRACE, parent

OWN = "00f067aa0ba902b7"
OTHER_TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def seen(trace: str = TRACE, span: str = OWN, flags: str = "") -> dict[str, str | None]:
    return {sent: f"00-{trace}-{span}-{flags or sent}" for sent in ("00", "01")}


def test_a_trace_goes_on_with_another_span() -> None:
    assert parity_tracing.continued(seen()).passed


@pytest.mark.parametrize(
    "wrong",
    [
        seen(span=SPAN),
        seen(trace=OTHER_TRACE),
        seen(flags="01"),
        seen(flags="00"),
        seen(span="0" * 16),
        {"00": None},
        {},
    ],
    ids=["same span", "other trace", "sampled", "not sampled", "no span", "absent", "nothing"],
)
def test_what_is_no_continuation_is_noticed(wrong: dict[str, str | None]) -> None:
    assert not parity_tracing.continued(wrong).passed


def test_a_trace_that_begins_is_another_each_time_and_not_sampled() -> None:
    first, second = f"00-{TRACE}-{OWN}-00", f"00-{OTHER_TRACE}-{OWN}-00"

    assert parity_tracing.begun(first, second).passed
    assert not parity_tracing.begun(first, first).passed
    assert not parity_tracing.begun(first, None).passed
    assert not parity_tracing.begun(first, second[:-2] + "01").passed


def test_without_tracing_nothing_is_touched() -> None:
    sent: dict[str, str | None] = {flags: parent(flags) for flags in ("00", "01")}

    assert parity_tracing.untouched(sent, None).passed
    assert not parity_tracing.untouched(sent, parent("00")).passed
    assert not parity_tracing.untouched(seen(), None).passed
    assert not parity_tracing.untouched(sent | {"01": None}, None).passed
