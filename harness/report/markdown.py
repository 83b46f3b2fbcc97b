"""`verdict.md`: the verdict for a pull request or a ticket. The same bytes for the same summary; names can't become markup."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from harness.report.verdict_table import by_weight, measured, several_cells, subject

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")


def markdown(summary: Mapping[str, Any]) -> str:
    """The document of a summary that has a verdict."""
    return "\n".join(_lines(summary)) + "\n"


def _lines(summary: Mapping[str, Any]) -> Iterator[str]:
    yield f"# {summary['verdict']}: {_safe(summary['experiment'])}"
    yield ""
    yield _safe(f"{summary['verdict_why'][:1].upper()}{summary['verdict_why'][1:]}.")
    yield ""
    yield "| outcome | rule | measured | 95 % interval | allowed |"
    yield "|---|---|---|---|---|"
    with_cell = several_cells(summary["verdicts"])
    for each in by_weight(summary["verdicts"]):
        value, interval = measured(each)
        cells = (
            each["outcome"],
            subject(each, cell=with_cell),
            value or "–",
            interval or _reason(each),
            each["allowed"],
        )
        yield f"| {' | '.join(_safe(cell) for cell in cells)} |"
    reasons = summary["validity"]["reasons"]
    yield ""
    yield "The result is valid." if not reasons else "The result is **invalid**:"
    yield from (f"- {_safe(reason)}" for reason in reasons)
    if summary["validity"]["warnings"]:
        yield ""
        yield "To keep in mind:"
        yield from (f"- {_safe(warning)}" for warning in summary["validity"]["warnings"])
    yield ""
    yield f"Measured {_safe(summary['started_utc'])}; comparison key {_safe(summary['comparison_key'])}."


def _reason(check: Mapping[str, Any]) -> str:
    return "" if check["rule"] == "validity" else str(check["why"])


def _safe(text: object) -> str:
    """One line of plain text."""
    return _MARKUP.sub(r"\\\1", " ".join(str(text).split()))
