"""`junit.xml`: the checks as test cases, for tools that show tests. The same bytes for the same summary.

What is not a pass is never green: a check that fails is a `failure`, one that is inconclusive or invalid an `error`, so that nobody
who reads only this file takes a HOLD for a GO. A check that has nothing to be about is `skipped`.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from harness.report.svg import escaped
from harness.report.verdict_table import Check, subject

_ELEMENT = {"fail": "failure", "inconclusive": "error", "invalid": "error", "not-applicable": "skipped"}


def junit(summary: Mapping[str, Any]) -> str:
    """The document of a summary that has a verdict: a suite per topology and load, and one for the result as a whole."""
    checks: Sequence[Check] = summary["verdicts"]
    suites = [(key, list(group)) for key, group in groupby(sorted(checks, key=_cell), _cell)]
    body = "".join(_suite(summary, key, group) for key, group in suites)
    name = escaped(f"hoptax {summary['experiment']}: {summary['verdict']}")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="{name}"{_counts(checks)}>\n{body}</testsuites>\n'


def _cell(check: Check) -> tuple[str, str]:
    return check["topology"] or "", check["load"] or ""


def _counts(checks: Sequence[Check]) -> str:
    kinds = [_ELEMENT.get(each["outcome"], "") for each in checks]
    found = {f"{kind}s" if kind != "skipped" else kind: kinds.count(kind) for kind in ("failure", "error", "skipped")}
    return f' tests="{len(checks)}"' + "".join(f' {name}="{count}"' for name, count in found.items())


def _suite(summary: Mapping[str, Any], cell: tuple[str, str], checks: Sequence[Check]) -> str:
    topology, load = cell
    name = f"{summary['experiment']}.{topology}.{load}" if topology else str(summary["experiment"])
    started = str(summary["started_utc"]).removesuffix("Z").removesuffix("+00:00")
    stamp = f' timestamp="{escaped(started)}"' if started else ""
    cases = "".join(_case(name, each) for each in checks)
    return f'<testsuite name="{escaped(name)}"{_counts(checks)} time="0"{stamp}>\n{cases}</testsuite>\n'


def _case(suite: str, check: Check) -> str:
    head = f'<testcase classname="hoptax.{escaped(suite)}" name="{escaped(subject(check, cell=False))}" time="0"'
    told, why = _ELEMENT.get(check["outcome"], ""), escaped(check["why"])
    if not told:
        return f"{head}><system-out>{why}</system-out></testcase>\n"
    kind = f' type="{check["outcome"]}"' if told != "skipped" else ""
    return f'{head}><{told} message="{why}"{kind}/></testcase>\n'
