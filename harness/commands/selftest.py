"""`hoptax selftest`: what is known beforehand must be found, on this machine."""

import json
import secrets
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from harness import store
from harness.report.progress import Progress
from harness.runner import planned_s
from harness.selftest import oracle
from harness.selftest.arithmetic import Finding
from harness.stage import stage

EXIT_FAILED = 1
GENERATOR_STEPS = 4
GENERATOR_S = 40.0


def selftest(
    out: Annotated[Path, typer.Option(help="Folder in which the result's folder is made.")] = Path("results"),
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the generator and the frozen server (under a minute).")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Find known truths: frozen server, A/A, a planted 200 µs, lateness, validity.  Example: hoptax selftest"""
    findings = _findings(out, quick)
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        _print(findings)
    if not all(finding.passed for finding in findings):
        raise typer.Exit(EXIT_FAILED)


def _findings(out: Path, quick: bool) -> list[Finding]:
    tried = oracle.subject()
    paired = oracle.experiment(tried)
    expected_s = [GENERATOR_S / GENERATOR_STEPS] * GENERATOR_STEPS + ([] if quick else planned_s(paired))
    started = datetime.now(UTC)
    with stage(paired.arms) as (bench, facts), Progress(expected_s) as progress:
        findings = oracle.generator_findings(tried, bench, progress)
        if not quick:
            result = store.create(out, paired.name, started, secrets.token_hex(2))
            utc = started.isoformat(timespec="seconds")
            findings += oracle.paired_findings(tried, bench, facts, result, utc, progress)
    return findings


def _print(findings: list[Finding]) -> None:
    for finding in findings:
        mark = "ok  " if finding.passed else "FAIL"
        typer.echo(f"{mark}  {finding.name}: {finding.found}  (expected: {finding.expected})")
    failed = sum(not finding.passed for finding in findings)
    typer.echo(
        f"{len(findings) - failed} of {len(findings)} truths found"
        + (": don't trust numbers from here" if failed else "")
    )
