"""`hoptax load`: what it prints, what it refuses, and that Ctrl-C keeps what was measured."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from harness.commands.load import load
from harness.model.errors import HoptaxError, UsageError
from tests.load import server as behaviour
from tests.load.server import Server

app = typer.Typer()
app.command()(load)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(behaviour.answer) as running:
        yield running


def run(*arguments: str) -> Any:  # Any: typer's result
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, HoptaxError):
        raise result.exception
    return result


@pytest.mark.system
def test_json_has_the_promised_keys(server: Server) -> None:
    result = run(server.url, "--rate", "100", "--duration", "1s", "--json", "--header", "X-A: b")
    seen = json.loads(result.stdout)
    assert {
        "due",
        "sent",
        "done",
        "censored",
        "errors",
        "achieved_rps",
        "lateness_us",
        "service_us",
        "response_us",
    } <= set(seen)
    assert list(seen["service_us"]) == list(seen["response_us"]) == ["p50", "p90", "p95", "p99", "p99.9", "max"]
    assert list(seen["lateness_us"]) == ["p50", "p99"]
    assert seen["due"] == seen["done"] == len(server.requests)
    assert b"\r\nX-A: b\r\n" in server.requests[0]
    assert result.exit_code == (0 if seen["validity"]["valid"] else 4)


@pytest.mark.system
def test_the_table_names_every_time(server: Server) -> None:
    result = run(server.url, "--rate", "50", "--duration", "1s", "--arrivals", "uniform")
    for word in ("50 due", "50 done", "response", "service", "lateness"):
        assert word in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rate", "0"], "rate 0"),
        (["--rate", "nan"], "rate nan"),
        (["--duration", "30"], "write a number with a unit"),
        (["--duration", "200ms"], "allowed are 1s to 24h"),
        (["--duration", "25h"], "allowed are 1s to 24h"),
        (["--rate", "1e7"], "fit in memory"),
        (["--arrivals", "bursty"], "unknown arrivals 'bursty'"),
        (["--header", "nonsense"], "no colon"),
        (["--out", "/no/such/folder/rows.parquet"], "can't be written"),
    ],
)
def test_bad_input_is_refused_before_anything_is_started(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run("http://127.0.0.1:1/", *arguments)


@pytest.mark.system
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ftp://h/"], "is not http://host:port/path"),
        (["http://127.0.0.1:1/", "--connections", "0"], "allowed are 1 to 50000"),
        (["http://127.0.0.1:1/", "--timeout", "2h"], "allowed is 1ms to 1h"),
        (["http://127.0.0.1:1/", "--body", "/no/body"], "body file /no/body can't be read"),
        (["https://127.0.0.1:1/", "--cacert", "/no/ca"], "cacert /no/ca can't be used"),
        (["http://127.0.0.1:1/", "--cacert", "/no/ca"], "not https"),
        (["http://127.0.0.1:1/", "--header", "Content-Length: 3"], "leave it out"),
    ],
)
def test_bad_input_that_the_engine_sees_is_refused_too(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(*arguments)


@pytest.mark.system
def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    program = (
        "import sys, typer; from harness.commands.load import load; app = typer.Typer(); app.command()(load); app()"
    )
    asked = ["--rate", "100", "--duration", "1h", "--json"]

    def behave(seen: Server, writer: asyncio.StreamWriter) -> None:
        writer.write(behaviour.OK)
        if len(seen.requests) == 30:
            process.send_signal(signal.SIGINT)

    with Server(behave) as server:
        command = [sys.executable, "-c", program, server.url, *asked]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with process:
            output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert 30 <= json.loads(output)["due"] < 360_000
