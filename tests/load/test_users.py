"""Locustfiles as loads: which settings hold, what is refused and how, and that only their own processes import Locust."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.load import users
from harness.load.users import Users, find, with_workload
from harness.model.errors import UsageError
from harness.model.run import Load, Workload

ASKED = Load(rate_rps=50, warmup_s=0, window_s=1)
OPEN = Users("open", ("Steady",), 200.0, "uniform", 4, 2.0)
CLOSED = Users("closed", ("Shopper",))
USER = "from harness.load.locust_adapter import OpenLoopUser\nclass U(OpenLoopUser):\n    "


def known(monkeypatch: pytest.MonkeyPatch, found: Users) -> None:
    monkeypatch.setattr(users, "find", lambda name, workers: (Workload(name, "digest", found.loop, workers), found))


def test_what_was_not_said_comes_from_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, OPEN)
    load = with_workload(ASKED, "mine", 2, {"rate"})
    taken = replace(ASKED, arrivals="uniform", connections=4, timeout_s=2.0)
    assert load == replace(taken, workload=Workload("mine", "digest", "open", 2))
    assert with_workload(ASKED, "mine", 2, set()).rate_rps == 200


def test_users_who_wait_have_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    known(monkeypatch, CLOSED)
    load = with_workload(ASKED, "mine", 1, {"connections"})
    assert (load.rate_rps, load.connections, load.workload.loop) == (0.0, 16, "closed")


@pytest.mark.parametrize("setting", ["rate", "arrivals", "seed"])
def test_settings_of_a_schedule_are_refused_for_users_who_wait(monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    known(monkeypatch, CLOSED)
    with pytest.raises(UsageError, match=f"{setting} is given, but the users of mine .Shopper. wait"):
        with_workload(ASKED, "mine", 1, {setting})


def test_a_load_without_users_is_as_it_was() -> None:
    assert with_workload(ASKED, "", 1, {"rate"}) is ASKED
    with pytest.raises(UsageError, match="workers share the load of a locustfile"):
        with_workload(ASKED, "", 2, {"workers"})


@pytest.mark.parametrize("workers", [0, 17])
def test_how_many_workers(workers: int) -> None:
    with pytest.raises(UsageError, match=f"{workers} workers: allowed are 1 to 16"):
        find("steady", workers)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(UsageError, match="unknown workload 'nope': have journey, steady"):
        find("nope")


@pytest.mark.system
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\ndef f():\n    raise ValueError('no token')\nf()\n", "line 3: ValueError: no token; mend it"),
        ("print('hello')\nimport no_such_module\n", "line 2: ModuleNotFoundError: No module named"),
        ("from locust import User\ndef broken(:\n", "line 2: SyntaxError: "),
        ("import sys\nsys.exit(3)\n", "line 2: SystemExit: 3"),
        ("x = 1\n", "has no user class: define one"),
        ("from locust import FastHttpUser\nclass U(FastHttpUser):\n    pass\n", "user U has no task"),
        (USER + "rate_rps = 0\n", "user U: rate 0 requests/s"),
        (USER + "arrivals = 'bursty'\n", "unknown arrivals 'bursty'"),
        (USER + "rate_rps = 1\nclass V(U):\n    pass\n", "has the users U, V"),
        (
            "from locust import LoadTestShape\nclass S(LoadTestShape):\n    def tick(self):\n        return None\n",
            "has a LoadTestShape, S",
        ),
    ],
)
def test_a_locustfile_that_cannot_be_run_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(UsageError) as refused:
        find(str(path))
    assert message in str(refused.value)
    assert str(path) in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.system
def test_the_shipped_ones_are_what_they_say() -> None:
    assert find("steady")[1] == Users("open", ("Steady",), 200.0)
    workload, journey = find("journey", 3)
    assert (workload.name, workload.loop, workload.workers, journey.names) == ("journey", "closed", 3, ("Shopper",))


@pytest.mark.system
def test_nothing_of_the_harness_imports_locust() -> None:
    program = (
        "import sys, harness.cli, harness.runner, harness.load.engine\n"
        "sys.exit([name for name in ('locust', 'gevent', 'flask') if name in sys.modules] or 0)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
