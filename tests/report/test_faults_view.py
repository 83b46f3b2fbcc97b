"""Faults on terminal and page, from a generated result."""

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from fixtures.faulted import faulted
from fixtures.recorded import Recorded
from harness.analysis.summary import summarise
from harness.report.html import render
from harness.report.terminal import show
from tests.report.test_html import EVIL, Page


@pytest.fixture(scope="module")
def faults() -> Recorded:
    return faulted()


@pytest.fixture(scope="module")
def told(faults: Recorded) -> dict[str, Any]:
    return summarise(faults)


@pytest.fixture(scope="module")
def page(faults: Recorded, told: dict[str, Any]) -> str:
    return render(faults, told)


def shown(result: Recorded, summary: dict[str, Any], width: int = 120) -> str:
    out = io.StringIO()
    show(result.manifest, summary, "", Console(file=out, width=width))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_and_says_what_became_of_each_fault(faults: Recorded, told: dict[str, Any], width: int) -> None:
    text = shown(faults, told, width)
    assert all(len(line) <= width for line in text.splitlines())
    assert text.count("7 of 7") == 10
    assert text.count("not applicable") == 2
    assert "latency-it: latency c-0 for 1 s (delay 25 ms)" in text
    assert "requests lost: measured / expected" in text


def test_what_is_invalid_shows_no_figure() -> None:
    result = faulted(kinds=("pause",), seen=0)
    text = shown(result, summarise(result))
    assert text.count("INVALID") == 3
    assert "recovered after" not in text
    assert "the target's processes weren't stopped" in text


def test_the_page_has_a_picture_and_a_table_for_each_arm_and_fault(page: str) -> None:
    parsed = Page(page)
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    pictures = [each for each in ids if each and each.startswith("faults-0-") and each.endswith("-w-t")]
    assert len(pictures) == 10
    assert page.count("tenths of a second with a late or lost request") >= 10
    assert page.count("What follows from arithmetic") >= 3
    assert ">healed<" in page


def test_the_same_result_gives_the_same_page(faults: Recorded, told: dict[str, Any], page: str) -> None:
    assert render(faults, told) == page


def test_names_cannot_become_markup(faults: Recorded) -> None:
    manifest = faults.manifest | {
        "faults": [spec | {"name": EVIL} if spec["kind"] == "pause" else spec for spec in faults.manifest["faults"]]
    }
    runs = tuple(
        replace(run, faults=tuple(replace(each, fault=EVIL) if each.kind == "pause" else each for each in run.faults))
        for run in faults.runs
    )
    evil = replace(faults, manifest=manifest, runs=runs)
    text = render(evil, summarise(evil))
    assert "<script" not in text
    assert "<img" not in text
