"""Has a plan's issuer make the authority, once per experiment, and the identities of one launch."""

import subprocess
from pathlib import Path

from harness.model.errors import EnvironmentFailure
from harness.model.plan import Plan
from harness.platforms import programs

ISSUE_WITHIN_S = 30


def issue(plan: Plan, authority: Path, folder: Path) -> None:
    """One folder per identity below `folder`; nothing for a plan without an issuer."""
    if plan.issuer is None:
        return
    words = programs.command(plan.issuer.program)
    if not authority.exists():
        _run(plan, [*words, "authority", str(authority)])
    if plan.identities:
        asked = [f"{identity.name}={identity.spiffe_id}" for identity in plan.identities]
        _run(plan, [*words, "issue", "--authority", str(authority), "--out", str(folder), *asked])


def _run(plan: Plan, words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=ISSUE_WITHIN_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise EnvironmentFailure(
            f"identities of {plan.entry_host}'s plan aren't issued after {ISSUE_WITHIN_S} s: is the machine stalled?"
        ) from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise EnvironmentFailure(
            f"identities of {plan.entry_host}'s plan can't be issued: {''.join(last) or done.returncode}"
        )
