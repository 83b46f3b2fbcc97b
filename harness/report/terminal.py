"""The table of `make bench` on a terminal or in a log: validity first, then what each arm adds. It computes nothing.

Nothing hangs on colour; when the arms don't fit side by side, the table goes on below with the rest of them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from harness.report.ablation_table import ABOUT, TITLE, AblationTable, ablation_table, left_out, without_steps
from harness.report.fault_table import fault_headline
from harness.report.figures import cells
from harness.report.numbers import NO_INTERVAL
from harness.report.table import Contrast, Headline, Shown, headline
from harness.report.verdict_table import by_weight, several_cells, subject

GAP = 2
INDENT = "  "
HEAD = 24
"""An arm's name goes on in the next line, after a comma, where it would be wider than that."""
_ASCII = str.maketrans({"µ": "u", "−": "-", "×": "x", "–": "-", "·": "-", "…": "..."})

HOW_TO_READ = (
    "Brackets are 95 % intervals over rounds; about one in twenty misses the truth.",
    "Arms differ when their contrast excludes 1×, not when their intervals part.",
)

HOW_TO_READ_FAULTS = (
    "Times and counts are per repetition; brackets are 95 % intervals over repetitions.",
    "Late: slower than twice the steady p99. Measured / expected: 1 where arithmetic foretells the figure.",
)


def show(
    manifest: Mapping[str, Any], summary: Mapping[str, Any], report: str = "", console: Console | None = None
) -> None:
    """Print the summary; `report` is where the page lies, if there is one."""
    console = console or Console()
    for line in (*judgement_lines(summary, console.width), *verdict_lines(summary)):
        _print(console, *line)
    faults, shown = bool(summary.get("faults")), without_steps(summary)
    for cell in cells(manifest):
        if faults:
            _print_cell(console, manifest, fault_headline(manifest, summary, cell), "")
        else:
            _print_cell(console, manifest, headline(manifest, shown, cell), left_out(summary))
        if found := ablation_table(summary, cell):
            _print_ablation(console, found)
    for words in HOW_TO_READ_FAULTS if faults else HOW_TO_READ:
        _print(console, words)
    if report:
        _print(console, f"Report: {report}", soft_wrap=True)


def judgement_lines(summary: Mapping[str, Any], width: int) -> Iterator[tuple[str, str]]:
    """The verdict, if rules were asked for, and each check, wrapped under itself: (text, style)."""
    if not summary.get("verdict"):
        return
    yield f"VERDICT: {summary['verdict']}: {summary['verdict_why']}", _STYLES[summary["verdict"]]
    checks = summary["verdicts"]
    for each in by_weight(checks):
        if each["outcome"] == "invalid" and each["arm"]:
            continue  # said once, by the rule of validity
        told = f"{INDENT}{each['outcome']:<15} {subject(each, cell=several_cells(checks))}: {each['why']}"
        for line in wrap(told, width, subsequent_indent=" " * (len(INDENT) + 16)):
            yield line, _STYLES.get(each["outcome"], "")


_STYLES = {"GO": "bold green", "NO-GO": "bold red", "HOLD": "bold yellow", "INCONCLUSIVE": "bold yellow", "fail": "red",
           "invalid": "red", "inconclusive": "yellow"}  # fmt: skip


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


def _print_cell(console: Console, manifest: Mapping[str, Any], shown: Headline, others: str) -> None:
    _print(console, "")
    _print(console, f"{manifest['experiment']} · {shown.cell.topology} · {shown.load}", "bold")
    for words, style in ((shown.caveat, "yellow"), (others, "dim")):
        if words:
            _print(console, words, style)
    _print_table(console, shown)
    for contrast in shown.contrasts:
        for line in _contrast_lines(contrast):
            _print(console, line, "bold")
    _print(console, "")


def _print_ablation(console: Console, shown: AblationTable) -> None:
    _print(console, f"{TITLE} · {shown.cell.topology}: {ABOUT}", "bold")
    _print(console, shown.resting)
    _print_table(console, shown)
    _print(console, "")


