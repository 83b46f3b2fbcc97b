"""The contract of a load engine: any program of the control protocol passes it; a new one is added to ENGINES."""

import asyncio
import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.load.control import ENGINE, Engine, EngineReport, Sending
from harness.load.messages import Prepare, Progress, Start, encode
from harness.load.rows import ERROR_KINDS, read_raw
from harness.load.schedule import due_offsets_ns
from harness.load.validity import generator_reasons
from harness.model.errors import EnvironmentFailure, UsageError
from harness.model.run import Load
from tests.load import server as behaviour
from tests.load.certificates import self_signed
from tests.load.server import ADDRESS, Server

ENGINES: dict[str, Sequence[str]] = {"ours": ENGINE}

pytestmark = [pytest.mark.system, pytest.mark.parametrize("command", ENGINES.values(), ids=ENGINES)]

LOAD = Load(rate_rps=200, warmup_s=0.2, window_s=0.5, connections=4, seed=3, timeout_s=10, drain_s=5)


def run(
    command: Sequence[str], server: Server, load: Load = LOAD, sending: Sending | None = None
) -> tuple[EngineReport, int]:
    """The report, and when the schedule began."""
    with Engine(command=command) as engine:
        engine.prepare(server.url, load, sending, run_id="r1")
        at_ns = time.monotonic_ns() + 20_000_000
        engine.start(at_ns, load)
        return engine.wait(), at_ns


def kinds(report: EngineReport) -> set[str]:
    return {ERROR_KINDS[kind] for kind in np.unique(report.rows.error_kind)}


def test_every_scheduled_request_has_a_row_and_its_stamps_are_in_order(command: Sequence[str]) -> None:
    with Server(behaviour.answer) as server:
        report, at_ns = run(command, server)
    rows, facts = report.rows, report.generator
    np.testing.assert_array_equal(rows.due, at_ns + due_offsets_ns(200, 0.7, "poisson", 3))
    np.testing.assert_array_equal(rows.in_window, rows.due >= at_ns + 200_000_000)
    for earlier, later in (("due", "ready"), ("ready", "sent"), ("sent", "first_byte"), ("first_byte", "done")):
        assert (getattr(rows, earlier) <= getattr(rows, later)).all(), (earlier, later)
    assert (facts.due, facts.done, facts.errors, facts.censored) == (int(rows.in_window.sum()),) * 2 + (0, 0)
    assert set(rows.status) == {200}
    assert set(rows.bytes_in) == {len(behaviour.OK)}
    assert len(server.requests) == len(rows)
    assert server.connections == 4
    assert set(rows.connection) == {0, 1, 2, 3}
    assert (rows.run_id, rows.names) == ("r1", ("GET /path?query",))
    assert facts.domain.boot_id == facts.domain_end.boot_id
    assert facts.domain_end.monotonic_ns > facts.domain.monotonic_ns
    assert facts.cpu_ns > 0


def test_a_frozen_server_moves_no_due_time_and_every_wait_counts_from_due(command: Sequence[str]) -> None:
    with Server(behaviour.freeze_at(60, for_s=0.2)) as server:
        report, at_ns = run(command, server)
    rows = report.rows
    np.testing.assert_array_equal(rows.due, at_ns + due_offsets_ns(200, 0.7, "poisson", 3))
    hit = (rows.due > server.frozen_ns) & (rows.due < server.released_ns)
    assert hit.sum() > LOAD.connections
    assert (rows.done[hit] >= server.released_ns).all()
    line = rows.due[hit][LOAD.connections :]
    assert (rows.sent[hit][LOAD.connections :] >= server.released_ns).all(), (
        "all connections are in use: they wait in line"
    )
    assert (rows.ready[hit][LOAD.connections :] - line < server.released_ns - line).all(), "the generator woke for them"
    assert (np.diff(rows.sent[hit]) >= 0).all(), "first in line, first served"
    assert report.generator.done == report.generator.due
    assert report.generator.unsent_own_fault == 0


