"""Programs by module, by distribution, by PATH."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from harness.model.errors import EnvironmentFailure
from harness.model.program import Program
from harness.platforms import programs

MODULE = Program("unit", module="tests.platforms.unit", flags=("-X", "dev"))


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An executable on PATH that prints its path and its version in two lines."""
    path = tmp_path / "toolish"
    path.write_text("#!/bin/sh\n[ $# = 1 ] && printf '%s\\n 1.2' \"$0\"\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return path


def test_a_module_runs_under_this_interpreter() -> None:
    assert programs.command(MODULE) == (sys.executable, "-X", "dev", "-m", "tests.platforms.unit")


def test_a_tool_is_found_on_path(tool: Path) -> None:
    assert programs.command(Program("toolish")) == (str(tool),)


def test_a_distributions_own_file_comes_before_path(tool: Path) -> None:
    [file] = programs.command(Program("toolish", distribution="ruff", file="ruff/__init__.py"))

    assert file.endswith("ruff/__init__.py")


def test_a_distribution_that_is_not_installed_leaves_path(tool: Path) -> None:
    assert programs.command(Program("toolish", distribution="no-such-thing", file="x")) == (str(tool),)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (Program("nope"), "program 'nope' is missing: install it or put it on PATH"),
        (Program("nope", hint="apt install nope"), "program 'nope' is missing: apt install nope"),
        (Program("nope", module="no.such.module"), "module no.such.module is missing"),
        (Program("nope", module="tests.platforms.no_such"), "module tests.platforms.no_such is missing"),
        (Program("nope", module="tests.platforms.unit.below"), "module tests.platforms.unit.below is missing"),
    ],
)
def test_what_is_missing_is_named_with_its_remedy(program: Program, message: str) -> None:
    with pytest.raises(EnvironmentFailure) as failure:
        programs.command(program)

    assert str(failure.value).startswith(message)


def test_a_tool_is_described_by_what_it_says_and_what_it_is(tool: Path) -> None:
    described = programs.describe(Program("toolish", version_args=("-V",)))

    assert described["version"] == "toolish 1.2"
    assert len(described["digest"]) == 16
    assert str(tool) not in str(described)


def test_nobody_asks_a_tool_without_a_way_to(tool: Path) -> None:
    assert programs.describe(Program("toolish"))["version"] == ""


def test_a_tool_that_fails_to_tell_its_version_is_told(tool: Path) -> None:
    tool.write_text("#!/bin/sh\nexit 7\n")
    with pytest.raises(EnvironmentFailure, match="program 'toolish' doesn't tell its version"):
        programs.describe(Program("toolish", version_args=("-V",)))


def test_a_modules_digest_is_of_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    digests = []
    for name, beside in (("onething", "1"), ("samething", "1"), ("otherthing", "2")):
        package = tmp_path / name
        package.mkdir()
        (package / "__init__.py").touch()
        (package / "beside.py").write_text(f"X = {beside}\n")
        digests.append(programs.describe(Program(name, module=name))["digest"])

    assert digests[0] == digests[1] != digests[2]
    assert programs.describe(MODULE)["version"] == version("hoptax")


def test_the_command_of_a_tool_starts_it(tool: Path) -> None:
    done = subprocess.run([*programs.command(Program("toolish")), "-V"], capture_output=True, text=True, check=True)

    assert done.stdout.startswith(str(tool))
