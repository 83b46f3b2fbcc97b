"""`hoptax load`: open-loop load on a URL, and what came of it. Load goes where the user says and nowhere else."""

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from harness.load.control import EngineReport, Sending
from harness.load.messages import Progress
from harness.load.schedule import MAX_DURATION_S, check_schedule
from harness.load.summary import summarise
from harness.load.users import engine as engine_for
from harness.load.users import lead_more_ns, with_workload
from harness.model.errors import UsageError
from harness.model.quantities import duration_s
from harness.model.run import Load

LEAD_NS = 100_000_000
"""Between the order and the first due time; a million requests need another tenth of a second for their rows."""
MIN_DURATION_S = 1.0
EXIT_INVALID = 4
EXIT_INTERRUPTED = 130


def load(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="http:// or https://; the only place load is sent to.")],
    rate: Annotated[float, typer.Option(help="Requests per second, whether answered or not.")] = 1000.0,
    duration: Annotated[str, typer.Option(help="1s to 24h, e.g. 30s, 2m.")] = "30s",
    connections: Annotated[
        int, typer.Option(help="Keep-alive connections, one request in flight on each; the users of a closed loop.")
    ] = 16,
    arrivals: Annotated[str, typer.Option(help="poisson or uniform.")] = "poisson",
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same schedule.")] = 1,
    method: Annotated[str, typer.Option(help="HTTP method.")] = "GET",
    header: Annotated[list[str] | None, typer.Option(help="K:V, may be repeated.")] = None,
    body: Annotated[Path | None, typer.Option(help="File to send as the body.")] = None,
    cacert: Annotated[
        Path | None, typer.Option(help="PEM file of the CA that signed the server's certificate.")
    ] = None,
    timeout: Annotated[str, typer.Option(help="For one request, from being sent.")] = "15s",
    users: Annotated[
        str, typer.Option(help="Locust users as the load: a locustfile, or a name of `hoptax list workloads`.")
    ] = "",
    workers: Annotated[int, typer.Option(help="Processes that share the load of --users.")] = 1,
    web: Annotated[int, typer.Option(min=0, max=65535, help="Port for Locust's page during the run of --users.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write every request's row to this Parquet file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Send requests when they are due, not when answers allow.  Example: hoptax load http://127.0.0.1:8080 --rate 500 --duration 10s"""
    asked = Load(rate, 0.0, _window_s(duration), connections, arrivals, seed, duration_s(timeout))
    said = _said(context)
    if users and (unfit := sorted({"method", "header", "body", "cacert"} & said)):
        raise UsageError(f"--{unfit[0]} is given, but what is sent is said by --users {users}: leave one of them out")
    if web and not users:
        raise UsageError("--web shows Locust's page of --users: name them, or leave --web out")
    asked = with_workload(asked, users, workers, said)
    if asked.workload.loop == "open":
        check_schedule(asked.rate_rps, asked.window_s, asked.arrivals)
    sending = Sending(method, tuple(map(_header, header or ())), str(body or ""), str(cacert or ""))
    if out is not None:
        _check_out(out)
    report, interrupted = run_load(url, asked, sending, None if as_json else _say_progress, web)
    if out is not None:
        from harness.store import write_rows  # noqa: PLC0415 - pandas and pyarrow take a second that only --out needs

        write_rows(out, report.rows)
    summary = summarise(report.generator, report.rows, asked.workload, report.reasons)
    typer.echo(json.dumps(summary, indent=1)) if as_json else _print(url, summary)
    if interrupted or not summary["validity"]["valid"]:
        raise typer.Exit(EXIT_INTERRUPTED if interrupted else EXIT_INVALID)


def run_load(
    url: str, asked: Load, sending: Sending, on_progress: Callable[[Progress], None] | None, web_port: int = 0
) -> tuple[EngineReport, bool]:
    """One run, and whether Ctrl-C cut it short: then the report is of what was due until then."""
    with engine_for(asked, web_port=web_port) as engine:
        engine.prepare(url, asked, sending)
        lead_ns = LEAD_NS + lead_more_ns(asked) + round(asked.rate_rps * asked.window_s * 100)
        engine.start(time.monotonic_ns() + lead_ns, asked)
        try:
            return engine.wait(on_progress), False
        except KeyboardInterrupt:
            engine.stop()
            return engine.wait(), True


def _said(context: typer.Context) -> set[str]:
    """The options that stand on the command line."""
    return {name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")}


def _check_out(out: Path) -> None:
    """Before measuring, so that no rows are lost for a folder that was never there."""
    folder = out.absolute().parent
    if out.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"--out {out} can't be written: give a file in a folder that exists and may be written to")


def _window_s(text: str) -> float:
    seconds = duration_s(text)
    if not MIN_DURATION_S <= seconds <= MAX_DURATION_S:
        raise UsageError(f"--duration {text}: allowed are 1s to 24h")
    return seconds


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"--header {text!r} has no colon: write NAME:VALUE")
    return name.strip(), value.strip()


def _say_progress(seen: Progress) -> None:
    p50 = f", response p50 {seen.response_us['p50']:.0f} µs" if seen.response_us else ""
    line = f"{seen.second} s: {seen.due} due, {seen.done} done, {seen.errors} errors, {seen.waiting} waiting{p50}"
    Console(stderr=True).print(line, highlight=False)


def _print(url: str, summary: dict[str, Any]) -> None:  # Any: JSON values
    console = Console()
    counts = ", ".join(f"{summary[key]} {key}" for key in ("due", "sent", "done", "errors", "censored"))
    console.print(f"{url}: {counts}; {summary['achieved_rps']:.1f} done/s", highlight=False, soft_wrap=True)
    if summary["loop"] == "closed":
        console.print("closed loop: users wait for answers, so a slow system shows as fewer requests", highlight=False)
    for kind, count in summary["error_kinds"].items():
        console.print(f"  {count} × {kind}", highlight=False)
    table = Table("µs", *summary["service_us"])
    for name in ("response", "service", "lateness"):
        times = summary[f"{name}_us"]
        table.add_row(name, *(_cell(times.get(column)) for column in summary["service_us"]))
    console.print(table)
    console.print(
        "response = done − due, service = done − sent, lateness = the generator's own; – = too few requests or no answer"
    )
    for reason in summary["validity"]["reasons"]:
        console.print(f"INVALID: {reason}", highlight=False, soft_wrap=True)


def _cell(value_us: float | None) -> str:
    return "–" if value_us is None else f"{value_us:.1f}"
