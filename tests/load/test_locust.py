"""Locust users end to end, against a server on loopback: schedules, journeys, workers that vanish, plain Locust, the page."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from harness.load.control import Engine, EngineReport
from harness.load.messages import Progress
from harness.load.schedule import due_offsets_ns
from harness.load.users import clocks, engine, with_workload
from harness.model.errors import EnvironmentFailure
from harness.model.run import Load
from tests.load import server as behaviour
from tests.load.server import Server

pytestmark = pytest.mark.system

LOAD = Load(rate_rps=200, warmup_s=0.5, window_s=1.5, connections=4, seed=3, timeout_s=5, drain_s=2)
LEAD_NS = 200_000_000
ROOT = Path(__file__).parent.parent.parent


def run(server: Server, load: Load, seen: list[Progress] | None = None) -> tuple[EngineReport, int]:
    """The report, and when the load began."""
    with engine(load) as master:
        master.prepare(origin(server), load, run_id="r1")
        at_ns = time.monotonic_ns() + LEAD_NS
        master.start(at_ns, load)
        return master.wait(None if seen is None else seen.append), at_ns


def origin(server: Server) -> str:
    return server.url.removesuffix("/path?query")


@contextmanager
def running(server: Server, load: Load, web_port: int = 0) -> Iterator[tuple[Engine, list[psutil.Process]]]:
    """A master whose load has begun, and its workers' processes."""
    with engine(load, web_port=web_port) as master:
        master.prepare(origin(server), load, run_id="r1")
        master.start(time.monotonic_ns() + LEAD_NS, load)
        workers = [
            child for child in psutil.Process(master.pid).children() if "locust_worker" in " ".join(child.cmdline())
        ]
        yield master, workers


def test_workers_keep_the_one_schedule_together_and_begin_at_one_instant() -> None:
    load = with_workload(LOAD, "steady", 2, {"rate", "arrivals", "connections", "timeout"})
    seen: list[Progress] = []
    with Server(behaviour.answer) as server:
        report, at_ns = run(server, load, seen)
    rows = report.rows
    np.testing.assert_array_equal(rows.due, at_ns + due_offsets_ns(200, 2.0, "poisson", 3))
    np.testing.assert_array_equal(rows.seq, np.arange(len(rows)))
    np.testing.assert_array_equal(rows.worker, np.arange(len(rows)) % 2)
    np.testing.assert_array_equal(rows.in_window, rows.due >= at_ns + 500_000_000)
    assert (report.generator.done, report.reasons) == (int(rows.in_window.sum()), ())
    assert server.requests[0].startswith(b"GET / HTTP/1.1\r\n")
    assert seen[-1].done == len(rows) == len(server.requests)
    assert [progress.second for progress in seen] == sorted({progress.second for progress in seen})


def test_clocks_of_workers_are_bounded() -> None:
    load = with_workload(LOAD, "journey", 2, set())
    found = clocks(load)
    assert [clock.worker for clock in found] == [0, 1]
    for clock in found:
        assert clock.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        assert clock.offset_low_ns <= 0 <= clock.offset_high_ns
        assert clock.exchanges == 20


def test_a_journey_waits_for_answers_and_every_request_is_a_row_in_ns() -> None:
    load = with_workload(LOAD, "journey", 2, {"connections"})
    with Server(behaviour.answer) as server:
        report, at_ns = run(server, load)
    rows = report.rows
    assert report.reasons == ()
    assert {"GET home", "GET item"} <= set(rows.names) <= {"GET home", "GET item", "POST order"}
    assert set(rows.status) == {200}
    assert set(rows.bytes_in) == {5}
    assert (rows.due >= at_ns).all()
    assert (rows.due < at_ns + 2_000_000_000).all()
    for earlier, later in (("due", "sent"), ("sent", "first_byte"), ("first_byte", "done")):
        assert (getattr(rows, earlier) <= getattr(rows, later)).all(), (earlier, later)
    assert len({int(took) % 10_000 for took in rows.done - rows.sent}) > 10, "times are rounded"
    users = rows.worker.astype(np.int64) * 1000 + rows.connection
    assert len(set(users)) == 4
    for user in set(users):
        own = rows.select(users == user)
        assert (own.sent[1:] >= own.done[:-1]).all(), "a user sent before it had its answer"


def test_a_journey_that_fails_says_how() -> None:
    load = with_workload(LOAD, "journey", 1, set())
    with Server(behaviour.refuse_service) as server:
        report, _ = run(server, load)
    assert report.generator.errors == report.generator.due > 0
    assert set(report.rows.status) == {503}


def test_a_lost_worker_makes_the_run_invalid() -> None:
    load = with_workload(LOAD, "steady", 2, {"rate", "connections"})
    with Server(behaviour.answer) as server, running(server, load) as (master, workers):
        assert len(workers) == 2
        workers[1].kill()
        report = master.wait()
    assert any("vanished" in reason and "killed by signal 9" in reason for reason in report.reasons)


