"""`--gate` on the command line: exit codes, the files of a verdict, and rules that are refused before anything starts."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fixtures.recorded import invalid
from harness.commands.gating import EXIT_CODES, Gate
from harness.store import open_result
from tests.report.judged import GO, HOLD, NO_GO, result, under

Run = Callable[..., tuple[int, str, str]]
RULED = """
name: mine
arms: [baseline, builtin]
topologies: [pair]
rounds: 12
loads: {{low: {{rate: 20, window: 1s}}}}
rules: {}
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result without rules of its own."""
    return result().write(tmp_path_factory.mktemp("results"))


@pytest.mark.parametrize(("rules", "code"), [(GO, 0), (NO_GO, 1), (HOLD, 3)])
def test_the_verdict_is_the_exit_code_of_a_gated_report(
    hoptax: Run, tmp_path: Path, rules: dict[str, object], code: int
) -> None:
    path = under(result(), rules).write(tmp_path)
    assert hoptax("report", path, "--gate")[0] == code
    assert hoptax("report", path)[0] == 0
    summary = json.loads((path / "summary.json").read_text())
    assert EXIT_CODES[summary["verdict"]] == code
    assert ET.parse(path / "junit.xml").getroot().attrib["name"].endswith(summary["verdict"])
    assert (path / "verdict.md").read_text().startswith(f"# {summary['verdict']}: ")


def test_an_invalid_result_ends_with_4(hoptax: Run, tmp_path: Path) -> None:
    broken = under(result(), GO)
    for run in broken.runs[:12]:
        broken = invalid(broken, run.id, "the generator was late")
    assert hoptax("report", broken.write(tmp_path), "--gate")[0] == 4


def test_files_without_verdict_dont_outlive_the_one_that_had_it(hoptax: Run, written: Path) -> None:
    assert hoptax("report", written, "--gate")[0] == 1
    assert {"junit.xml", "verdict.md"} <= {each.name for each in written.iterdir()}
    assert hoptax("report", written)[0] == 0
    assert not {"junit.xml", "verdict.md"} & {each.name for each in written.iterdir()}
    assert "rules" not in open_result(written).manifest


def test_rules_of_another_file_and_that_they_are_others_is_said(hoptax: Run, tmp_path: Path) -> None:
    path = under(result(), NO_GO).write(tmp_path)
    own = tmp_path / "own.yaml"
    own.write_text('rules: {sidecar-cpu: 3, sidecar-memory: {max: 2, arms: ["envoy[ mtls]"]}}'.replace("[ ", "["))
    code, out, _ = hoptax("report", path, "--gate", "--rules", own, "--json")
    assert (code, json.loads(out)["verdict"]) == (0, "GO")
    assert "judged by other rules than those it was measured under" in json.loads(out)["validity"]["warnings"]
    assert hoptax("report", path, "--gate")[0] == 1


def test_files_of_ones_own(hoptax: Run, written: Path, tmp_path: Path) -> None:
    xml, text = tmp_path / "x.xml", tmp_path / "x.md"
    assert hoptax("report", written, "--gate", "--junit", xml, "--markdown", text)[0] == 1
    assert xml.read_bytes() == (written / "junit.xml").read_bytes()
    assert text.read_bytes() == (written / "verdict.md").read_bytes()


def test_equal_input_gives_equal_bytes(hoptax: Run, written: Path) -> None:
    names = ("summary.json", "report.html", "junit.xml", "verdict.md")
    seen = []
    for _ in range(2):
        hoptax("report", written, "--gate")
        seen.append([(written / name).read_bytes() for name in names])
    assert seen[0] == seen[1]


@pytest.mark.parametrize("option", ["--junit", "--markdown"])
def test_a_file_for_which_there_is_nothing_to_write_is_refused(hoptax: Run, written: Path, option: str) -> None:
    code, _, err = hoptax("report", written, option, "x")
    assert (code, err) == (2, f"hoptax: {option} writes a verdict, and no rules were asked for: add --gate\n")
    code, _, err = hoptax("report", written, "--gate", option, written)
    assert (code, err.count("\n")) == (2, 1)
    assert f"{option} {written} can't be written" in err


def test_a_result_with_faults_is_not_judged(hoptax: Run, tmp_path: Path) -> None:
    path = result().write(tmp_path)
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"faults": [{"name": "pause"}]}))
    code, _, err = hoptax("report", path, "--gate")
    assert (code, err) == (
        2,
        "hoptax: rules judge windows without faults, and this result has faults: judge another one\n",
    )


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ("{p50: 1ms}", "unknown rule 'p50': have "),
        ("{p50-per-hop: 0ms}", "rules.p50-per-hop: '0ms' leaves nothing to spend"),
        ("{p50-per-hop: {min: 2ms, max: 1ms}}", "max 1 ms is below min 2 ms"),
        ("{p50-per-hop: [1ms, 2ms]}", "two budgets for 'builtin'"),
        ("{p50-per-hop: 1ms, p50-per-hop: 2ms}", "p50-per-hop"),
        ("{p50-per-hop: {max: 1ms, arms: [envoy]}}", "unknown arm of a rule 'envoy'"),
        ("", "rules: None holds no mapping"),
    ],
)
def test_rules_that_contradict_are_refused_before_anything_starts(
    hoptax: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, rules: str, told: str
) -> None:
    monkeypatch.setattr(subprocess, "Popen", _none)
    (tmp_path / "e.yaml").write_text(RULED.format(rules))
    code, out, err = hoptax("run", tmp_path / "e.yaml", "--gate", "--out", tmp_path / "results")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert not (tmp_path / "results").exists()


def _none(*_words: object, **_options: object) -> None:
    raise AssertionError("a process was started")


def test_what_to_know_of_rules_is_said_before_time_is_spent(hoptax: Run, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(RULED.format("{p50-per-hop: 5ms}"))
    code, _, err = hoptax("run", tmp_path / "e.yaml", "--rounds", "3", "--dry-run")
    assert code == 0
    assert err.splitlines() == [
        "warning: p50-per-hop: a budget of 5 ms is more than 3 ms, the loosest that common advice allows",
        "warning: 3 rounds give no interval, so the verdict can only be INCONCLUSIVE: use 10 or more",
    ]


def test_a_gated_run_of_one_arm_is_refused(hoptax: Run) -> None:
    code, _, err = hoptax("run", "quick", "--gate", "--arms", "baseline", "--dry-run")
    assert code == 2
    assert err.endswith("rules: the only arm is the reference, 'baseline': name another one to judge\n")


def test_the_shipped_gate_has_rules_and_rounds_enough(hoptax: Run) -> None:
    code, out, err = hoptax("run", "gate", "--dry-run", "--json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["trials"]) >= 2 * 10


def test_a_reader_that_had_enough_changes_no_verdict(written: Path) -> None:
    """As in `hoptax report DIR --gate | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-c", "from harness.cli import main; main()", "report", str(written), "--gate"]
    try:
        done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_without_the_gate_only_invalidity_is_an_exit_code() -> None:
    valid, bad = ({"validity": {"valid": each}, "verdict": "NO-GO"} for each in (True, False))
    assert [Gate(wanted).exit_code(each) for wanted in (False, True) for each in (valid, bad)] == [0, 4, 1, 4]
    assert EXIT_CODES == {"GO": 0, "NO-GO": 1, "HOLD": 3, "INCONCLUSIVE": 3}
