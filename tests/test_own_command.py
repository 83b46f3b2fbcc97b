"""Programs of the user's own: found, checked, digested before anything starts, and what can't be measured of them said."""

import stat
from pathlib import Path

import pytest

from harness import registry
from harness.model.errors import UsageError
from harness.model.topology import Topology, document
from harness.topology import load_topology

PROGRAM = registry.service_program()
SERVICES = "name: t\nentry: a\nservices:\n"


def loaded(folder: Path, services: str) -> Topology:
    path = folder / "t.yaml"
    path.write_text(SERVICES + services)
    return load_topology(path, PROGRAM)


def refusal(folder: Path, services: str) -> str:
    with pytest.raises(UsageError) as caught:
        loaded(folder, services)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"topology {folder / 't.yaml'}: ")


def test_every_key(tmp_path: Path) -> None:
    text = "  a: {command: {run: 'python3 web.py \"two words\" {port}', environment: {B: '{url.b-c}'}, ready: /up}, calls: [b-c]}\n  b-c: {}"
    own = loaded(tmp_path, text).service("a").command
    assert own is not None
    assert own.words == ("python3", "web.py", "two words", "{port}")
    assert (own.environment, own.ready, own.folder) == ((("B", "{url.b-c}"),), "/up", str(tmp_path))


@pytest.mark.parametrize("short", ["python3 -V", "[python3, -V]", "{run: python3 -V}"])
def test_ways_to_write_it(tmp_path: Path, short: str) -> None:
    own = loaded(tmp_path, f"  a: {{command: {short}}}").service("a").command
    assert own is not None
    assert (own.words, own.ready, own.environment) == (("python3", "-V"), "", ())


def test_the_digest_covers_the_files_that_are_named_and_no_path_of_this_machine(tmp_path: Path) -> None:
    def digest(folder: str, code: str) -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "web.py").write_text(code)
        return loaded(tmp_path / folder, "  a: {command: python3 web.py}").digest

    assert digest("one", "pass") == digest("other", "pass") != digest("one", "1")
    assert str(tmp_path) not in str(document(loaded(tmp_path / "one", "  a: {command: python3 web.py}")))


def test_a_program_beside_the_file(tmp_path: Path) -> None:
    program = tmp_path / "web"
    program.write_text("#!/bin/sh\n")
    assert refusal(tmp_path, "  a: {command: ./web}") == (
        "services.a.command: './web' may not be executed: chmod +x it, or name its interpreter, e.g. python3 ./web"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    own = loaded(tmp_path, "  a: {command: ./web}").service("a").command
    assert own is not None
    assert dict(own.digests).keys() == {"./web"}


BAD = {
    "  a: {command: no-such-program -x}": (
        "services.a.command: there is no program 'no-such-program' on PATH: install it, or write its path relative to this file"
    ),
    "  a: {command: bin/web}": (
        "services.a.command: there is no program 'bin/web' in FOLDER: install it, or write its path relative to this file"
    ),
    "  a: {command: []}": (
        "services.a.command: it is empty: write the program and its arguments, e.g. [python3, web.py, '{port}']"
    ),
    "  a: {command: ''}": (
        "services.a.command: it is empty: write the program and its arguments, e.g. [python3, web.py, '{port}']"
    ),
    "  a: {command: 'python3 \"x'}": "services.a.command.run: 'python3 \"x' can't be split into words: No closing quotation",
    "  a: {command: 3}": "services.a.command.run: Input should be a valid list (is 3)",
    "  a: {command: [python3, 3]}": "services.a.command.run.1: Input should be a valid string (is 3)",
    "  a: {command: {run: python3, ready: up}}": (
        "services.a.command: ready: 'up' is no path: write e.g. /healthz, or leave it out to wait for the port"
    ),
    "  a: {command: {run: python3, cwd: /}}": "services.a.command.cwd: unknown key, have run, environment, ready",
    "  a: {command: {ready: /up}}": "services.a.command.run: it is missing",
    "  a: {command: python3, work: {cpu: 1us}}": (
        "services.a: a program of your own does its own work: remove work and sleep, or the command"
    ),
    "  a: {command: python3, calls: [{sleep: 1ms}]}": (
        "services.a: a program of your own does its own work: remove work and sleep, or the command"
    ),
    "  a: {command: 'python3 {url.c}', calls: [b]}\n  b: {}\n  c: {}": (
        "services.a.command: '{url.c}': unknown callee 'c': have b; every callee stands in calls"
    ),
    "  a: {command: 'python3 ${address.b-0}'}": (
        "services.a.command: '${address.b-0}' is hoptax's own notation: have {host}, {port}, {replica}, {url.NAME}"
    ),
    "  a: {command: {run: python3, environment: {X: '${dir}'}}}": (
        "services.a.command: '${dir}' is hoptax's own notation: have {host}, {port}, {replica}, {url.NAME}"
    ),
}


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=range(len(BAD)))
def test_what_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message.replace("FOLDER", str(tmp_path))


def test_a_variable_needs_a_name_that_is_one(tmp_path: Path) -> None:
    assert "services.a.command.environment.A-B: allowed are" in refusal(
        tmp_path, "  a: {command: {run: python3, environment: {A-B: x}}}"
    )


def test_what_cannot_be_measured_is_said_of_all_whom_it_concerns(tmp_path: Path) -> None:
    text = "  a: {calls: [b, c]}\n  b: {command: python3, calls: [{service: d, request: 1KiB}]}\n  c: {command: python3}\n  d: {command: python3}"
    assert loaded(tmp_path, text).notes == (
        "b, c: a program of your own is only timed as a whole, unless it answers with x-hoptax-stamps",
        "b: a program of your own makes its calls itself: they are not timed",
        "b: a program of your own makes its calls itself: request and probability have no effect on them",
    )
    assert loaded(tmp_path, "  a: {}").notes == ()
