"""`hoptax doctor`: can this machine measure, and what to do about it if it can't."""

import json
import os
from dataclasses import asdict
from typing import Annotated

import typer

from harness.diagnosis import Finding, can_measure, judge, judge_tools
from harness.platforms.cores import core_of
from harness.platforms.placement import place
from harness.probes import surroundings

EXIT_CANNOT = 4
SPIN_S = 2.0
SIGNS = {"present": "ok", "missing": "MISSING", "noisy": "NOISY"}
SCHEMA = 1


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print facts and findings as JSON.")] = False,
) -> None:
    """Look at CPUs, limits, noise and programs; takes five seconds.  Example: hoptax doctor"""
    facts = surroundings.gather(place(sorted(os.sched_getaffinity(0)), core_of), SPIN_S)
    findings = [*judge(facts), *judge_tools(surroundings.tools())]
    able = can_measure(findings)
    if as_json:
        found = [asdict(finding) for finding in findings]
        document = {"kind": "doctor", "schema": SCHEMA, "can_measure": able, "findings": found, "facts": asdict(facts)}
        typer.echo(json.dumps(document, indent=1))
    else:
        _print(findings, able=able)
    if not able:
        raise typer.Exit(EXIT_CANNOT)


def _print(findings: list[Finding], *, able: bool) -> None:
    wide = max(len(finding.subject) for finding in findings)
    for finding in findings:
        typer.echo(f"{SIGNS[finding.state]:<7}  {finding.subject:<{wide}}  {finding.said}")
        if finding.remedy:
            typer.echo(f"{'':<{9 + wide}}  → {finding.remedy}")
    noisy = sum(finding.state == "noisy" for finding in findings)
    if not able:
        stopping = ", ".join(finding.subject for finding in findings if finding.stops)
        typer.echo(f"This machine can't measure as it is now: {stopping}.")
        return
    beside = f", with {noisy} source{'' if noisy == 1 else 's'} of noise" if noisy else ""
    typer.echo(f"This machine can measure on its own processes{beside}.")
