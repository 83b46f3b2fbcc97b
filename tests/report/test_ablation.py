"""The ablation on terminal and page, replayed from a generated result: every line, every mesh, and the words on adding up."""

import io
import re
from typing import Any

import pytest
from rich.console import Console

from fixtures.ablated import FEATURES, ablated, arm_id
from fixtures.recorded import Recorded, invalid
from harness.analysis.summary import summarise
from harness.report.ablation_table import ablation_table, left_out, without_steps
from harness.report.figures import Cell
from harness.report.html import render
from harness.report.interval_chart import Group, Mark, interval_chart
from harness.report.terminal import show
from tests.report.test_html import Page

CELL = Cell("chain-4", "steady")
LINES = [
    "the base, over baseline",
    *(f"+ {name}" for name in FEATURES),
    "sum of the 6",
    "all together",
    "together − sum",
]


@pytest.fixture(scope="module")
def measured(result: Recorded) -> Recorded:
    return ablated(result)


@pytest.fixture(scope="module")
def judged(measured: Recorded) -> dict[str, Any]:
    return summarise(measured)


def shown(result: Recorded, summary: dict[str, Any], width: int = 100) -> str:
    out = io.StringIO()
    show(result.manifest, summary, "", Console(file=out, width=width))
    return out.getvalue()


def test_a_line_per_feature_and_a_column_per_mesh_for_each_cost(judged: dict[str, Any]) -> None:
    found = ablation_table(judged, CELL)
    assert found is not None
    assert found.arms == (arm_id("envoy"), arm_id("builtin"))
    assert [section.title for section in found.sections] == [
        "p50 of response time (µs)", "CPU per 1,000 requests (ms)", "Memory per sidecar, loaded (MB)",
    ]  # fmt: skip
    for section in found.sections:
        assert [row.label for row in section.rows] == LINES
        assert all(len(row.figures) == 2 for row in section.rows)
        assert len(section.notes) == 2


def test_a_result_without_ablation_has_no_such_table(summary: dict[str, Any], result: Recorded) -> None:
    assert ablation_table(summary, CELL) is None
    assert without_steps(summary)["arms"] == summary["arms"]
    assert left_out(summary) == ""
    assert "Enable one feature" not in shown(result, summary)
    assert "Enable one feature" not in render(result, summary)


@pytest.mark.parametrize("width", [80, 100, 160])
def test_the_terminal_has_it_below_the_other_table(measured: Recorded, judged: dict[str, Any], width: int) -> None:
    text = shown(measured, judged, width)
    assert all(len(line) <= width for line in text.splitlines())
    _, _, below = text.partition("Enable one feature at a time · chain-4")
    for line in LINES:
        assert below.count(f"  {line} ") == 3
    assert "together they cost more than the sum (+30 µs [10, 50])" in " ".join(below.split())
    assert "no departure from adding up is seen" in " ".join(below.split())


def test_arms_with_a_single_feature_are_left_to_that_table(measured: Recorded, judged: dict[str, Any]) -> None:
    kept = [arm["id"] for arm in without_steps(judged)["arms"]]
    assert kept == [
        "baseline", "envoy[mtls]", "builtin[mtls]", arm_id("envoy", *FEATURES), arm_id("builtin", *FEATURES),
    ]  # fmt: skip
    assert left_out(judged).startswith("Left to “Enable one feature at a time”: 12 arms")
    assert arm_id("envoy", "retries") not in shown(measured, judged)


def test_an_arm_of_a_contrast_is_never_left_out(judged: dict[str, Any]) -> None:
    asked = arm_id("envoy", "retries")
    summary = judged | {"contrasts": [[asked, "envoy[mtls]"]]}
    assert asked in [arm["id"] for arm in without_steps(summary)["arms"]]


def test_the_page_has_pictures_and_a_table_with_the_same_figures(measured: Recorded, judged: dict[str, Any]) -> None:
    page = render(measured, judged)
    assert Page(page).open == []
    (section,) = re.findall(r'<section id="ablation-0">.*?</section>', page, re.DOTALL)
    assert section.count('role="img"') == 3 * 2
    text = " ".join(re.sub(r"<[^>]+>", " ", section).split())
    row = next(
        each
        for each in judged["ablation"]
        if (each["feature"], each["mesh"], each["metric"]) == ("access-log", "builtin", "response")
    )
    assert f"+{row['estimate']:.0f} [{row['low']:.0f}, {row['high']:.0f}]" in text
    assert "Do they add up?" in text
    assert "and 12 arms with one feature more than their base" in page


def test_lines_say_on_how_many_rounds_they_rest(measured: Recorded) -> None:
    late = next(run.id for run in measured.runs if run.arm == arm_id("envoy", "tracing"))
    broken = invalid(measured, late, "the generator was late")
    found = ablation_table(summarise(broken), CELL)
    assert found is not None
    assert found.resting.endswith("valid in its own arms: 7 to 8.")


def test_no_valid_round_is_a_table_of_dashes(measured: Recorded) -> None:
    broken = measured
    for run in measured.runs:
        broken = invalid(broken, run.id, "the generator was late")
    summary = summarise(broken)
    assert "INVALID" in shown(broken, summary)
    assert Page(render(broken, summary)).open == []


def test_a_mark_without_interval_has_no_line_and_one_value_is_enough() -> None:
    both = [Group("+ x", (Mark(0, 0.0, None, None, "tip"), Mark(1, 3.0, 2.0, 4.0, "other")))]
    assert interval_chart(both, "added (µs)", 590).svg("a", "t", "d").count('class="line') == 1
    assert "tip" in interval_chart([Group("+ x", both[0].marks[:1])], "added", 340).svg("a", "t", "d")
