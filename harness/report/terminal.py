"""The table of `make bench` on a terminal or in a log: validity first, then what each arm adds. It computes nothing.

Nothing hangs on colour; when the arms don't fit side by side, the table goes on below with the rest of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from harness.report.figures import cells
from harness.report.table import Contrast, Headline, Row, Shown, headline

GAP = 2
INDENT = "  "
_ASCII = str.maketrans({"µ": "u", "−": "-", "×": "x", "–": "-", "·": "-", "…": "..."})

HOW_TO_READ = (
    "Brackets are 95 % intervals over rounds; about one in twenty misses the truth.",
    "Arms differ when their contrast excludes 1×, not when their intervals part.",
)


def show(
    manifest: Mapping[str, Any], summary: Mapping[str, Any], report: str = "", console: Console | None = None
) -> None:
    """Print the summary; `report` is where the page lies, if there is one."""
    console = console or Console()
    for line in verdict_lines(summary):
        _print(console, *line)
    for cell in cells(manifest):
        _print_cell(console, manifest, headline(manifest, summary, cell))
    for line in HOW_TO_READ:
        _print(console, line)
    if report:
        _print(console, f"Report: {report}", soft_wrap=True)


def verdict_lines(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Validity with its reasons, then warnings: (text, style)."""
    validity = summary["validity"]
    counted, planned = rounds_counted(summary)
    rounds = f"{counted} of {planned} rounds count"
    if validity["valid"]:
        yield f"VALID: {rounds}", "bold green"
    else:
        yield f"INVALID: {rounds}; do not use these figures", "bold red"
    yield from ((f"  because {reason}", "red") for reason in validity["reasons"])
    yield from ((f"  warning: {warning}", "yellow") for warning in validity["warnings"])


def rounds_counted(summary: Mapping[str, Any]) -> tuple[int, int]:
    """Rounds that count and rounds planned, over all cells."""
    rounds = summary["rounds"]
    return sum(len(each["valid"]) for each in rounds), sum(each["planned"] for each in rounds)


def _print_cell(console: Console, manifest: Mapping[str, Any], shown: Headline) -> None:
    _print(console, "")
    _print(console, f"{manifest['experiment']} · {shown.cell.topology} · {shown.load}", "bold")
    if shown.caveat:
        _print(console, shown.caveat, "yellow")
    for block in _blocks(shown, console.width):
        for line, style in _lines(shown, block):
            _print(console, line, style)
    for section in shown.sections:
        for note in section.notes:
            _print(console, f"{section.title}: {note}", "dim")
    for contrast in shown.contrasts:
        for line in _contrast_lines(contrast):
            _print(console, line, "bold")
    _print(console, "")


def _contrast_lines(contrast: Contrast) -> Iterator[str]:
    yield f"{contrast.arm} against {contrast.against}"
    wide = max(len(label) for label, _ in contrast.parts)
    yield from (f"{INDENT}{label.ljust(wide)}  {_cell(shown)}" for label, shown in contrast.parts)


def _blocks(shown: Headline, width: int) -> Iterator[list[int]]:
    """Arms, by place, that fit side by side; each block holds at least one."""
    left = width - _label_width(shown)
    block: list[int] = []
    room = left
    for index, need in enumerate(_widths(shown)):
        if block and need > room:
            yield block
            block, room = [], left
        block.append(index)
        room -= need
    yield block


def _label_width(shown: Headline) -> int:
    return max((cell_len(row.heading) for row in _rows(shown)), default=0) + len(INDENT)


def _widths(shown: Headline) -> list[int]:
    """Per arm, how wide its column is, with the gap before it."""
    return [
        GAP + max(cell_len(arm), *(cell_len(_cell(row.figures[index])) for row in _rows(shown)), 1)
        for index, arm in enumerate(shown.arms)
    ]


def _rows(shown: Headline) -> list[Row]:
    return [row for section in shown.sections for row in section.rows]


def _lines(shown: Headline, block: Sequence[int]) -> Iterator[tuple[str, str]]:
    """The table of some arms as (line, style)."""
    yield _line(shown, "", [shown.arms[index] for index in block], block), "bold"
    for section in shown.sections:
        yield f"{section.title}: {section.about}" if section.about else section.title, "cyan"
        for row in section.rows:
            yield _line(shown, INDENT + row.heading, [_cell(row.figures[index]) or "–" for index in block], block), ""


def _line(shown: Headline, label: str, words: Sequence[str], block: Sequence[int]) -> str:
    widths = _widths(shown)
    padded = [" " * (widths[index] - cell_len(word)) + word for word, index in zip(words, block, strict=True)]
    return label + " " * (_label_width(shown) - cell_len(label)) + "".join(padded)


def _cell(shown: Shown) -> str:
    interval = "[none]" if shown.interval.startswith("no interval") else shown.interval
    return f"{shown.value} {interval}".strip()


def _text(console: Console, words: str, style: str = "") -> Text:
    return Text(words if console.encoding.startswith("utf") else words.translate(_ASCII), style)


def _print(console: Console, words: str, style: str = "", *, soft_wrap: bool = False) -> None:
    console.print(_text(console, words, style), highlight=False, soft_wrap=soft_wrap)
