"""`hoptax compare`: bytes, refusals by name, and what is told of results that don't fit."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fixtures.recorded import Recorded, recorded
from harness.model.run import Validity

ONE = recorded(rounds=6, rate_rps=60.0, window_s=2.0, seed=1)
TWO = replace(recorded(rounds=6, rate_rps=60.0, window_s=2.0, seed=2), manifest=ONE.manifest)

Run = Callable[..., tuple[int, str, str]]
Document = dict[str, Any]


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    return ONE.write(tmp_path / "one"), TWO.write(tmp_path / "two")


def edit(path: Path, change: Callable[[Document], None]) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    change(manifest)
    (path / "manifest.json").write_text(json.dumps(manifest))


def test_equal_input_gives_equal_bytes_wherever_it_lies(hoptax: Run, both: tuple[Path, Path], tmp_path: Path) -> None:
    moved = [Path(shutil.copytree(path, tmp_path / "elsewhere" / str(n) / path.name)) for n, path in enumerate(both)]
    first = hoptax("compare", *both, "--json", "--html", tmp_path / "a.html")
    second = hoptax("compare", *moved, "--json", "--html", tmp_path / "b.html")
    assert first == second
    assert first[0] == 0
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert str(tmp_path) not in first[1] + (tmp_path / "a.html").read_text()


def test_a_report_of_equal_input_is_equal_bytes(hoptax: Run, both: tuple[Path, Path], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(both[0], tmp_path / "copy" / both[0].name))
    outputs = [hoptax("report", path, "--json") for path in (both[0], copy, both[0])]
    assert outputs[0] == outputs[1] == outputs[2]
    for name in ("summary.json", "report.html"):
        assert (both[0] / name).read_bytes() == (copy / name).read_bytes()


def test_a_report_shows_what_changed_since_another_result(hoptax: Run, both: tuple[Path, Path]) -> None:
    before, after = both
    hoptax("report", after)
    alone = (after / "report.html").read_text()
    assert hoptax("report", after, "--since", before)[0] == 0
    page = (after / "report.html").read_text()
    assert page.count("<table") == alone.count("<table") + 2
    assert f"What changed since {before.name}" in page
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_a_report_since_something_unlike_is_refused_and_stays_as_it_was(hoptax: Run, both: tuple[Path, Path]) -> None:
    before, after = both
    hoptax("report", after)
    alone = (after / "report.html").read_bytes()
    edit(before, lambda manifest: manifest.update(comparison_key="another"))
    assert hoptax("report", after, "--since", before)[0] == 2
    assert (after / "report.html").read_bytes() == alone


def test_the_table_names_both_and_every_arm(hoptax: Run, both: tuple[Path, Path]) -> None:
    code, out, err = hoptax("compare", *both)
    assert (code, err) == (0, "")
    for arm in ("baseline", "envoy[mtls]", "builtin[mtls]"):
        assert f"chain-4 · steady · {arm}" in out
    assert "added per hop, p50 (µs)" in out
    assert "exact rank-sum interval" in out


def test_the_page_has_every_figure_in_a_table_and_loads_nothing(
    hoptax: Run, both: tuple[Path, Path], tmp_path: Path
) -> None:
    hoptax("compare", *both, "--html", tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text()
    assert page.count("<table") == page.count("<caption") == 2
    assert page.count('role="img"') == page.count("<desc ") == 2
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|src=", page)
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    assert body.count('scope="row"') == body.count("<tr><th") == 4 + 9 + 9
    assert "no change shown" in body


REFUSED: dict[str, tuple[Callable[[Document], None], str]] = {
    "rate": (lambda m: m["loads"]["steady"].update(rate_rps=70.0), "loads.steady.rate_rps (60 against 70)"),
    "topology": (
        lambda m: m["topologies"][0].update(digest="other"),
        "topologies.chain-4 (5f0e-generated against other)",
    ),
    "setting": (lambda m: m["traffic"].update(retries=2), "traffic.retries (0 against 2)"),
    "machine": (lambda m: m["machine"].update(kernel="6.1"), "machine.kernel (none against 6.1)"),
    "placement": (lambda m: m["placement"].update(system=[0, 1]), "placement.system ([1] against [0, 1])"),
    "platform": (lambda m: m.update(platform="kind"), "platform (process against kind)"),
    "another load": (lambda m: m["loads"].update(low=m["loads"]["steady"]), "loads.low (nothing against {"),
    "nothing we know": (lambda _: None, "comparison_key (generated0000000 against other)"),
}


@pytest.mark.parametrize(("change", "named"), REFUSED.values(), ids=REFUSED)
def test_unlike_results_are_refused_and_what_differs_is_named(
    hoptax: Run, both: tuple[Path, Path], change: Callable[[Document], None], named: str
) -> None:
    edit(both[1], lambda manifest: manifest.update(comparison_key="other"))
    edit(both[1], change)
    code, out, err = hoptax("compare", *both)
    assert (code, out) == (2, "")
    assert f"they differ in {named}" in err
    assert err.count("\n") == 2
    assert "hoptax replay DIR" in err


def _with_machine(machine: str, manifest: Document) -> None:
    manifest.update(comparison={"machine": machine}, comparison_key=machine)


def test_the_parts_of_the_manifest_decide_when_it_has_them(hoptax: Run, both: tuple[Path, Path]) -> None:
    for path, machine in zip(both, ("a", "b"), strict=True):
        edit(path, partial(_with_machine, machine))
    assert "they differ in machine (a against b)" in hoptax("compare", *both)[2]


def test_the_same_folder_twice_and_a_copy_are_refused(hoptax: Run, both: tuple[Path, Path], tmp_path: Path) -> None:
    code, _, err = hoptax("compare", both[0], both[0].parent / "." / both[0].name)
    assert (code, err.count("\n")) == (2, 1)
    assert "are the same folder" in err
    copy = shutil.copytree(both[0], tmp_path / "copy")
    assert "share 18 trials: one is a copy of the other" in hoptax("compare", both[0], copy)[2]


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: (path / "manifest.json").unlink(), "is no result"),
        (lambda path: (path / "manifest.json").write_text("{"), "is damaged: no JSON"),
        (lambda path: edit(path, lambda m: m.update(schema=99)), "has manifest schema 99"),
        (lambda path: next((path / "runs").glob("*.json")).write_text("{}"), "is damaged"),
        (lambda path: next((path / "runs").glob("*.parquet")).write_bytes(b"PAR1"), "is damaged"),
    ],
    ids=["empty", "damaged", "newer", "run", "rows"],
)
def test_a_result_that_cannot_be_read_is_named(
    hoptax: Run, both: tuple[Path, Path], harm: Callable[[Path], None], told: str
) -> None:
    harm(both[1])
    code, out, err = hoptax("compare", *both)
    assert (code, out) == (2, "")
    assert str(both[1]) in err
    assert told in err


def test_an_invalid_result_ends_with_4_and_is_shown(hoptax: Run, tmp_path: Path) -> None:
    runs = tuple(replace(run, validity=Validity(False, ("starved",))) for run in TWO.runs)
    bad = Recorded(TWO.manifest, runs, TWO.windows).write(tmp_path / "bad")
    code, out, _ = hoptax("compare", ONE.write(tmp_path), bad)
    assert code == 4
    assert "INVALID: do not use these figures" in out


def test_what_differs_beside_the_figures_is_told(hoptax: Run, both: tuple[Path, Path]) -> None:
    edit(both[1], lambda m: m["arms"][2]["programs"][0].update(version="2.0"))
    edit(both[1], lambda m: m["instrument"].update(version="9"))
    out = hoptax("compare", *both)[1]
    assert "differs: instrument.version: 0.0-generated → 9" in out
    assert "differs: programs.builtin[mtls].builtin: 0.0-generated sha256:0000 → 2.0 sha256:0000" in out


def test_a_page_that_cannot_be_written_ends_with_4(hoptax: Run, both: tuple[Path, Path], tmp_path: Path) -> None:
    code, _, err = hoptax("compare", *both, "--html", tmp_path / "none" / "c.html")
    assert code == 4
    assert "can't be written" in err


@pytest.fixture
def sides(both: tuple[Path, Path]) -> tuple[Path, Path]:
    """The same experiment on processes and in a cluster."""

    def in_cluster(manifest: Document) -> None:
        manifest["platform"] = "kubernetes"
        manifest["placement"] = {"system": [0, 1], "load": [0, 1], "apart": False}
        manifest["comparison_key"] = "of-a-cluster"

    edit(both[1], in_cluster)
    return both


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_report_shows_processes_beside_kubernetes_whichever_is_reported(
    hoptax: Run, sides: tuple[Path, Path], order: tuple[int, int]
) -> None:
    mine, other = sides[order[0]], sides[order[1]]
    assert hoptax("report", mine, "--beside", other)[0] == 0
    page = (mine / "report.html").read_text()
    assert "What capture costs: processes and Kubernetes" in page
    assert re.search(r"<th[^>]*>processes</th><th[^>]*>Kubernetes</th><th[^>]*>difference</th>", page)
    assert "Differences are Kubernetes minus processes" in page
    assert "placement.system" in page
    assert "the machine isn" not in page
    ids = re.findall(r'id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_two_results_of_one_platform_are_not_sides(hoptax: Run, both: tuple[Path, Path]) -> None:
    code, _, err = hoptax("report", both[0], "--beside", both[1])
    assert code == 2
    assert "these are both of process: --since or `hoptax compare`" in err


def test_sides_differ_in_nothing_but_where_they_ran(hoptax: Run, sides: tuple[Path, Path]) -> None:
    def faster(manifest: Document) -> None:
        manifest["loads"]["steady"]["rate_rps"] = 61.0

    edit(sides[0], faster)
    code, _, err = hoptax("report", sides[1], "--beside", sides[0])
    assert code == 2
    assert "loads.steady.rate_rps (61 against 60)" in err
    assert "platform" not in err


def test_since_and_beside_are_two_pages(hoptax: Run, sides: tuple[Path, Path]) -> None:
    assert hoptax("report", sides[1], "--beside", sides[0], "--since", sides[0])[0] == 2
