"""A result's runs → `summary.json`: every metric of every arm, with its interval, and whether it may be used. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from harness.analysis import ablation
from harness.analysis.checks import asked_in, checks, notes
from harness.analysis.cost import EDGES, cost_readings, memory_per_sidecar
from harness.analysis.estimates import Table, estimates
from harness.analysis.fault_summary import fault_summary
from harness.analysis.hops import hop_readings
from harness.analysis.metrics import Metric, Reading
from harness.analysis.pairing import NO_INTERVALS, Cell, Pairing, experiment_validity, pair
from harness.analysis.requests import error_reading, request_readings
from harness.analysis.verdict import documents, judge
from harness.load.rows import Rows
from harness.model.run import Run, Validity

SUMMARY_SCHEMA = 1
# 1: long-form estimates; `against` and `of` say what a difference or ratio is to, `note` why a number is missing.


class Measured(Protocol):
    """What is summed up: harness.store.Result, or the like in memory."""

    @property
    def manifest(self) -> Mapping[str, Any]: ...  # Any: JSON values

    @property
    def runs(self) -> Sequence[Run]: ...

    def rows(self, run_id: str) -> Rows: ...


def summarise(result: Measured) -> dict[str, Any]:  # Any: JSON values
    """The document `summary.json`, as harness/schemas/summary.schema.json describes it.

    Latencies are in microseconds, sizes in bytes. Every arm has absolute figures and, with `of` "total", difference and ratio
    to the manifest's reference; every contrast has the same two and, with `of` "added", the ratio of what both arms add to the
    reference. A figure that can't be given is null, and its `note` says why. The rules of the manifest, if it has any, are judged:
    one entry of `verdicts` per check, and the `verdict` of all.
    """
    manifest = result.manifest
    paired = pairings(result)
    faults = fault_summary(result)
    # So many arms share few whole rounds: an ablation is judged by its own comparisons, each of two arms.
    validity = trust(manifest, paired, ablation.reasons(result) if manifest.get("ablation") else None)
    tables = [] if faults else _tables(result, paired)
    asked = asked_in(manifest)
    cells = [pairing.cell for pairing in paired]
    judgement = judge(list(checks(asked, cells, tables)), validity.reasons)
    warnings = [*validity.warnings, *notes(asked, manifest["rounds"], len(cells))]
    return {
        "kind": "summary",
        "schema": SUMMARY_SCHEMA,
        "experiment": manifest["experiment"],
        "comparison_key": manifest["comparison_key"],
        "started_utc": manifest.get("started_utc", ""),
        "reference": manifest["reference"],
        "contrasts": [list(contrast) for contrast in manifest.get("contrasts", ())],
        "validity": {
            "valid": validity.valid,
            "reasons": list(validity.reasons),
            "warnings": [warning for warning in warnings if not (faults and NO_INTERVALS in warning)],
        },
        "rounds": [_rounds(pairing) for pairing in paired],
        "arms": [{key: arm.get(key) for key in ("id", "name", "features", "version")} for arm in manifest["arms"]],
        "estimates": [row for each in tables for row in estimates(each)],
        "ablation": list(ablation.ablation(result)),
        "verdicts": list(documents(judgement)),
        "verdict": judgement.verdict,
        "verdict_why": judgement.why,
        "faults": faults,
    }


def trust(
    manifest: Mapping[str, Any],  # Any: JSON values
    paired: Sequence[Pairing],
    instead: Iterable[str] | None = None,
) -> Validity:
    """Whether a result's figures may be used: every arm is what it says, and enough rounds count; `instead` takes the place of the latter."""
    found = experiment_validity(paired)
    reasons = (*_unproven(manifest), *(found.reasons if instead is None else instead))
    return Validity(not reasons, reasons, (*manifest.get("warnings", ()), *found.warnings))


def _tables(result: Measured, paired: Sequence[Pairing]) -> list[Table]:
    """Not of runs with faults: a window's percentiles and costs would be those of its faults."""
    return [table(result, pairing) for pairing in paired if pairing.rounds]


def _unproven(manifest: Mapping[str, Any]) -> Iterator[str]:  # Any: JSON values
    """An arm that isn't what it says makes every comparison with it one of unlike things."""
    for arm, proofs in manifest.get("parity", {}).items():
        for proof in proofs:
            if not proof["passed"]:
                yield f"{arm} is not what it says: {proof['check']}: {proof['seen']}"


def pairings(result: Measured) -> list[Pairing]:
    """Every topology under every load, with the rounds that count."""
    manifest = result.manifest
    arms = [arm["id"] for arm in manifest["arms"]]
    cells = [Cell(topology["name"], load) for topology in manifest["topologies"] for load in manifest["loads"]]
    return [pair(result.runs, cell, arms, manifest["rounds"]) for cell in cells]


def _rounds(pairing: Pairing) -> dict[str, Any]:  # Any: JSON values
    return {
        "topology": pairing.cell.topology,
        "load": pairing.cell.load,
        "planned": pairing.planned,
        "valid": list(pairing.rounds),
        "void": {arm: len(runs) + len(pairing.missing[arm]) for arm, runs in pairing.invalid.items()},
        "retaken": {arm: len(runs) for arm, runs in pairing.retaken.items()},
    }


def table(result: Measured, pairing: Pairing) -> Table:
    """What every window of the rounds that count says."""
    manifest = result.manifest
    cores, reference = len(manifest["placement"]["system"]), manifest["reference"]
    readings: dict[str, dict[Metric, list[Reading]]] = {}
    for arm, runs in pairing.runs.items():
        readings[arm] = {}
        for run, bare in zip(runs, pairing.runs[reference], strict=True):
            for reading in _read(run, bare, result.rows(run.id), cores):
                readings[arm].setdefault(reading.metric, []).append(reading)
    return Table(
        cell=pairing.cell,
        rounds=len(pairing.rounds),
        readings=readings,
        reference=reference,
        contrasts=[(arm, against) for arm, against in manifest.get("contrasts", ())],
        due=sum(run.generator.due for run in pairing.runs[reference]),
    )


def _read(run: Run, bare: Run, rows: Rows, cores: int) -> Iterator[Reading]:
    yield from request_readings(rows)
    yield error_reading(run)
    yield from hop_readings(run.hops)
    yield from cost_readings(run, cores)
    if run.arm != bare.arm:
        yield from (memory_per_sidecar(run, bare, edge) for edge in EDGES)