def _print_table(console: Console, shown: Headline | AblationTable) -> None:
    layout = _layout(shown, stacked=_layout(shown, stacked=False).width > console.width)
    for block in _blocks(layout.widths, console.width - layout.label):
        for line, style in _lines(shown, layout, block):
            _print(console, line, style)
    for section in shown.sections:
        for note in section.notes:
            _print(console, f"{section.title}: {note}", "dim")


def _contrast_lines(contrast: Contrast) -> Iterator[str]:
    yield f"{contrast.arm} against {contrast.against}"
    wide = max(len(label) for label, _ in contrast.parts)
    yield from (f"{INDENT}{label.ljust(wide)}  {_parts(shown, stacked=False)[0]}" for label, shown in contrast.parts)


@dataclass(frozen=True, slots=True)
class _Layout:
    """How wide the columns are, and whether an interval stands below its value instead of beside it."""

    label: int
    widths: tuple[int, ...]
    stacked: bool

    @property
    def width(self) -> int:
        return self.label + sum(self.widths)


def _layout(shown: Headline | AblationTable, *, stacked: bool) -> _Layout:
    rows = [row for section in shown.sections for row in section.rows]
    label = max((cell_len(row.heading) for row in rows), default=0) + len(INDENT)
    widths = (
        GAP
        + max(
            *map(cell_len, _wrapped(arm)),
            *(cell_len(part) for row in rows for part in _parts(row.figures[index], stacked)),
            1,
        )
        for index, arm in enumerate(shown.arms)
    )
    return _Layout(label, tuple(widths), stacked)


def _parts(shown: Shown, stacked: bool) -> tuple[str, ...]:
    """The lines of one figure."""
    interval = "[none]" if shown.interval.startswith(NO_INTERVAL) else shown.interval
    return (shown.value or "–", interval) if stacked else (f"{shown.value} {interval}".strip() or "–",)


def _blocks(widths: Sequence[int], room: int) -> Iterator[list[int]]:
    """Arms, by place, that fit side by side; each block holds at least one."""
    block: list[int] = []
    left = room
    for index, need in enumerate(widths):
        if block and need > left:
            yield block
            block, left = [], room
        block.append(index)
        left -= need
    yield block


def _lines(shown: Headline | AblationTable, layout: _Layout, block: Sequence[int]) -> Iterator[tuple[str, str]]:
    """The table of some arms as (line, style)."""
    for heads in zip_longest(*(_wrapped(shown.arms[index]) for index in block), fillvalue=""):
        yield _line(layout, "", heads, block), "bold"
    for section in shown.sections:
        yield f"{section.title}: {section.about}", "cyan"
        for row in section.rows:
            cells_ = [_parts(row.figures[index], layout.stacked) for index in block]
            yield _line(layout, INDENT + row.heading, [parts[0] for parts in cells_], block), ""
            if any(rest := ["".join(parts[1:]) for parts in cells_]):
                yield _line(layout, "", rest, block), "dim"


def _line(layout: _Layout, label: str, words: Sequence[str], block: Sequence[int]) -> str:
    padded = (" " * (layout.widths[index] - cell_len(word)) + word for word, index in zip(words, block, strict=True))
    return label + " " * (layout.label - cell_len(label)) + "".join(padded)


def _wrapped(arm: str) -> list[str]:
    """An arm's name in lines, broken after commas."""
    lines = [""]
    for part in re.findall(r"[^,]*,?", arm):
        if lines[-1] and cell_len(lines[-1] + part) > HEAD:
            lines.append("")
        lines[-1] += part
    return lines


def _text(console: Console, words: str, style: str = "") -> Text:
    return Text(words if console.encoding.startswith("utf") else words.translate(_ASCII), style)


def _print(console: Console, words: str, style: str = "", *, soft_wrap: bool = False) -> None:
    console.print(_text(console, words, style), highlight=False, soft_wrap=soft_wrap)
