"""The page, replayed from generated results: complete, harmless, self-contained, and the same for the same result."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from fixtures.made_up import ARMS
from fixtures.recorded import CHAIN, WARNING, Recorded, invalid, recorded
from harness.analysis.summary import summarise
from harness.report.html import render
from harness.store import open_result
from tests.report.judged import judged

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"
VOID = {"meta", "br", "wbr"}


class Page(HTMLParser):
    """Tags as a browser sees them, with every open tag checked to be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def page(result: Recorded, summary: dict[str, Any]) -> str:
    return render(result, summary)


def test_the_page_is_well_formed_and_its_ids_are_unique(page: str) -> None:
    parsed = Page(page)
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [attributes["href"] for tag, attributes in parsed.tags if tag == "a"]
    assert all(link and link.removeprefix("#") in ids for link in links)


def test_nothing_is_fetched_and_nothing_runs(page: str) -> None:
    parsed = Page(page)
    assert {"script", "link", "img", "iframe", "object"}.isdisjoint(tag for tag, _ in parsed.tags)
    assert not any(
        name.startswith("on") or name in {"src", "srcset"} for _, attributes in parsed.tags for name in attributes
    )
    assert "url(" not in page
    assert "@import" not in page
    assert "content=\"default-src 'none'; style-src 'unsafe-inline'" in page
    assert len(page.encode()) < 5_000_000


def test_validity_comes_before_any_figure(page: str, summary: dict[str, Any]) -> None:
    assert page.index("✓ Valid") < page.index(WARNING) < page.index("What each arm adds")
    sections = re.findall(r"<section id=\"([a-z]+)", page)
    assert sections == [
        "added", "latency", "hops", "parts", "cost", "rounds", "time", "trust", "machine", "manifest", "reading", "limits",
    ]  # fmt: skip


def test_equal_input_gives_equal_bytes_also_from_disk(
    result: Recorded, summary: dict[str, Any], page: str, tmp_path: Path
) -> None:
    assert render(recorded(), summary) == page
    read = open_result(result.write(tmp_path))
    assert render(read, summarise(read)) == page


def test_every_picture_has_a_title_a_description_and_a_narrow_twin(page: str) -> None:
    pictures = re.findall(
        r'<svg class="(wide|narrow|wide free)"[^>]*aria-labelledby="([^"]*)"><title id="[^"]*">[^<]+</title><desc', page
    )
    assert len(pictures) == page.count('role="img"')
    names = [labels.split("-t ")[0] for _, labels in pictures]
    assert {name.removesuffix("-w") for name in names if name.endswith("-w")} == {
        name.removesuffix("-n") for name in names if name.endswith("-n")
    }


