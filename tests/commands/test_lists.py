"""`hoptax list`: each kind with its lines and its JSON, and topologies drawn."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import typer
from typer.testing import CliRunner

from harness import registry
from harness.commands import lists
from harness.commands.lists import KINDS, list_command
from harness.model.errors import UsageError

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"


@pytest.fixture
def listed() -> CliRunner:
    return CliRunner()


def output(runner: CliRunner, *words: str) -> str:
    app = typer.Typer()
    app.command()(list_command)
    done = runner.invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_has_lines_and_the_same_as_json(listed: CliRunner, kind: str) -> None:
    rows = json.loads(output(listed, kind, "--json"))
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert all(isinstance(row["about"], str) for row in rows)
    lines = output(listed, kind).split("\n")
    assert [line.split()[0] for line in lines if line] == [row["name"] for row in rows]


def test_topologies_tell_their_size_and_what_they_are_for(listed: CliRunner) -> None:
    rows = {row["name"]: row for row in json.loads(output(listed, "topologies", "--json"))}
    assert rows.keys() == registry.workload_files("topologies").keys()
    tree = rows["tree-3x3"]
    assert (tree["services"], tree["replicas"], tree["hops"], tree["notes"]) == (13, 13, 12, [])
    assert tree["about"].startswith("13 services, 12 hops. Three calls at once")
    assert rows["replicas"]["about"].startswith("2 services (4 replicas), 1 hop. ")


def test_a_file_may_be_listed_and_what_it_says_that_cannot_be_honoured(listed: CliRunner) -> None:
    lines = output(listed, "topologies", str(EXAMPLES / "shop.yaml")).splitlines()
    assert lines[0].startswith("isotope-shop  4 services (7 replicas), 4 hops. A shop in isotope's own format")
    assert lines[1].strip().startswith("note: isotope fields that can't be honoured: namespace (cart)")


def test_workloads_and_rules_are_whatever_is_registered(
    listed: CliRunner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "users").mkdir()
    (tmp_path / "users" / "mine.py").write_text('"""Buyers.\n\nThey buy."""\n')
    (tmp_path / "users" / "_shared.py").write_text("")
    (tmp_path / "rules.py").write_text('RULES = {"hop": "added p50 per hop"}\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(registry, "_workload_folders", lambda: [tmp_path])
    monkeypatch.setattr(lists, "RULES", "rules")
    assert output(listed, "workloads") == "mine  Buyers.\n"
    assert output(listed, "rules") == "hop  added p50 per hop\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("arms", "itsio"), "unknown mesh 'itsio': have baseline, builtin, envoy, istio"),
        (("topologies", "nothing"), "unknown topology 'nothing': have chain-4, "),
        (("arms", "--svg", "x"), "--svg draws topologies, not arms: try `hoptax list topologies --svg x`"),
    ],
)
def test_what_is_refused(listed: CliRunner, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        output(listed, *words)
    assert str(caught.value).startswith(message)


def test_topologies_are_drawn_into_a_folder(listed: CliRunner, tmp_path: Path) -> None:
    output(listed, "topologies", "--svg", str(tmp_path / "new" / "pictures"))
    output(listed, "topologies", str(EXAMPLES / "shop.yaml"), "--svg", str(tmp_path / "new" / "pictures"))
    drawn = {path.stem: path for path in (tmp_path / "new" / "pictures").iterdir()}
    assert drawn.keys() == {*registry.workload_files("topologies"), "isotope-shop"}
    for path in drawn.values():
        assert ET.parse(path).getroot().tag == "{http://www.w3.org/2000/svg}svg"
