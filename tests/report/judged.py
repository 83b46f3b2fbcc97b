"""The generated result, judged by rules of a test's choosing. Its figures: 492 and 339 µs a hop, sidecars with 2.35 and 1.79 times the
CPU of their apps and 1.64 and 0.88 times the memory."""

from functools import cache
from typing import Any

from fixtures.recorded import Recorded, recorded
from harness.analysis.checks import to_manifest
from harness.analysis.summary import summarise
from harness.rule_file import Arms, of_document

GO = {"sidecar-cpu": 3, "sidecar-memory": 2}
HOLD = GO | {"p50-per-hop": "490us"}
NO_GO: dict[str, Any] = {}


@cache
def result(rounds: int = 10) -> Recorded:
    """The generated result of so many rounds."""
    return recorded(rounds=rounds)


def under(found: Recorded, rules: dict[str, Any]) -> Recorded:
    """The same, measured under these rules."""
    arms = Arms(tuple(arm["id"] for arm in found.manifest["arms"]), found.manifest["reference"], lambda text: text)
    return Recorded(found.manifest | {"rules": to_manifest(of_document(rules, arms))}, found.runs, found.windows)


def judged(rules: dict[str, Any], found: Recorded | None = None) -> dict[str, Any]:
    """Its summary."""
    return summarise(under(found or result(), rules))
