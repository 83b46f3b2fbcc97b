"""Hops on the page where a program of the user's own is among the services: whole calls are marked, and nothing is made up."""

from dataclasses import replace
from typing import Any

import pytest

from fixtures.recorded import CHAIN, Recorded, recorded
from harness.analysis.summary import summarise
from harness.model.run import HopCounts
from harness.model.topology import Command, document
from harness.report.figures import Figures, cells
from harness.report.hops_view import OWN_PROGRAMS, hops_section

OWN = replace(CHAIN, services=tuple(
    replace(service, command=Command(("x",))) if service.name in {"a", "c"} else service for service in CHAIN.services
))  # fmt: skip


def seen(hop: HopCounts) -> HopCounts:
    """a and c are the user's own: of b's calls to c only the whole is known, of their own calls nothing."""
    parts: dict[str, dict[int, int]] = {part: {} for part in ("request", "callee", "response", "transit")}
    if hop.hop == "b#0>c/http":
        return replace(hop, **parts)  # type: ignore[arg-type]  # four of its histograms
    nothing = dict.fromkeys(hop.sums_ns, 0)
    return replace(hop, calls=0, errors=0, sums_ns=nothing, elapsed={}, **parts)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def own() -> Recorded:
    made = recorded(rounds=6, rate_rps=60.0, window_s=2.0, topology=OWN)
    return replace(made, runs=tuple(replace(run, hops=tuple(map(seen, run.hops))) for run in made.runs))


def page(result: Recorded, topology: dict[str, Any]) -> str:
    return hops_section("hops-0", "Hops", Figures(summarise(result), cells(result.manifest)[0]), topology)


def test_only_whole_calls_are_shown_and_marked(own: Recorded) -> None:
    shown = page(own, document(OWN))
    assert OWN_PROGRAMS.partition("'")[0] in shown
    assert '<th scope="row">b#0&gt;c/http (whole call)</th>' in shown
    assert '<th scope="row">a#0&gt;b/http</th>' in shown
    assert "no call of a#0&gt;b/http was reported" in shown
    assert shown.count("] (whole)</text>") == 2 * 2  # two arms beside the reference, wide and narrow
    assert "entry, own program" in shown


def test_own_times_are_shown_where_they_are_known(short: Recorded) -> None:
    shown = page(short, document(CHAIN))
    assert "whole" not in shown
    assert OWN_PROGRAMS.partition("'")[0] not in shown
