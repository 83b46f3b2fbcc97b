"""The terminal's table, replayed from a generated result: readable at 80 and 120 columns, without colour, in ASCII."""

import io
from typing import Any

import pytest
from rich.console import Console

from fixtures.recorded import WARNING, Recorded, invalid
from harness.analysis.summary import summarise
from harness.report.terminal import show


def shown(result: Recorded, summary: dict[str, Any], width: int = 120, **options: Any) -> str:
    out = io.StringIO()
    show(result.manifest, summary, "results/x/report.html", Console(file=out, width=width, **options))
    return out.getvalue()


def column(text: str, label: str) -> list[str]:
    return next(line for line in text.splitlines() if line.strip().startswith(label)).split("  ")


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(result: Recorded, summary: dict[str, Any], width: int) -> None:
    assert all(len(line) <= width for line in shown(result, summary, width).splitlines())


def test_validity_comes_first_and_the_report_last(result: Recorded, summary: dict[str, Any]) -> None:
    lines = shown(result, summary).splitlines()
    assert lines[0] == "VALID: 8 of 8 rounds count"
    assert lines[1].strip() == f"warning: {WARNING}"
    assert lines[-1] == "Report: results/x/report.html"


def test_arms_stand_side_by_side_at_both_widths(result: Recorded, summary: dict[str, Any]) -> None:
    for width in (80, 120):
        headers = [line for line in shown(result, summary, width).splitlines() if "baseline  " in line]
        assert len(headers) == 1
        assert headers[0].split() == ["baseline", "envoy[mtls]", "builtin[mtls]"]


def test_a_narrow_terminal_puts_the_interval_below_its_value(result: Recorded, summary: dict[str, Any]) -> None:
    lines = shown(result, summary, 80).splitlines()
    place = next(index for index, line in enumerate(lines) if line.strip().startswith("p50 (µs)"))
    assert "[" not in lines[place]
    assert lines[place + 1].count("[") == 3


def test_more_arms_than_fit_go_on_below(result: Recorded, summary: dict[str, Any]) -> None:
    text = shown(result, summary, 50)
    assert sum("builtin[mtls]" in line and "envoy" not in line for line in text.splitlines()) >= 1
    assert all(len(line) <= 50 for line in text.splitlines() if "(µs)" in line)


def test_the_figures_are_those_of_the_summary(result: Recorded, summary: dict[str, Any]) -> None:
    found = next(
        each
        for each in summary["estimates"]
        if (each["arm"], each["metric"], each["statistic"], each["value"], each["against"])
        == ("envoy[mtls]", "response", "p50", "difference", "baseline")
    )
    text = shown(result, summary)
    assert f"+{found['estimate']:,.0f} [{found['low']:,.0f}, {found['high']:,.0f}]" in text


def test_the_contrast_has_what_the_bars_are_about(result: Recorded, summary: dict[str, Any]) -> None:
    lines = shown(result, summary).splitlines()
    start = lines.index("builtin[mtls] against envoy[mtls]")
    assert [line.split("  ")[1] for line in lines[start + 1 : start + 5]] == [
        "added p50", "added p90", "CPU added", "memory per sidecar",
    ]  # fmt: skip
    assert all("×" in line for line in lines[start + 1 : start + 5])


def test_few_rounds_have_no_interval_and_say_so(short: Recorded) -> None:
    text = shown(short, summarise(short))
    assert "no interval (3 rounds): 6 or more are needed" in text
    assert "[none]" in column(text, "p50 (µs)")[-1]
    assert "p99 needs 1000 rows" in text


def test_an_invalid_result_says_it_first_with_the_reason(result: Recorded) -> None:
    broken = result
    for run in [run for run in result.runs if run.round <= 3 and run.arm == "baseline"]:
        broken = invalid(broken, run.id, "3 % of the requests were late: allowed is 1 %")
    lines = shown(broken, summarise(broken)).splitlines()
    assert lines[0] == "INVALID: 5 of 8 rounds count; do not use these figures"
    assert lines[1].startswith("  because ")


def test_nothing_valid_is_no_table_and_no_traceback(short: Recorded) -> None:
    broken = short
    for run in short.runs:
        broken = invalid(broken, run.id, "the generator was late")
    assert "no figures: no round counts" in shown(broken, summarise(broken))


def test_one_arm_alone_is_shown_without_differences(result: Recorded) -> None:
    alone = only(result, "baseline")
    text = shown(alone, summarise(alone))
    assert "Added" not in text
    assert "Response time" in text


def test_colour_is_only_decoration(result: Recorded, summary: dict[str, Any]) -> None:
    assert "\x1b[" not in shown(result, summary)
    coloured = shown(result, summary, force_terminal=True, color_system="standard")
    assert "\x1b[1;32mVALID" in coloured


def test_an_ascii_terminal_gets_ascii(result: Recorded, summary: dict[str, Any]) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii", errors="strict")
    show(result.manifest, summary, "", Console(file=out, width=120))
    out.flush()
    assert b"p50 (us)" in raw.getvalue()


def test_brackets_in_names_are_no_markup(result: Recorded) -> None:
    odd = Recorded({**result.manifest, "experiment": "[red]x[/red]"}, result.runs, result.windows)
    assert "[red]x[/red] · chain-4" in shown(odd, summarise(odd))


def only(result: Recorded, arm: str) -> Recorded:
    manifest = {**result.manifest, "arms": [a for a in result.manifest["arms"] if a["id"] == arm], "contrasts": []}
    return Recorded(manifest, tuple(run for run in result.runs if run.arm == arm), result.windows)
