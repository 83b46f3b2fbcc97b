"""What `run` and `report` share when a result is judged: options, where the verdict is written, and the exit code."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.atomic import write_atomically
from harness.model.errors import UsageError
from harness.model.rules import Asked
from harness.report.verdict_files import JUNIT, MARKDOWN, VERDICT_FILES

GateOption = Annotated[
    bool,
    typer.Option(
        "--gate", help="Exit with the verdict of the rules: 0 GO, 1 NO-GO, 3 HOLD or INCONCLUSIVE, 4 invalid."
    ),
]
JunitOption = Annotated[Path | None, typer.Option(help="Write the verdict as JUnit XML to this file too.")]
MarkdownOption = Annotated[Path | None, typer.Option(help="Write the verdict as Markdown to this file too.")]

EXIT_CODES = {"GO": 0, "NO-GO": 1, "HOLD": 3, "INCONCLUSIVE": 3}
EXIT_INVALID = 4


@dataclass(frozen=True, slots=True)
class Gate:
    """Whether the verdict decides how the program ends, and where else it is written."""

    wanted: bool
    junit: Path | None = None
    markdown: Path | None = None

    def check(self, rules: Sequence[Asked]) -> None:
        """Refuse, before anything starts, files that can't be written or that would have nothing in them."""
        for option, path in (("--junit", self.junit), ("--markdown", self.markdown)):
            if path is None:
                continue
            if not rules:
                raise UsageError(f"{option} writes a verdict, and no rules were asked for: add --gate")
            if path.is_dir() or not os.access(path.absolute().parent, os.W_OK | os.X_OK):
                raise UsageError(
                    f"{option} {path} can't be written: give a file in a folder that exists and may be written to"
                )

    def write(self, summary: Mapping[str, Any]) -> None:  # Any: JSON values
        """The files that were asked for."""
        for name, path in ((JUNIT, self.junit), (MARKDOWN, self.markdown)):
            if path is not None and summary["verdict"]:
                _write(path, VERDICT_FILES[name](summary).encode())

    def exit_code(self, summary: Mapping[str, Any]) -> int:  # Any: JSON values
        """4 for what is invalid, the verdict's with --gate, else 0."""
        if not summary["validity"]["valid"]:
            return EXIT_INVALID
        return EXIT_CODES[summary["verdict"]] if self.wanted else 0


def _write(path: Path, content: bytes) -> None:
    write_atomically(path, lambda file: file.write(content))