def test_the_page_shows_the_figures_of_the_terminal(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    for label in ("p50 (µs)", "worst hop (µs)", "utilisation (%)", "loaded (MB)", "added (ms)", "failed (%)"):
        assert label in text
    assert re.search(r"\+1,493\s+\[1,473, 1,509\]", text)


@pytest.mark.parametrize("hostile", [EVIL, "</style></title>", "\x00\ud800", "a" * 500])
def test_hostile_names_are_only_text(hostile: str) -> None:
    evil = rename(recorded(rounds=2, rate_rps=60.0, window_s=2.0), hostile)
    page = render(evil, summarise(evil))
    page.encode()
    parsed = Page(page)
    assert {"script", "img"}.isdisjoint(tag for tag, _ in parsed.tags)
    assert not any("onerror" in attributes for _, attributes in parsed.tags)


def rename(result: Recorded, name: str) -> Recorded:
    """Every string that comes from outside becomes `name`: arms, services, experiment, proofs, machine, files."""
    text = json.dumps(result.manifest)
    for old in (
        "envoy[mtls]",
        "generated-example",
        "chain-4",
        "steady",
        "none: generated figures",
        "connection reset during the handshake",
    ):
        text = text.replace(json.dumps(old)[1:-1], json.dumps(name)[1:-1])
    manifest = json.loads(text)
    manifest["topologies"][0]["document"]["services"][1]["name"] = name
    manifest["topologies"][0]["document"]["services"][0]["script"][0]["calls"][0]["service"] = name
    manifest["rendered"] = {name: [{"unit": name, "name": name, "content": name}]}
    manifest["warnings"] = [name]
    runs = tuple(
        replace(run, topology=name, load_name=name, arm=name if run.arm.startswith("envoy") else run.arm)
        for run in result.runs
    )
    return Recorded(manifest, runs, result.windows)


def test_an_invalid_result_is_said_to_be_invalid(result: Recorded) -> None:
    broken = result
    for run in [run for run in result.runs if run.round <= 3 and run.arm == "baseline"]:
        broken = invalid(broken, run.id, "late <i>requests</i>")
    page = render(broken, summarise(broken))
    assert "✕ Invalid" in page
    assert "✓ Valid" not in page
    assert "late &lt;i&gt;requests" in page


def test_no_valid_round_is_a_page_without_figures(short: Recorded) -> None:
    broken = short
    for run in short.runs:
        broken = invalid(broken, run.id, "the generator was late")
    page = render(broken, summarise(broken))
    assert Page(page).open == []
    assert "no figures: no round counts" in page
    assert "All 9 trials" in page


def test_few_rounds_say_that_there_is_no_interval(short: Recorded) -> None:
    page = render(short, summarise(short))
    assert "no interval (3 rounds)" in page
    assert "95 % interval " not in page.split("Latency by percentile")[0].split("What each arm adds")[-1]


def test_a_verdict_is_shown_with_its_rules(result: Recorded, summary: dict[str, Any]) -> None:
    page = render(result, judged({"sidecar-cpu": 3, "sidecar-memory": 2}))
    assert (
        page.index("✓ GO")
        < page.index("✓ Valid")
        < page.index('<section id="verdict">')
        < page.index('<section id="added-0">')
    )
    assert "No rule was asked for" not in page
    assert Page(page).open == []


def test_one_service_has_no_hops_and_one_arm_no_rounds() -> None:
    alone = replace(CHAIN, name="alone", services=(replace(CHAIN.services[0], script=()),))
    made = recorded(rounds=2, rate_rps=60.0, window_s=2.0, topology=alone)
    manifest = {**made.manifest, "arms": made.manifest["arms"][:1], "contrasts": []}
    single = Recorded(manifest, tuple(run for run in made.runs if run.arm == "baseline"), made.windows)
    page = render(single, summarise(single))
    assert "one service and no hop" in page
    assert 'id="rounds-0"' not in page


def test_two_topologies_have_sections_of_their_own(short: Recorded) -> None:
    document = short.manifest["topologies"][0]
    manifest = {**short.manifest, "topologies": [document, {**document, "name": "other"}]}
    runs = short.runs + tuple(replace(run, id=f"{run.id}-o", topology="other") for run in short.runs)
    windows = short.windows | {f"{name}-o": rows for name, rows in short.windows.items()}
    both = Recorded(manifest, runs, windows)
    page = render(both, summarise(both))
    assert "Hops · chain-4 · steady" in page
    assert "Hops · other · steady" in page
    assert Page(page).open == []


def test_long_configuration_is_cut_and_said_to_be(short: Recorded) -> None:
    rendered = {"envoy[mtls]": [{"unit": "u", "name": "f", "content": "x" * 70_000}] * 50}
    long = Recorded({**short.manifest, "rendered": rendered}, short.runs, short.windows)
    page = render(long, summarise(long))
    assert "… cut: 10,000 more characters are in manifest.json" in page
    assert "10 more files are in manifest.json" in page
    assert len(page.encode()) < 5_000_000


def test_a_result_of_an_older_day_is_still_readable() -> None:
    folder = next((Path(__file__).parents[2] / "fixtures" / "recorded").glob("generated-example-*"))
    old = open_result(folder)
    assert {run.arm for run in old.runs} == set(ARMS)
    page = render(old, summarise(old))
    assert "✓ Valid" in page
    assert WARNING in page