def test_only_those_who_generate_no_load_give_way_to_others() -> None:
    with Server(behaviour.answer) as server:
        for name, expected in (("steady", os.SCHED_BATCH), ("journey", os.SCHED_OTHER)):
            with running(server, with_workload(LOAD, name, 1, set())) as (master, workers):
                assert os.sched_getscheduler(master.pid) == os.SCHED_BATCH
                assert os.sched_getscheduler(workers[0].pid) == expected
                for child in workers[0].children():
                    assert os.sched_getscheduler(child.pid) == os.SCHED_OTHER
                master.stop()
                master.wait()


def test_losing_every_worker_leaves_nothing_to_report() -> None:
    load = with_workload(LOAD, "steady", 1, {"rate", "connections"})
    with Server(behaviour.answer) as server, running(server, load) as (master, workers):
        workers[0].kill()
        with pytest.raises(EnvironmentFailure, match="load worker 0 of 1 vanished"):
            master.wait()


def test_exceptions_of_users_make_the_run_invalid(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(
        "from locust import FastHttpUser, constant, task\n"
        "class U(FastHttpUser):\n"
        "    wait_time = constant(0.1)\n"
        "    @task\n"
        "    def buy(self):\n"
        "        self.client.get('/')\n"
        "        raise KeyError('basket')\n"
    )
    with Server(behaviour.answer) as server:
        report, _ = run(server, with_workload(LOAD, str(path), 1, set()))
    assert any("first KeyError: 'basket' (mine.py, line 7)" in reason for reason in report.reasons)


@pytest.mark.parametrize("name", ["steady", "journey"])
def test_nobody_is_there(name: str) -> None:
    with (
        pytest.raises(EnvironmentFailure, match=r"can't be reached.*refused"),
        engine(load := with_workload(LOAD, name, 1, set())) as master,
    ):
        master.prepare("http://127.81.0.9:1", load)


def test_nothing_outlives_a_harness_that_is_killed() -> None:
    program = (
        "import sys, time\n"
        "from harness.load.users import engine, with_workload\n"
        "from harness.model.run import Load\n"
        "load = with_workload(Load(100, 0, 30), 'steady', 2, {'rate'})\n"
        "with engine(load) as master:\n"
        "    master.prepare(sys.argv[1], load)\n"
        "    master.start(time.monotonic_ns() + 10**8, load)\n"
        "    print(master.pid, flush=True)\n"
        "    master.wait()\n"
    )
    with Server(behaviour.answer) as server:
        command = [sys.executable, "-c", program, origin(server)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            master = psutil.Process(int(process.stdout.readline()))
            family = [master, *master.children(recursive=True)]
            process.send_signal(signal.SIGKILL)
        _, alive = psutil.wait_procs(family, timeout=10)
    assert len(family) >= 5, "a master, two workers and two engines"
    assert not alive


@pytest.mark.parametrize("name", ["steady", "journey"])
def test_plain_locust_runs_them_too(name: str) -> None:
    with Server(behaviour.answer) as server:
        command = [
            sys.executable,
            "-m",
            "locust",
            "-f",
            f"workloads/users/{name}.py",
            "--headless",
            "-H",
            origin(server),
        ]
        done = subprocess.run(
            [*command, "-u", "2", "-r", "2", "-t", "3s", "--json"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        stats = json.loads(done.stdout)
    assert done.returncode == 0
    assert sum(entry["num_failures"] for entry in stats) == 0
    told, sent = sum(entry["num_requests"] for entry in stats), len(server.requests)
    assert 0 < told <= sent <= told + 2 * 2, "a request that was in flight at the end may be missing"


def test_the_page_shows_the_seconds_of_all_workers() -> None:
    load = with_workload(replace(LOAD, window_s=30), "steady", 2, {"rate"})
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Server(behaviour.answer) as server, running(server, load, port) as (master, _):
        shown = _until_shown(f"http://127.0.0.1:{port}/stats/requests")
        master.stop()
        master.wait()
    assert (shown["state"], shown["user_count"], shown["worker_count"]) == ("running", 2, 2)
    entry = shown["stats"][0]
    assert (entry["method"], entry["name"], entry["num_failures"]) == ("GET", "/", 0)
    assert 0 < entry["median_response_time"] < 1000


def _until_shown(url: str) -> dict[str, Any]:  # Any: JSON values
    """What the page is drawn from, once it has requests; workers report to their master every three seconds."""
    end_s = time.monotonic() + 20
    while time.monotonic() < end_s:
        with urllib.request.urlopen(url, timeout=5) as answer:
            document: dict[str, Any] = json.load(answer)
        if document["stats"] and document["stats"][0]["num_requests"]:
            return document
        os.sched_yield()
    raise AssertionError("the page shows no requests")