def test_what_is_not_over_when_the_drain_ends_is_censored_and_no_fault_of_the_generator(command: Sequence[str]) -> None:
    with Server(behaviour.keep_silent) as server:
        report, _ = run(command, server, Load(200, 0, 0.4, connections=2, timeout_s=10, drain_s=0.1))
    rows, facts = report.rows, report.generator
    assert facts.censored == facts.due == len(rows) > 2
    assert facts.sent == (rows.sent > 0).sum() == 2
    assert (rows.done == 0).all()
    assert (rows.ready > 0).all()
    assert facts.unsent_own_fault == 0
    assert not [reason for reason in generator_reasons(facts) if "unsent" in reason]


def test_a_timeout_is_an_error_and_the_connection_is_replaced(command: Sequence[str]) -> None:
    with Server(behaviour.keep_silent) as server:
        report, _ = run(command, server, Load(50, 0, 0.5, connections=2, timeout_s=0.1, drain_s=30))
    rows = report.rows
    assert kinds(report) == {"timeout"}
    assert (rows.done - rows.sent >= 100_000_000).all()
    assert server.connections >= len(rows)
    assert report.generator.errors == report.generator.due


@pytest.mark.parametrize(
    ("behave", "expected"),
    [
        (behaviour.close_unanswered, {"closed", "reset"}),
        (behaviour.babble, {"protocol"}),
        (behaviour.refuse_service, {"status"}),
    ],
)
def test_what_went_wrong_is_in_the_row(command: Sequence[str], behave: behaviour.Behaviour, expected: set[str]) -> None:
    with Server(behave) as server:
        report, _ = run(command, server)
    assert kinds(report) <= expected
    assert report.generator.errors == report.generator.due
    assert len(report.rows) > 0
    assert not report.rows.window().answered.any() or expected == {"status"}


def test_a_connection_that_the_server_closes_is_opened_again(command: Sequence[str]) -> None:
    with Server(behaviour.answer_and_close) as server:
        report, _ = run(command, server)
    assert kinds(report) == {""}
    assert report.rows.answered.all()
    assert server.connections >= len(report.rows)


def test_a_server_that_goes_away_leaves_errors_and_no_gaps(command: Sequence[str]) -> None:
    with Server(behaviour.vanish_at(70)) as server:
        report, _ = run(command, server)
    facts = report.generator
    assert "connect" in kinds(report)
    assert facts.done + facts.errors == facts.due
    assert facts.censored == 0
    refused = report.rows.select(report.rows.error_kind == ERROR_KINDS.index("connect"))
    assert (refused.sent == 0).all()
    assert (refused.connection == -1).all()


def test_method_headers_and_body_arrive(command: Sequence[str], tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(bytes(range(256)) * 4000)
    with Server(behaviour.answer) as server:
        report, _ = run(command, server, sending=Sending("PUT", (("x-a", "b"),), str(body)))
    head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"PUT /path?query HTTP/1.1\r\n")
    assert b"\r\nx-a: b" in head
    assert sent == body.read_bytes()
    assert set(report.rows.bytes_out) == {len(server.requests[0])}
    assert report.rows.answered.all()


@pytest.mark.parametrize("body_bytes", [5, 100_000])
def test_https_with_a_ca_of_ones_own(command: Sequence[str], tmp_path: Path, body_bytes: int) -> None:
    context, cacert = self_signed(tmp_path, ADDRESS)
    reply = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (body_bytes, b"x" * body_bytes)
    with Server(lambda _server, writer: writer.write(reply), context) as server:
        report, _ = run(command, server, sending=Sending(cacert=str(cacert)))
    assert report.rows.answered.all()
    assert set(report.rows.bytes_in) == {len(reply)}


def test_a_certificate_nobody_vouches_for_is_refused(command: Sequence[str], tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path, ADDRESS)
    with Server(behaviour.answer, context) as server, Engine(command=command) as engine:
        with pytest.raises(EnvironmentFailure, match="TLS handshake"):
            engine.prepare(server.url, LOAD)
        assert server.requests == []


