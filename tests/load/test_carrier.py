"""An engine behind a command: the same protocol, rows brought back, and nothing left whoever ends first."""

import sys
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from harness.load import users
from harness.load.carrier import to_there
from harness.load.control import Engine, EngineReport, Sending
from harness.load.messages import Prepare, Start, Stop
from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.run import Load, Workload
from tests.load import server as behaviour
from tests.load.server import Server

LOAD = Load(rate_rps=200.0, warmup_s=0.2, window_s=0.5, drain_s=5, connections=2, timeout_s=10)
GONE_WITHIN_S = 5.0
NOWHERE = "http://127.77.255.1:9"


def elsewhere(folder: Path, body: str = 'exec "$@"') -> Path:
    """A command that runs words "elsewhere", as `kubectl exec POD --` does; `python` there is ours."""
    program = folder / "elsewhere"
    there = folder / "there"
    there.mkdir()
    (there / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (there / "python").chmod(0o755)
    program.write_text(f"#!/bin/sh\nPATH={there}:$PATH\n{body}\n")
    program.chmod(0o755)
    return program


def carried(url: str, program: Path) -> Engine:
    return Engine((), command=(sys.executable, "-m", "harness.load.carrier", "carry", url, str(program)))


def run(program: Path, run_id: str) -> EngineReport:
    with Server(behaviour.answer) as server, carried(server.url, program) as engine:
        engine.prepare(NOWHERE, LOAD, run_id=run_id)
        engine.start(time.monotonic_ns() + 50_000_000, LOAD)
        return engine.wait()


@pytest.mark.system
def test_rows_come_back_from_elsewhere_and_none_stay(tmp_path: Path) -> None:
    report = run(elsewhere(tmp_path), tmp_path.name)
    assert report.generator.done == report.generator.due > 50
    assert len(report.rows) > report.generator.due
    assert not Path(f"/tmp/{tmp_path.name}.rows").exists()


@pytest.mark.system
def test_rows_that_can_not_be_fetched_are_a_failure_in_the_commands_words(tmp_path: Path) -> None:
    lost = 'case "$*" in *send*) echo pod is gone >&2; exit 1;; esac; exec "$@"'
    try:
        with pytest.raises(EnvironmentFailure, match="can't be fetched: pod is gone"):
            run(elsewhere(tmp_path, lost), tmp_path.name)
    finally:
        Path(f"/tmp/{tmp_path.name}.rows").unlink()


@pytest.mark.system
def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    broken = elsewhere(tmp_path, "echo no such pod >&2; exit 1")
    with carried(NOWHERE, broken) as engine, pytest.raises(EnvironmentFailure, match="no such pod"):
        engine.prepare(NOWHERE, LOAD)


@pytest.mark.system
def test_a_command_that_no_longer_listens_is_told_with_its_last_words_too(tmp_path: Path) -> None:
    deaf = tmp_path / "deaf"
    broken = elsewhere(tmp_path, f"exec <&-; touch {deaf}; sleep 0.2; echo no such pod >&2; exit 1")
    with carried(NOWHERE, broken) as engine:
        give_up = time.monotonic() + GONE_WITHIN_S
        while not deaf.exists():
            assert time.monotonic() < give_up
        with pytest.raises(EnvironmentFailure, match="no such pod"):
            engine.prepare(NOWHERE, LOAD)


@pytest.mark.system
def test_an_engine_that_refuses_is_heard(tmp_path: Path) -> None:
    with carried("ftp://x", elsewhere(tmp_path)) as engine, pytest.raises(UsageError, match="ftp"):
        engine.prepare(NOWHERE, LOAD)


@pytest.mark.system
def test_when_the_harness_leaves_the_engine_elsewhere_ends(tmp_path: Path) -> None:
    with Server(behaviour.answer) as server:
        with carried(server.url, elsewhere(tmp_path)) as engine:
            engine.prepare(NOWHERE, LOAD)
            below = psutil.Process(engine.pid).children(recursive=True)
            assert below
        assert not psutil.wait_procs(below, GONE_WITHIN_S)[1]


def test_an_engine_elsewhere_goes_to_its_own_address_with_its_own_file() -> None:
    here = Prepare("http://127.77.0.1:8081", 2, 1.0, "/proc/self/fd/7", cpus=(1,), run_id="r1")
    there = to_there(here, "http://198.19.0.9:8081")
    assert isinstance(there, Prepare)
    assert (there.url, there.rows_file, there.cpus) == ("http://198.19.0.9:8081", "/tmp/r1.rows", ())


@pytest.mark.parametrize("request_", [Start(1, LOAD), Stop()])
def test_other_requests_go_as_they_are(request_: Start | Stop) -> None:
    assert to_there(request_, "http://x") is request_


def test_a_path_and_a_body_go_along() -> None:
    there = to_there(Prepare("http://127.77.0.1:8081/a?b=c", 1, 1.0, "f", body_file="/b", run_id="r1"), "http://a:8081")
    assert isinstance(there, Prepare)
    assert (there.url, there.body_file) == ("http://a:8081/a?b=c", "/tmp/r1.body")


def test_trust_of_this_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="leave cacert out"):
        to_there(Prepare("http://x", 1, 1.0, "f", cacert="/b"), "http://x")


@pytest.mark.system
def test_a_body_is_sent_from_elsewhere(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"x" * 1000)
    try:
        with Server(behaviour.answer) as server, carried(server.url, elsewhere(tmp_path)) as engine:
            engine.prepare(NOWHERE, LOAD, Sending("POST", body_file=str(body)), run_id=tmp_path.name)
            engine.start(time.monotonic_ns() + 50_000_000, LOAD)
            report = engine.wait()
    finally:
        Path(f"/tmp/{tmp_path.name}.body").unlink()
    assert report.generator.done > 50
    assert report.rows.bytes_out.min() > 1000


@pytest.mark.system
def test_the_engines_of_locusts_workers_may_be_elsewhere(tmp_path: Path) -> None:
    load = replace(LOAD, warmup_s=0.0, window_s=1.0, workload=Workload("steady", workers=2))
    program = elsewhere(tmp_path, f'echo "$*" >> {tmp_path}/said; exec "$@"')
    with Server(behaviour.answer) as server:
        command = (sys.executable, "-m", "harness.load.carrier", "carry", server.url, str(program))
        with users.engine(load, engines=[command, command]) as engine:
            engine.prepare(NOWHERE, load, run_id=tmp_path.name)
            engine.start(time.monotonic_ns() + 400_000_000, load)
            report = engine.wait()
    assert (tmp_path / "said").read_text().count("harness.load.carrier engine") == 2
    assert report.generator.done == report.generator.due > 100
    assert len(report.rows) == report.generator.due
