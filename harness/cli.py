"""The command line: parsing and printing only. One table decides how an exception ends the program (design §4, Exit codes)."""

import io
import os
import signal
import stat
import sys
import traceback
from contextlib import suppress
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from typer.exceptions import TyperException

from harness.commands.clean import clean
from harness.commands.cluster import cluster
from harness.commands.compare import compare
from harness.commands.doctor import doctor
from harness.commands.experiments import run
from harness.commands.faults import fault
from harness.commands.groups import add_groups
from harness.commands.lists import list_command
from harness.commands.load import load
from harness.commands.replay import replay
from harness.commands.reports import report
from harness.commands.selftest import selftest
from harness.commands.up import up
from harness.model.errors import HoptaxError, UsageError

EXIT_BUG = 70
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="hoptax",
    help="Measures what a service mesh costs on every hop, and says whether that is acceptable.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(run)
app.command("load")(load)
app.command("up")(up)
app.command("report")(report)
app.command("compare")(compare)
app.command("replay")(replay)
app.command("selftest")(selftest)
app.command("doctor")(doctor)
app.command("clean")(clean)
app.command("list")(list_command)
app.add_typer(fault, name="fault")
app.add_typer(cluster, name="cluster")
add_groups(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - only this option needs it

        typer.echo(f"hoptax {version('hoptax')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Exit codes: 0 fine, 1 a rule failed, 2 wrong use, 3 inconclusive, 4 invalid run or failing machine, 70 a bug, 130 interrupted."""


def main() -> None:
    """Run the command line; never returns."""
    signal.signal(signal.SIGTERM, _interrupt)
    _outlive_reader()
    try:
        code = app(prog_name="hoptax", standalone_mode=False)
    except TyperException as error:
        _end(error.format_message(), UsageError.exit_code)
    except HoptaxError as error:
        _end(str(error), error.exit_code)
    except KeyboardInterrupt:
        _end("interrupted", EXIT_INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a bug of ours gets its own exit code
        traceback.print_exc()
        _end(f"this is a bug in hoptax ({type(error).__name__}): please report the lines above", EXIT_BUG)
    if code == EXIT_INTERRUPTED:
        _end("interrupted", code)
    sys.exit(code)


class _Pipe(io.RawIOBase):
    """Standard output whose reader may have had enough: the rest goes nowhere."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # Any: what has bytes; 3.11 has no name for it
        try:
            return os.write(self._descriptor, data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def _outlive_reader() -> None:
    """`hoptax run gate --gate | head -5` ends with the verdict, whatever `head` has read of it; Typer would end it with 1."""
    with suppress(OSError):
        descriptor = sys.stdout.fileno()
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            pipe = io.BufferedWriter(_Pipe(descriptor))
            sys.stdout = io.TextIOWrapper(pipe, sys.stdout.encoding, sys.stdout.errors)


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """SIGTERM unwinds like Ctrl-C, so that every `with` closes what it opened."""
    raise KeyboardInterrupt


def _end(message: str, code: int) -> NoReturn:
    if message:
        print(f"hoptax: {message}", file=sys.stderr)
    sys.exit(code)