def test_a_server_that_accepts_nobody_is_given_up(command: Sequence[str]) -> None:
    with socket.create_server((ADDRESS, 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        load = Load(10, 0, 1, connections=2, timeout_s=0.3)
        with Engine(command=command) as engine, pytest.raises(EnvironmentFailure, match="no answer in time"):
            engine.prepare("http://{}:{}/".format(*full.getsockname()), load)


def test_a_refused_connection_is_the_environments_failure(command: Sequence[str]) -> None:
    with Engine(command=command) as engine, pytest.raises(EnvironmentFailure, match=r"can't be reached.*refused"):
        engine.prepare(f"http://{ADDRESS}:1/", LOAD)


def test_bad_input_is_the_users(command: Sequence[str], tmp_path: Path) -> None:
    with Engine(command=command) as engine, pytest.raises(UsageError, match="can't be read"):
        engine.prepare(f"http://{ADDRESS}:1/", LOAD, Sending(body_file=str(tmp_path / "none")))


def test_stopping_early_keeps_what_was_measured(command: Sequence[str]) -> None:
    long, enough = Load(200, 0, 3600, connections=4), threading.Event()

    def behave(server: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(behaviour.OK)
        if len(server.requests) > 30:
            enough.set()

    with Server(behave) as server, Engine(command=command) as engine:
        engine.prepare(server.url, long)
        engine.start(time.monotonic_ns(), long)
        assert enough.wait(20)
        engine.stop()
        report = engine.wait()
    assert 30 <= len(report.rows) == report.generator.due < 3600 * 200
    assert report.generator.unsent_own_fault == 0
    assert report.generator.window_ns < 60 * 10**9


def test_progress_is_told_each_second_and_counts_up(command: Sequence[str]) -> None:
    told: list[Progress] = []
    load = Load(200, 0, 2.2, connections=4)
    with Server(behaviour.answer) as server, Engine(command=command) as engine:
        engine.prepare(server.url, load)
        engine.start(time.monotonic_ns(), load)
        engine.wait(told.append)
    assert [progress.second for progress in told] == [1, 2]
    assert 0 < told[0].due < told[1].due
    assert told[1].done > told[0].done
    assert told[1].response_us["p50"] > 0


@pytest.mark.parametrize("started", [False, True])
def test_end_of_file_on_its_stdin_ends_the_engine(command: Sequence[str], tmp_path: Path, started: bool) -> None:
    with Server(behaviour.answer) as server:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        assert process.stdout is not None
        with process:
            process.stdin.write(encode(Prepare(server.url, 2, 5, str(tmp_path / "rows"))))
            process.stdin.flush()
            assert b"ready" in process.stdout.readline()
            if started:
                process.stdin.write(encode(Start(time.monotonic_ns(), Load(100, 0, 3600))))
                process.stdin.flush()
                assert b"progress" in process.stdout.readline()
            process.stdin.close()
            assert process.wait(10) == 0


def test_no_engine_outlives_a_harness_that_is_killed(command: Sequence[str]) -> None:
    harness = f"""
import signal, time
from harness.load.control import Engine
from harness.model.run import Load
load = Load(100, 0, 3600)
with Engine(command={list(command)!r}) as engine:
    engine.prepare(input(), load)
    engine.start(time.monotonic_ns(), load)
    print(engine.pid, flush=True)
    signal.pause()
"""
    with Server(behaviour.answer) as server:
        parent = subprocess.Popen(
            [sys.executable, "-c", harness], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with parent:
            assert parent.stdin is not None
            assert parent.stdout is not None
            print(server.url, file=parent.stdin, flush=True)
            engine = os.pidfd_open(int(parent.stdout.readline()))
            try:
                assert select.select([engine], [], [], 0)[0] == []
                parent.send_signal(signal.SIGKILL)
                assert select.select([engine], [], [], 10)[0] == [engine], "the engine still runs"
            finally:
                os.close(engine)


def test_rows_go_to_the_file_that_was_asked_for(command: Sequence[str], tmp_path: Path) -> None:
    path = tmp_path / "rows"
    with (
        Server(behaviour.answer) as server,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        lines = [encode(Prepare(server.url, 2, 5, str(path), worker=3)), encode(Start(time.monotonic_ns(), LOAD))]
        process.stdin.write(b"".join(lines))
        process.stdin.flush()
        *_, last = iter(process.stdout.readline, b"")
        process.stdin.close()
    assert b'"done"' in last
    assert set(read_raw(path).worker) == {3}
