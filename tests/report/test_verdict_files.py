"""The verdict as JUnit, Markdown, terminal lines and a section of the page: complete, harmless, the same for the same result."""

import io
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from fixtures.recorded import invalid
from harness.report.junit import junit
from harness.report.markdown import markdown
from harness.report.terminal import show
from harness.report.verdict_view import verdict_banner, verdict_section
from tests.report.judged import GO, HOLD, NO_GO, judged, result

EVIL = "x]]><script>|`*\n# GO\x01"


def terminal(summary: dict[str, Any], width: int = 100) -> list[str]:
    out = io.StringIO()
    show(result().manifest, summary, console=Console(file=out, width=width))
    return out.getvalue().splitlines()


def broken() -> dict[str, Any]:
    found = result()
    for run in result().runs[:12]:
        found = invalid(found, run.id, "the generator was late")
    return judged(GO, found)


def test_junit_has_a_case_per_check_and_counts_them() -> None:
    summary = judged(NO_GO)
    root = ET.fromstring(junit(summary))
    assert root.attrib == {
        "name": "hoptax generated-example: NO-GO", "tests": "14", "failures": "3", "errors": "0", "skipped": "0",
    }  # fmt: skip
    assert len(root.findall(".//testcase")) == len(summary["verdicts"])
    failed = [case.attrib["name"] for case in root.findall(".//testcase") if case.find("failure") is not None]
    assert failed == ["sidecar-cpu of envoy[mtls]", "sidecar-cpu of builtin[mtls]", "sidecar-memory of envoy[mtls]"]
    for suite in root.findall("testsuite"):
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))


def test_what_is_undecided_or_invalid_is_never_green_in_junit() -> None:
    held = ET.fromstring(junit(judged(HOLD)))
    (error,) = held.findall(".//error")
    assert error.attrib["type"] == "inconclusive"
    assert "more rounds would tell" in error.attrib["message"]
    invalid_ = ET.fromstring(junit(broken()))
    assert invalid_.attrib["errors"] == invalid_.attrib["tests"]
    assert {error.attrib["type"] for error in invalid_.findall(".//error")} == {"invalid"}


def test_a_check_with_nothing_to_be_about_is_skipped() -> None:
    summary = judged(GO)
    summary["verdicts"][-1] |= {"outcome": "not-applicable", "why": "a has no sidecar"}
    root = ET.fromstring(junit(summary))
    (skipped,) = root.findall(".//skipped")
    assert skipped.attrib == {"message": "a has no sidecar"}


def test_names_cant_become_markup() -> None:
    summary = judged(GO)
    summary |= {"experiment": EVIL, "started_utc": "", "verdict_why": EVIL}
    for each in summary["verdicts"]:
        each |= {"why": EVIL, "load": EVIL, "arm": EVIL}
    text = junit(summary)
    root = ET.fromstring(text)
    assert "timestamp" not in root.find("testsuite").attrib  # type: ignore[union-attr]
    assert "<script>" not in text
    page = verdict_banner(summary) + verdict_section("v", "Rules", summary)
    assert "<script>" not in page
    told = markdown(summary)
    assert [line for line in told.splitlines() if line.startswith("# ")] == [told.splitlines()[0]]
    assert all(line.count(" | ") == 4 for line in told.splitlines() if line.startswith("| "))


def test_markdown_begins_with_the_verdict_and_has_every_check() -> None:
    summary = judged(HOLD)
    lines = markdown(summary).splitlines()
    assert lines[0] == "# HOLD: generated-example"
    rows = [line for line in lines if line.startswith("| ")][1:]
    assert len(rows) == len(summary["verdicts"])
    assert rows[0].startswith(
        "| inconclusive | p50-per-hop of envoy\\[mtls\\] | 492 µs | \\[487, 498\\] | at most 490 µs |"
    )
    assert "The result is valid." in lines
    assert "The result is **invalid**:" in markdown(broken())


@pytest.mark.parametrize(("rules", "word"), [(GO, "GO"), (HOLD, "HOLD"), (NO_GO, "NO-GO")])
def test_the_terminal_says_the_verdict_first(rules: dict[str, Any], word: str) -> None:
    lines = terminal(judged(rules))
    assert lines[0].startswith(f"VERDICT: {word}: ")
    assert sum(line.startswith("  pass  ") for line in lines) >= 10
    assert all(len(line) <= 100 for line in lines)


def test_an_invalid_result_says_so_once() -> None:
    lines = terminal(broken())
    assert lines[0].startswith("VERDICT: INCONCLUSIVE: the result is invalid: ")
    assert sum(line.startswith("  invalid") for line in lines) == 1


def test_the_page_has_a_picture_and_a_table_with_every_check() -> None:
    summary = judged(HOLD)
    content = verdict_section("verdict", "Rules", summary)
    assert content.count("<tr>") == len(summary["verdicts"]) + 1
    assert content.count('class="judged inconclusive"') == 2  # one drawing for wide screens, one for narrow ones
    assert content.count('class="judged pass"') == 2 * (len(summary["verdicts"]) - 2)
    assert '<span class="outcome inconclusive">? inconclusive</span>' in content


def test_figures_far_beyond_the_axis_get_an_arrow() -> None:
    summary = judged(NO_GO | {"p50-per-hop": "10us"})
    assert "▸" in verdict_section("verdict", "Rules", summary)
    assert "▸" not in verdict_section("verdict", "Rules", judged(GO))


def test_an_invalid_result_has_a_table_and_no_picture() -> None:
    content = verdict_section("verdict", "Rules", broken())
    assert "<svg" not in content
    assert "✕ invalid" in content


def test_without_rules_there_is_no_section() -> None:
    summary = judged(GO) | {"verdict": None, "verdicts": []}
    assert verdict_section("verdict", "Rules", summary) == verdict_banner(summary) == ""


def test_equal_results_give_equal_bytes() -> None:
    assert junit(judged(HOLD)) == junit(judged(HOLD))
    assert markdown(judged(HOLD)) == markdown(judged(HOLD))
