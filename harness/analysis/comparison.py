"""The document of `hoptax compare`: two results, what differs around them, and every change. Pure; equal input, equal document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.analysis.change import changes
from harness.analysis.pairing import Pairing
from harness.analysis.summary import Measured, pairings, table, trust
from harness.model.errors import UsageError

COMPARISON_SCHEMA = 1
# 1: long-form estimates of after − before; `of` says whether of an arm's own figure or of what it adds to `against`.

METHOD = (
    "after − before, 95 % intervals over rounds. The two results were measured apart, so nothing pairs them: latencies by the shift with "
    "the exact rank-sum interval (Hodges–Lehmann for two samples), means and costs by Welch's difference of means with a bootstrap-t "
    "interval, shares by Newcombe's. What an arm adds to the reference is paired by round within each result first."
)

Document = Mapping[str, Any]  # Any: JSON values


@dataclass(frozen=True, slots=True)
class Named:
    """A result with the name it goes by."""

    name: str
    measured: Measured


def compare_results(
    before: Named,
    after: Named,
    around: Sequence[Any],  # Any: JSON values
    sides: tuple[str, str] | None = None,
) -> dict[str, Any]:
    """The document, as harness/schemas/comparison.schema.json describes it; `around` is what differs beside the figures.

    The caller has checked that the two may be compared. UsageError if no arm is in both. With `sides` the two aren't before and after, but
    these, side by side: then the reference may differ too, and what it does is told by the figures alone.
    """
    arms = [_arms(each.measured.manifest) for each in (before, after)]
    shared = [arm for arm in arms[0] if arm in arms[1]]
    if not shared:
        raise UsageError(
            f"the two results have no arm in common: one has {', '.join(arms[0])}, the other {', '.join(arms[1])}"
        )
    paired = [pairings(each.measured) for each in (before, after)]
    estimates = list(_estimates(before.measured, after.measured, *paired))
    return {
        "kind": "comparison",
        "schema": COMPARISON_SCHEMA,
        "method": METHOD.replace("after − before", f"{sides[1]} − {sides[0]}", 1) if sides else METHOD,
        "before": _described(before, paired[0]),
        "after": _described(after, paired[1]),
        "arms": shared,
        "only_before": [arm for arm in arms[0] if arm not in shared],
        "only_after": [arm for arm in arms[1] if arm not in shared],
        "differs": [asdict(each) for each in around],
        "validity": _validity((before, after), paired, () if sides else estimates),
        "estimates": estimates,
        **({"sides": list(sides)} if sides else {}),
    }


def _arms(manifest: Document) -> list[str]:
    return [arm["id"] for arm in manifest["arms"]]


def _described(result: Named, paired: Sequence[Pairing]) -> dict[str, Any]:
    manifest = result.measured.manifest
    return {
        "name": result.name,
        "experiment": manifest["experiment"],
        "started_utc": manifest.get("started_utc", ""),
        "instrument": manifest.get("instrument", {}).get("version", ""),
        "comparison_key": manifest["comparison_key"],
        "reference": manifest["reference"],
        "rounds": [
            {
                "topology": pairing.cell.topology,
                "load": pairing.cell.load,
                "planned": pairing.planned,
                "valid": len(pairing.rounds),
            }
            for pairing in paired
        ],
    }


def _estimates(
    before: Measured, after: Measured, left: Sequence[Pairing], right: Sequence[Pairing]
) -> Iterator[dict[str, Any]]:
    others = {pairing.cell: pairing for pairing in right}
    for pairing in left:
        other = others.get(pairing.cell)
        if other and pairing.rounds and other.rounds:
            yield from changes(table(before, pairing), table(after, other))


def _validity(
    results: Sequence[Named], paired: Sequence[Sequence[Pairing]], estimates: Sequence[Document]
) -> dict[str, Any]:
    reasons, warnings = [], []
    for result, pairing in zip(results, paired, strict=True):
        found = trust(result.measured.manifest, pairing)
        reasons += [f"{result.name}: {reason}" for reason in found.reasons]
        warnings += [f"{result.name}: {warning}" for warning in found.warnings]
    warnings += list(_cautions([each.measured.manifest for each in results], estimates))
    return {"valid": not reasons, "reasons": reasons, "warnings": warnings}


def _cautions(manifests: Sequence[Document], estimates: Sequence[Document]) -> Iterator[str]:
    """What the reference says of the machine between the two: it is the same program in both, so it shouldn't have changed."""
    references = {manifest["reference"] for manifest in manifests}
    if len(references) > 1:
        yield f"the two have different references ({', '.join(sorted(references))}): overheads aren't compared"
        return
    for each in estimates:
        asked = (each["metric"], each["statistic"], each["value"], each["of"])
        moved = each["arm"] in references and each["outcome"] in ("higher", "lower")
        if moved and asked == ("response", "p50", "ratio", "total"):
            yield (
                f"{each['topology']} at {each['load']}: the reference's own p50 changed by {each['estimate'] - 1:+.1%}: the machine "
                "isn't as it was. Read what arms add rather than their own figures, or measure both versions in one run"
            )
